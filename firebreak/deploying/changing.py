"""CloudFormation change sets: made, read, carried out or thrown away.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.errors import Failed
from chalicelib.gone import is_code
from firebreak.deploying.run import Difference, Run
from firebreak.deploying.watching import PATIENCE, POLL, TELL, Found

INLINE = 51_200  # bytes of a template that a call takes; a longer one lies in the state bucket
KINDS = {"Add": "create", "Modify": "update", "Remove": "remove", "Import": "create"}
NOTHING = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Hold a change set that was made: its stack, its name, and what it would change."""

    stack: str
    name: str
    differences: tuple[Difference, ...]


def make(
    run: Run, found: Found, template: Mapping[str, Any], parameters: list[dict[str, Any]]
) -> ChangeSet | None:
    """Make a change set; return None where it would change nothing, and is gone again."""
    client, name = run.client("cloudformation"), f"firebreak-{int(run.desk.clock.seconds() * 1000)}"
    client.create_change_set(
        StackName=found.name,
        ChangeSetName=name,
        ChangeSetType="UPDATE" if found.exists else "CREATE",
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=parameters,
        **_template(run, found.name, template),
    )
    described = _made(run, found.name, name)
    if described["Status"] == "FAILED":
        why = str(described.get("StatusReason", ""))
        discard(run, ChangeSet(found.name, name, ()))
        if any(each in why for each in NOTHING):
            return None
        raise Failed(f"stack {found.name}: CloudFormation does not take the change: {why}")
    return ChangeSet(found.name, name, tuple(_differences(run, found.name, name)))


def _template(run: Run, stack: str, template: Mapping[str, Any]) -> dict[str, str]:
    text = json.dumps(template, separators=(",", ":"))
    if len(text.encode()) <= INLINE:
        return {"TemplateBody": text}
    bucket = run.settings.state_bucket
    key = f"templates/{stack}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    run.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())
    host = f"{bucket}.s3.{run.settings.region}.{run.settings.dns_suffix}"
    return {"TemplateURL": f"https://{host}/{key}"}


def _made(run: Run, stack: str, name: str) -> Mapping[str, Any]:
    client = run.client("cloudformation")
    for _ in range(PATIENCE):
        described: Mapping[str, Any] = client.describe_change_set(
            StackName=stack, ChangeSetName=name
        )
        if described["Status"] in ("CREATE_COMPLETE", "FAILED"):
            return described
        run.desk.clock.sleep(POLL)
    raise Failed(f"stack {stack}: change set {name} is not made after an hour")


def _differences(run: Run, stack: str, name: str) -> Iterator[Difference]:
    pages = run.client("cloudformation").get_paginator("describe_change_set")
    for page in pages.paginate(StackName=stack, ChangeSetName=name):
        for each in page["Changes"]:
            change = each["ResourceChange"]
            kind = KINDS.get(str(change["Action"]), "update")
            what = f"{change['ResourceType']} {change['LogicalResourceId']}"
            replaced = change.get("Replacement") in ("True", "Conditional")
            yield Difference(kind, what, "is replaced" if replaced else "")


def discard(run: Run, made: ChangeSet) -> None:
    """Delete a change set that is not carried out."""
    client = run.client("cloudformation")
    client.delete_change_set(StackName=made.stack, ChangeSetName=made.name)


def execute(run: Run, made: ChangeSet) -> None:
    """Carry a change set out, and wait until that is over: a stack may not move at once."""
    client = run.client("cloudformation")
    client.execute_change_set(StackName=made.stack, ChangeSetName=made.name)
    for look in range(PATIENCE):
        if not _goes_on(run, made):
            return
        if look % TELL == 0:
            run.say(f"  stack {made.stack} is being changed")
        run.desk.clock.sleep(POLL)


def _goes_on(run: Run, made: ChangeSet) -> bool:
    client = run.client("cloudformation")
    try:
        described = client.describe_change_set(StackName=made.stack, ChangeSetName=made.name)
    except ClientError as error:
        if is_code(error, "ChangeSetNotFound", "ChangeSetNotFoundException"):
            return False
        raise
    return described["ExecutionStatus"] in ("AVAILABLE", "EXECUTE_IN_PROGRESS")


@contextmanager
def looked_at(
    run: Run, found: Found, template: Mapping[str, Any], parameters: list[dict[str, Any]]
) -> Iterator[tuple[Difference, ...]]:
    """Give what a change would come to; the change set is gone afterwards."""
    made = make(run, found, template, parameters)
    try:
        yield made.differences if made else ()
    finally:
        if made:
            discard(run, made)
