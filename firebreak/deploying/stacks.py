"""One stack of a stage: compared with its template, changed through a change set, deleted.

A stack in ROLLBACK_COMPLETE was never made; CloudFormation can only delete it. One that holds
nothing is deleted without a question; one that still holds something only with
--replace-failed-stack, since what it holds would go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.errors import Failed, InvalidSettings
from chalicelib.gone import is_code
from chalicelib.grants import Grant
from firebreak.deploying import changing, watching
from firebreak.deploying.run import Difference, Run
from firebreak.deploying.watching import Found

UNKNOWN = ("AccessDeniedException", "AWSOrganizationsNotInUseException")
STACK = "arn:{{partition}}:cloudformation:{{region}}:{{account}}:stack/firebreak-{{stage}}-{}/*"


def permissions(name: str) -> tuple[Grant, ...]:
    """Return what the calls about one stack need; what is in it, its handlers need besides."""
    calls = (
        "CreateChangeSet",
        "DeleteChangeSet",
        "DeleteStack",
        "DescribeChangeSet",
        "DescribeStackEvents",
        "DescribeStacks",
        "ExecuteChangeSet",
        "GetTemplate",
        "ListStackResources",
        "UpdateTerminationProtection",
    )
    actions = tuple(f"cloudformation:{call}" for call in calls)
    return (
        Grant("ChangeStacks", actions, (STACK.format(name),)),
        Grant("FindTheOrganization", ("organizations:DescribeOrganization",)),
    )


@dataclass(frozen=True, slots=True)
class Stack:
    """Hold a stack as it should be. protected: nobody deletes it by accident."""

    name: str
    template: Mapping[str, Any]
    protected: bool = False


def plan(run: Run, stack: Stack) -> list[Difference]:
    """Return what would be changed; resource by resource where the run only looks."""
    found = watching.settled(run, stack.name)
    if not found.exists:
        count = f"{len(stack.template['Resources'])} resources"
        instead = f", in place of the one that is {found.status}" if found.dead else ""
        return [Difference("create", f"stack {stack.name}", count + instead)]
    given = _given(run, stack, found)
    if _same(run, stack, found, given):
        return _unprotected(stack, found)
    if not run.options.looks:
        return [Difference("update", f"stack {stack.name}")]
    parameters = _parameters(stack, found, given)
    with changing.looked_at(run, found, stack.template, parameters) as differences:
        return [*differences, *_unprotected(stack, found)]


def apply(run: Run, stack: Stack) -> list[Difference]:
    """Bring a stack in line with its template; return what was changed."""
    found = watching.settled(run, stack.name)
    if found.dead:
        _clear(run, found)
        found = Found(stack.name)
    given = _given(run, stack, found)
    changed: list[Difference] = []
    if not (found.exists and _same(run, stack, found, given)):
        changed += _changed(run, stack, found, given)
    protected = _protected(run, stack)
    return changed + (protected if found.exists else [])


def standing(run: Run, name: str) -> list[Difference]:
    """Return a stack that would be deleted, where there is one."""
    found = watching.describe(run, name)
    return [Difference("remove", f"stack {name}")] if found.exists or found.dead else []


def remove(run: Run, name: str) -> list[Difference]:
    """Delete a stack, and wait until it is gone. What it cannot delete is left behind and named."""
    found = watching.settled(run, name)
    if found.status in ("", "DELETE_COMPLETE"):
        return []
    client = run.client("cloudformation")
    client.delete_stack(StackName=name)
    found = watching.deleted(run, name)
    kept = watching.left(run, name) if found.status == "DELETE_FAILED" else []
    if found.status not in ("", "DELETE_COMPLETE"):
        why = watching.reasons(run, name)
        raise Failed(f"stack {name} was not deleted: {', '.join(kept)}: {why}{watching.GONE_ON}")
    return [Difference("remove", f"stack {name}")]


# --- comparing ------------------------------------------------------------------------------------


def _given(run: Run, stack: Stack, found: Found) -> dict[str, str]:
    """Return the parameters that are given, or found out: only those that the template has."""
    options, known = run.options, stack.template.get("Parameters", {})
    given = {
        "NotifyEmail": options.email,
        "OrganizationId": options.organization,
        "AuditYears": str(options.audit_years or ""),
    }
    current = found.parameters or {}
    before = int(current.get("AuditYears", 0))
    if "AuditYears" in known and 0 < options.audit_years < before:
        raise InvalidSettings(
            f"--audit-years {options.audit_years}: the audit trail is locked for {before} years, "
            "and what is written from now on would be for less: leave it out, or raise it"
        )
    if "OrganizationId" in known and not options.organization and not current.get("OrganizationId"):
        given["OrganizationId"] = organization(run)
    return {name: value for name, value in given.items() if value and name in known}


def organization(run: Run) -> str:
    """Return the id of the account's organisation, "" where there is none or it is not shown."""
    try:
        found = run.client("organizations").describe_organization()
    except ClientError as error:
        if is_code(error, *UNKNOWN):
            return ""
        raise
    return str(found["Organization"]["Id"])


def _same(run: Run, stack: Stack, found: Found, given: Mapping[str, str]) -> bool:
    current = found.parameters or {}
    if any(current.get(name) != value for name, value in given.items()):
        return False
    answer = run.client("cloudformation").get_template(StackName=stack.name)
    body = answer["TemplateBody"]
    return bool((json.loads(body) if isinstance(body, str) else body) == stack.template)


def _parameters(stack: Stack, found: Found, given: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return parameters for a change set: those given, else those in use, else the defaults."""
    current, said = found.parameters or {}, []
    for name, declared in stack.template.get("Parameters", {}).items():
        if name in given:
            said.append({"ParameterKey": name, "ParameterValue": given[name]})
        elif name in current:
            said.append({"ParameterKey": name, "UsePreviousValue": True})
        elif "Default" not in declared:
            raise InvalidSettings(f"stack {stack.name} needs {name}: {declared['Description']}")
    return said


# --- changing -------------------------------------------------------------------------------------


def _changed(run: Run, stack: Stack, found: Found, given: Mapping[str, str]) -> list[Difference]:
    made = changing.make(run, found, stack.template, _parameters(stack, found, given))
    if made is None:
        return []
    changing.execute(run, made)
    verb = "updated" if found.exists else "created"
    watching.check(run, watching.settled(run, stack.name), verb)
    if found.exists:
        return list(made.differences)
    return [Difference("create", f"stack {stack.name}", f"{len(made.differences)} resources")]


def _unprotected(stack: Stack, found: Found) -> list[Difference]:
    if not stack.protected or found.protected:
        return []
    return [Difference("update", f"stack {stack.name}", "termination protection on")]


def _protected(run: Run, stack: Stack) -> list[Difference]:
    """Protect a stack that must not be deleted by accident."""
    missing = _unprotected(stack, watching.describe(run, stack.name)) if stack.protected else []
    if missing:
        protect(run, stack.name, on=True)
    return missing


def protect(run: Run, name: str, *, on: bool) -> None:
    """Turn a stack's termination protection on or off."""
    client = run.client("cloudformation")
    client.update_termination_protection(StackName=name, EnableTerminationProtection=on)


def _clear(run: Run, found: Found) -> None:
    """Delete a stack that was never made. Raise Failed where that needs a person's word."""
    held = watching.left(run, found.name)
    if held and not run.options.replace_failed_stack:
        raise Failed(
            f"stack {found.name} is {found.status}, and still holds {', '.join(held[:10])}: look "
            "at them, then give --replace-failed-stack to delete it and make it anew"
        )
    run.say(f"  stack {found.name} is {found.status}: deleting it, to make it anew")
    remove(run, found.name)
