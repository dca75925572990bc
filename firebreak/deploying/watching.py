"""CloudFormation stacks as they stand: waited for, and told apart by what can be done with them.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.errors import Failed
from chalicelib.text import one_line
from firebreak.deploying.run import Run

POLL = 5  # seconds between two looks
TELL = 6  # looks between two lines about it
PATIENCE = 720  # looks: an hour
ABSENT = ("", "REVIEW_IN_PROGRESS", "DELETE_COMPLETE")  # the second: a change set and no stack
DEAD = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
GONE = ("DELETE_COMPLETE", "DELETE_SKIPPED", "CREATE_FAILED")  # not the stack's to delete
GONE_ON = "; mend what it says, then run the same command again: it goes on from there"


@dataclass(frozen=True, slots=True)
class Found:
    """Hold a stack as CloudFormation describes it; status "" where there is none."""

    name: str
    status: str = ""
    parameters: Mapping[str, str] | None = None
    protected: bool = False

    @property
    def exists(self) -> bool:
        """Say whether there is a stack that can be updated."""
        return self.status not in (*ABSENT, *DEAD)

    @property
    def dead(self) -> bool:
        """Say whether it is one that can only be deleted."""
        return self.status in DEAD


def describe(run: Run, name: str) -> Found:
    """Return a stack as it is now."""
    try:
        answer = run.client("cloudformation").describe_stacks(StackName=name)
    except ClientError as error:
        if "does not exist" in str(error.response["Error"].get("Message")):
            return Found(name)
        raise
    (stack,) = answer["Stacks"]
    given = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", ())}
    protected = bool(stack.get("EnableTerminationProtection"))
    return Found(name, str(stack["StackStatus"]), given, protected)


def settled(run: Run, name: str) -> Found:
    """Return a stack once nobody changes it. Raise Failed where a person has to act first."""
    found = _watched(run, name, lambda status: not _moves(status))
    if _moves(found.status):
        raise Failed(f"stack {name} is {found.status} for an hour: look at it in the console")
    if found.status == "UPDATE_ROLLBACK_FAILED":
        raise Failed(
            f"stack {name} is {found.status}: {reasons(run, name)}; mend that, then run `aws "
            f"cloudformation continue-update-rollback --stack-name {name}`, and this again"
        )
    return found


def deleted(run: Run, name: str) -> Found:
    """Return a stack that is deleted, once it is gone or cannot go."""
    over = ("", "DELETE_COMPLETE", "DELETE_FAILED")
    return _watched(run, name, over.__contains__, quiet=TELL)


def _watched(run: Run, name: str, over: Callable[[str], bool], quiet: int = 0) -> Found:
    """Return a stack once its status is over, or after an hour. quiet: looks before it is told."""
    found = describe(run, name)
    for look in range(PATIENCE):
        if over(found.status):
            break
        if look >= quiet and look % TELL == 0:
            run.say(f"  stack {name}: {found.status}, waiting")
        run.desk.clock.sleep(POLL)
        found = describe(run, name)
    return found


def _moves(status: str) -> bool:
    return status.endswith("_IN_PROGRESS") and status not in ABSENT


def reasons(run: Run, name: str) -> str:
    """Return what the resources say that failed in the stack's last operation, first to last."""
    failed = [
        f"{each['LogicalResourceId']} ({each['ResourceType']}): {_reason(each)}"
        for each in _last_operation(run, name)
        if each["ResourceStatus"].endswith("_FAILED") and "cancelled" not in _reason(each)
    ]
    said = [one_line(each, 600) for each in reversed(failed)]
    return "; ".join(said[:5]) or "CloudFormation does not say why"


def _last_operation(run: Run, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the events of the last operation, newest first."""
    pages = run.client("cloudformation").get_paginator("describe_stack_events")
    for page in pages.paginate(StackName=name):
        for event in page["StackEvents"]:
            yield event
            whole = event["ResourceType"] == "AWS::CloudFormation::Stack"
            if whole and event["LogicalResourceId"] == name and _reason(event) == "User Initiated":
                return


def _reason(event: Mapping[str, Any]) -> str:
    return str(event.get("ResourceStatusReason", ""))


def check(run: Run, found: Found, verb: str) -> None:
    """Raise Failed where an operation did not end as it should, with the resources' own reasons."""
    if found.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        return
    why = reasons(run, found.name)
    taken = "already exists" in why or "AlreadyExists" in why or "already owned" in why
    hint = "; a name is taken: remove what has it, or give the stage another name" if taken else ""
    raise Failed(f"stack {found.name} was not {verb} ({found.status}): {why}{hint}{GONE_ON}")


def left(run: Run, name: str) -> list[str]:
    """Return the resources that a stack still holds."""
    pages = run.client("cloudformation").get_paginator("list_stack_resources")
    return [
        str(each["LogicalResourceId"])
        for page in pages.paginate(StackName=name)
        for each in page["StackResourceSummaries"]
        if each["ResourceStatus"] not in GONE
    ]
