"""The operations of CloudFormation's API that make, change and delete stacks.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult, EmptyResult

from firebreak.cloud.stacks.changes import check_update
from firebreak.cloud.stacks.errors import invalid, refused
from firebreak.cloud.stacks.kinds import At
from firebreak.cloud.stacks.parameters import settle
from firebreak.cloud.stacks.permissions import Permits, permits
from firebreak.cloud.stacks.run import Run, delete_all
from firebreak.cloud.stacks.stack import Kept, Stack, Wanted
from firebreak.cloud.stacks.templates import body, check_capabilities, parse

NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)


def kept(response: Any) -> Kept:
    """Return what is kept of the account and region of a request."""
    backend = response.cloudformation_backend
    found: Kept = vars(backend).setdefault("firebreak", Kept())
    return found


def place(response: Any) -> At:
    """Return where a request acts."""
    return At(response.current_account, response.region, response.partition)


def named(response: Any, *, message: str = "Stack [{}] does not exist") -> Stack:
    """Return the stack that a request speaks of. Raise ValidationError."""
    name = response._get_param("StackName")
    stack = kept(response).find(name)
    if stack is None:
        raise invalid(message.format(name))
    return stack


def is_true(response: Any, parameter: str) -> bool:
    """Say whether a request switches something on."""
    return str(response._get_param(parameter)).lower() == "true"


def asked(response: Any, stack: Stack | None) -> Wanted:
    """Return what a request wants a stack to be. Raise ValidationError."""
    before = stack.made_of if stack is not None else None
    if before is not None and is_true(response, "UsePreviousTemplate"):
        text = before.text
    else:
        url = response._get_param("TemplateURL")
        stored = response._get_stack_from_s3_url(url) if url else None
        text = body(response._get_param("TemplateBody"), stored)
    template = parse(text)
    previous = {} if before is None else before.settled
    given = response._get_param("Parameters", []) or []
    settled = settle(template.get("Parameters", {}), given, previous)
    check_capabilities(template, response._get_param("Capabilities", []) or [])
    tags = {each["Key"]: each["Value"] for each in response._get_param("Tags", []) or []}
    if not tags and before is not None:
        tags = dict(before.tags)
    return Wanted(text, template, settled, tags)


def permits_of(response: Any, stack: Stack, wanted: Wanted | None) -> Permits:
    """Return whose permissions an operation uses: the caller's, or those of the stack's role."""
    stack.role = response._get_param("RoleARN") or stack.role
    tags = (wanted or stack.made_of or Wanted("", {}, {})).tags
    return permits(stack.at, stack.role, tagged=bool(tags))


def new_stack(response: Any) -> Stack:
    """Return a stack under a name that is free. Raise AlreadyExistsException."""
    name = response._get_param("StackName")
    if not NAME.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    if kept(response).find(name) is not None:
        raise refused("AlreadyExistsException", f"Stack [{name}] already exists")
    return Stack(place(response), name)


def create_stack(response: Any) -> ActionResult:
    """Make a stack."""
    stack = new_stack(response)
    wanted = asked(response, None)
    stack.capabilities = response._get_param("Capabilities", []) or []
    stack.protected = is_true(response, "EnableTerminationProtection")
    on_failure = response._get_param("OnFailure") or "ROLLBACK"
    if is_true(response, "DisableRollback"):
        on_failure = "DO_NOTHING"
    here = kept(response)
    here.stacks[stack.id] = stack
    permitted = permits_of(response, stack, wanted)
    Run(stack, wanted, permitted, here.exports(stack)).apply(on_failure)
    if on_failure == "DELETE" and stack.status == "ROLLBACK_COMPLETE":
        _drop(here, stack, delete_all(stack, permitted, frozenset()))
    return ActionResult({"StackId": stack.id})


def updatable(stack: Stack) -> None:
    """Refuse to update a stack that cannot be."""
    if stack.status not in UPDATABLE:
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def update_stack(response: Any) -> ActionResult:
    """Change a stack."""
    stack = named(response)
    updatable(stack)
    wanted = asked(response, stack)
    exports = kept(response).exports(stack)
    check_update(stack, wanted, exports)
    stack.capabilities = response._get_param("Capabilities", []) or []
    Run(stack, wanted, permits_of(response, stack, wanted), exports).apply()
    return ActionResult({"StackId": stack.id})


def delete_stack(response: Any) -> ActionResult:
    """Delete a stack; one that is not there is deleted."""
    here = kept(response)
    stack = here.find(response._get_param("StackName"))
    if stack is None or stack.status == "DELETE_COMPLETE":
        return EmptyResult()
    if stack.protected:
        raise invalid(
            f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
        )
    retained = frozenset(response._get_param("RetainResources", []) or [])
    if retained and stack.status != "DELETE_FAILED":
        raise invalid(
            f"Invalid operation on stack [{stack.id}]. When you delete a stack, specify which "
            "resources to retain only when the stack is in the DELETE_FAILED state."
        )
    _refuse_imported(here, stack)
    _drop(here, stack, delete_all(stack, permits_of(response, stack, None), retained))
    return EmptyResult()


def _refuse_imported(here: Kept, stack: Stack) -> None:
    given = {each["ExportName"] for each in stack.outputs if "ExportName" in each}
    for other in here.stacks.values():
        text = other.made_of.text if other is not stack and other.made_of is not None else ""
        used = [name for name in given if name in text and "ImportValue" in text]
        if used:
            raise invalid(f"Export {used[0]} cannot be deleted as it is in use by {other.name}")


def _drop(here: Kept, stack: Stack, gone: bool) -> None:  # noqa: FBT001  # said by the caller's call
    if gone:
        here.deleted[stack.id] = here.stacks.pop(stack.id)
        for each in [key for key, value in here.change_sets.items() if value.stack is stack]:
            del here.change_sets[each]


def update_termination_protection(response: Any) -> ActionResult:
    """Protect a stack from deletion, or not any more."""
    stack = named(response)
    stack.protected = is_true(response, "EnableTerminationProtection")
    return ActionResult({"StackId": stack.id})


OPERATIONS: dict[str, Callable[[Any], ActionResult]] = {
    each.__name__: each
    for each in (
        create_stack,
        delete_stack,
        update_stack,
        update_termination_protection,
    )
}
