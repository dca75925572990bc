"""The operations of CloudFormation's API on change sets.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult, EmptyResult

from firebreak.cloud.stacks.changes import NOTHING, differences
from firebreak.cloud.stacks.errors import invalid, refused
from firebreak.cloud.stacks.operations import (
    NAME,
    asked,
    kept,
    named,
    new_stack,
    permits_of,
    updatable,
)
from firebreak.cloud.stacks.run import Run
from firebreak.cloud.stacks.stack import Stack, Wanted


@dataclass(slots=True)
class ChangeSet:
    """What was submitted for a stack, and what it would change."""

    name: str
    kind: str
    stack: Stack
    wanted: Wanted
    changes: list[dict[str, Any]]
    reason: str
    description: str | None
    capabilities: list[str]
    id: str = ""
    execution: str = "AVAILABLE"
    created: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    def __post_init__(self) -> None:
        place = self.stack.id.rsplit(":", 1)[0]
        self.id = f"{place}:changeSet/{self.name}/{uuid.uuid4()}"
        self.execution = "UNAVAILABLE" if self.reason else "AVAILABLE"

    @property
    def status(self) -> str:
        """Whether it could be made."""
        return "FAILED" if self.reason else "CREATE_COMPLETE"

    def summary(self) -> dict[str, Any]:
        """Return it as it is listed."""
        told = {
            "ChangeSetId": self.id,
            "ChangeSetName": self.name,
            "CreationTime": self.created,
            "Description": self.description,
            "ExecutionStatus": self.execution,
            "StackId": self.stack.id,
            "StackName": self.stack.name,
            "Status": self.status,
            "StatusReason": self.reason or None,
        }
        return {key: value for key, value in told.items() if value is not None}


def create_change_set(response: Any) -> ActionResult:
    """Work out what a template would change."""
    here, kind = kept(response), response._get_param("ChangeSetType") or "UPDATE"
    name = response._get_param("ChangeSetName")
    if not NAME.fullmatch(name):
        raise invalid(f"Invalid change set name: {name}")
    existing = here.find(response._get_param("StackName"))
    in_review = existing is not None and existing.status == "REVIEW_IN_PROGRESS"
    if kind == "CREATE":
        stack = existing if in_review and existing is not None else new_stack(response)
    else:
        stack = named(response)
        updatable(stack)
    wanted = asked(response, stack)
    if _find(here, stack, name) is not None:
        raise refused("AlreadyExistsException", f"ChangeSet {name} already exists")
    found = differences(stack, wanted, here.exports(stack))
    change_set = ChangeSet(
        name,
        kind,
        stack,
        wanted,
        found.changes,
        "" if found else NOTHING,
        response._get_param("Description"),
        response._get_param("Capabilities", []) or [],
    )
    if stack.id not in here.stacks:
        here.stacks[stack.id] = stack
        stack.become("REVIEW_IN_PROGRESS", "User Initiated")
    here.change_sets[change_set.id] = change_set
    stack.role = response._get_param("RoleARN") or stack.role
    return ActionResult({"Id": change_set.id, "StackId": stack.id})


def _find(here: Any, stack: Stack, name: str) -> ChangeSet | None:
    for each in here.change_sets.values():
        if each.stack is stack and each.name == name:
            found: ChangeSet = each
            return found
    return None


def _asked_for(response: Any) -> ChangeSet:
    """Return the change set of a request: by its ARN, or by its name and its stack's."""
    here, name = kept(response), response._get_param("ChangeSetName")
    found = here.change_sets.get(name)
    if found is None and response._get_param("StackName"):
        found = _find(here, named(response), name)
    if found is None:
        raise refused("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")
    change_set: ChangeSet = found
    return change_set


def describe_change_set(response: Any) -> ActionResult:
    """Describe a change set and its changes."""
    found = _asked_for(response)
    return ActionResult(
        {
            **found.summary(),
            "Capabilities": found.capabilities,
            "Changes": [{"Type": "Resource", "ResourceChange": each} for each in found.changes],
            "Parameters": found.wanted.parameters(),
            "Tags": [{"Key": key, "Value": value} for key, value in found.wanted.tags.items()],
        }
    )


def execute_change_set(response: Any) -> ActionResult:
    """Do what a change set says. The others of its stack are void with it."""
    here, found = kept(response), _asked_for(response)
    if found.execution != "AVAILABLE":
        raise refused(
            "InvalidChangeSetStatus",
            f"ChangeSet [{found.id}] cannot be executed in its current status of [{found.status}]",
        )
    stack = found.stack
    if found.kind == "UPDATE":
        updatable(stack)
    stack.change_set, stack.capabilities = found.id, found.capabilities
    permitted = permits_of(response, stack, found.wanted)
    for each in [k for k, v in here.change_sets.items() if v.stack is stack and v is not found]:
        del here.change_sets[each]
    Run(stack, found.wanted, permitted, here.exports(stack)).apply()
    whole = stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    found.execution = "EXECUTE_COMPLETE" if whole else "EXECUTE_FAILED"
    return EmptyResult()


def delete_change_set(response: Any) -> ActionResult:
    """Delete a change set; one that is not there is deleted."""
    here, name = kept(response), response._get_param("ChangeSetName")
    found = here.change_sets.get(name)
    if found is None and response._get_param("StackName"):
        found = _find(here, named(response), name)
    if found is not None:
        del here.change_sets[found.id]
    return EmptyResult()


def list_change_sets(response: Any) -> ActionResult:
    """List the change sets of a stack."""
    stack = named(response)
    found = [each for each in kept(response).change_sets.values() if each.stack is stack]
    return ActionResult({"Summaries": [each.summary() for each in found]})


OPERATIONS: dict[str, Callable[[Any], ActionResult]] = {
    each.__name__: each
    for each in (
        create_change_set,
        delete_change_set,
        describe_change_set,
        execute_change_set,
        list_change_sets,
    )
}
