"""The state machines, brought in line with the playbooks: a published version per change.

A machine of a playbook that is gone is deleted; executions under way end on their definition. It is
kept while remediations of the playbook are open, or stand and may have to be taken back: what takes
them back is a pass of that machine.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-version.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import published
from chalicelib.errors import Failed
from chalicelib.gone import is_code
from chalicelib.grants import RECORDS, STATE, Grant
from chalicelib.playbook import Playbook
from chalicelib.published import Published
from chalicelib.settings import function_name, machine_role
from chalicelib.store import listing
from firebreak.deploying import noting
from firebreak.deploying.run import KEEP, Deployment, Difference, Run
from firebreak.stage import definition_of

ORDER = 40
TAG = "firebreak:stage"
ABSENT = ("StateMachineDoesNotExist", "ResourceNotFound")
PATIENCE = 12  # times that a role which IAM does not show everywhere yet is tried
TAKEN = "it is not the stage's own; remove it, or tag it if it is"
WAIT = 5  # seconds between them
PERMISSIONS = (
    Grant(
        "PublishMachines",
        (
            "states:CreateStateMachine",
            "states:DeleteStateMachine",
            "states:DescribeStateMachine",
            "states:ListTagsForResource",
            "states:PublishStateMachineVersion",
            "states:TagResource",
            "states:UpdateStateMachine",
        ),
        ("arn:{partition}:states:{region}:{account}:stateMachine:firebreak-{stage}-*",),
    ),
    Grant("FindMachines", ("states:ListStateMachines",)),
    Grant(
        "FindExecutions",
        ("states:ListExecutions",),
        ("arn:{partition}:states:{region}:{account}:stateMachine:firebreak-{stage}-*",),
    ),
    Grant(
        "StopExecutions",
        ("states:StopExecution",),
        ("arn:{partition}:states:{region}:{account}:execution:firebreak-{stage}-*",),
    ),
    Grant(
        "PassRoleToMachines",
        ("iam:PassRole",),
        ("arn:{partition}:iam::{account}:role/firebreak-{stage}-machines",),
        {"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}},
    ),
    RECORDS,
    STATE,
)


def plan(run: Deployment) -> list[Difference]:
    """Return which machines would be made, changed, removed; or are kept though unused."""
    there = machines(run)
    _no_other(run, there)
    found = [each for name in run.playbooks for each in _compared(run, name, there)]
    return found + [_removal(run, name) for name in there if name not in run.playbooks]


def apply(run: Deployment) -> list[Difference]:
    """Bring the machines in line, each change with its record in the audit trail."""
    there = machines(run)
    _no_other(run, there)
    changed = [
        _brought(run, name, there, difference)
        for name in run.playbooks
        for difference in _compared(run, name, there)
    ]
    for name in sorted(set(there) - set(run.playbooks)):
        removal = _removal(run, name)
        if removal.changes:
            _delete(run, name, there[name])
        changed.append(removal)
    return changed


# --- comparing ------------------------------------------------------------------------------------


def machines(run: Run) -> dict[str, str]:
    """Return the ARNs of the stage's machines, by playbook: those that carry its tag."""
    client, prefix = run.client("stepfunctions"), f"{run.name}-"
    found = {
        str(each["name"]): str(each["stateMachineArn"])
        for page in client.get_paginator("list_state_machines").paginate()
        for each in page["stateMachines"]
        if each["name"].startswith(prefix)
    }
    return {name.removeprefix(prefix): arn for name, arn in found.items() if _ours(run, arn)}


def _ours(run: Run, arn: str) -> bool:
    """Say whether a machine is this stage's: `dev` and `dev-two` begin alike."""
    tags = run.client("stepfunctions").list_tags_for_resource(resourceArn=arn)["tags"]
    return {"key": TAG, "value": run.stage} in tags


def _no_other(run: Deployment, there: Mapping[str, str]) -> None:
    """Raise Failed where a machine has a playbook's name and lacks the tag.

    Creating one that is the same succeeds, and tags nothing: it would be created at each run.
    """
    for name in sorted(set(run.playbooks) - set(there)):
        arn = run.settings.state_machine_arn(name)
        if _exists(run, arn):
            raise Failed(f"{arn} lacks the tag {TAG} {run.stage}: {TAKEN}")


def _compared(run: Deployment, name: str, there: Mapping[str, str]) -> Iterator[Difference]:
    playbook, shown = run.playbooks[name], f"state machine {run.name}-{name}"
    version = f"playbook version {playbook.version}"
    if name not in there:
        yield Difference("create", shown, version)
        return
    now = run.client("stepfunctions").describe_state_machine(stateMachineArn=there[name])
    latest = published.newest(run.desk.tables, name)
    if json.loads(now["definition"]) != _definition(run, playbook) or now["roleArn"] != _role(run):
        before = latest.playbook_version if latest else "?"
        yield Difference("update", shown, f"{version}, was {before}")
    elif latest is None or latest.playbook_version != playbook.version or not _there(run, name):
        yield Difference("update", shown, f"{version} is not published")


def _there(run: Run, name: str) -> bool:
    """Say whether the version is there that executions are started on."""
    number = published.number(run.desk.tables, name)
    return _exists(run, published.arn(run.settings, name, number))


def _exists(run: Run, arn: str) -> bool:
    """Say whether a machine, or a version of one, is there."""
    try:
        run.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
    except ClientError as error:
        if is_code(error, *ABSENT):
            return False
        raise
    return True


def _definition(run: Deployment, playbook: Playbook) -> dict[str, Any]:
    name = function_name(run.stage, "run_step")
    return definition_of(playbook, run.arn("lambda", f"function:{name}"))


def _role(run: Run) -> str:
    return run.arn("iam", f"role/{machine_role(run.stage)}", region=False)


# --- changing -------------------------------------------------------------------------------------


def _brought(
    run: Deployment, name: str, there: Mapping[str, str], difference: Difference
) -> Difference:
    """Make, change or publish a machine; write down what is published now."""
    playbook, package = run.playbooks[name], run.package[:16]
    said = f"playbook {playbook.version}, package {package}"
    arn = _published(run, playbook, there.get(name, ""), said)
    number = int(arn.rpartition(":")[2])
    kind = "machine_created" if difference.kind == "create" else "machine_updated"
    now = Published(number, playbook.version, package, run.desk.clock.now())
    what = {"playbook": name, "machine": arn, **asdict(now)}
    noting.note(run, kind, what, [published.put(name, now)])
    return Difference(difference.kind, difference.name, f"{difference.what}, version {number}")


def _published(run: Deployment, playbook: Playbook, arn: str, said: str) -> str:
    """Return the ARN of the version that holds the playbook as it is now.

    A run that died after it changed the machine left it unpublished, or published and not written
    down: publishing one revision twice gives the same version.
    """
    client = run.client("stepfunctions")
    made: dict[str, Any] = {
        "definition": json.dumps(_definition(run, playbook), ensure_ascii=False),
        "roleArn": _role(run),
        "publish": True,
        "versionDescription": said,
    }
    if not arn:
        place = {"name": f"{run.name}-{playbook.name}", "type": "STANDARD"}
        tags = [{"key": TAG, "value": run.stage}]
        created = _once_assumed(
            run, lambda: client.create_state_machine(**place, **made, tags=tags)
        )
        return str(created["stateMachineVersionArn"])
    now = client.describe_state_machine(stateMachineArn=arn)
    if json.loads(now["definition"]) == _definition(run, playbook) and now["roleArn"] == _role(run):
        answer = client.publish_state_machine_version(stateMachineArn=arn, description=said)
        return str(answer["stateMachineVersionArn"])
    answer = _once_assumed(run, lambda: client.update_state_machine(stateMachineArn=arn, **made))
    return str(answer["stateMachineVersionArn"])


def _once_assumed(run: Run, call: Callable[[], Any]) -> Any:
    """Return what a call answers, once IAM shows everywhere that the role may be assumed."""
    for _ in range(PATIENCE):
        try:
            return call()
        except ClientError as error:
            if "authorized to assume" not in str(error.response["Error"].get("Message")):
                raise
        run.desk.clock.sleep(WAIT)
    return call()


# --- removing -------------------------------------------------------------------------------------


def _removal(run: Run, playbook: str) -> Difference:
    """Return the removal of a machine whose playbook is gone, or why it is kept."""
    name, used = f"state machine {run.name}-{playbook}", _used(run, playbook)
    if not used:
        return Difference("remove", name, "its playbook is gone")
    shown = ", ".join(used[:3]) + ("…" if len(used) > 3 else "")
    return Difference(KEEP, name, f"its playbook is gone; open or in place: {shown}")


def _used(run: Run, playbook: str) -> list[str]:
    """Return the remediations of a playbook that are open, or stand and may be taken back."""
    lists = (listing.OPEN, listing.STANDING)
    found = [each for name in lists for each in listing.entries(run.desk.tables, name)]
    return sorted({each.sk for each in found if each.data.get("playbook", playbook) == playbook})


def _delete(run: Run, playbook: str, arn: str) -> None:
    """Delete a machine; the record is written first, so that none goes without."""
    what: dict[str, Any] = {"playbook": playbook, "machine": arn}
    noting.note(run, "machine_removed", what, [published.drop(playbook)])
    run.client("stepfunctions").delete_state_machine(stateMachineArn=arn)


def standing(run: Run) -> list[Difference]:
    """Return the machines that are there."""
    return [Difference("remove", f"state machine {run.name}-{name}") for name in machines(run)]


def remove(run: Run) -> list[Difference]:
    """Delete every machine of the stage, once what still waits in it is stopped.

    A machine of which something runs would stay for as long as that, and keep its name taken.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
    """
    there = machines(run)
    for name, arn in there.items():
        _stop(run, arn)
        _delete(run, name, arn)
    return [Difference("remove", f"state machine {run.name}-{name}") for name in there]


def _stop(run: Run, arn: str) -> None:
    """Stop what runs of a machine; `on_execution_ended`, which goes after it, closes it."""
    client = run.client("stepfunctions")
    pages = client.get_paginator("list_executions").paginate(
        stateMachineArn=arn, statusFilter="RUNNING"
    )
    for each in [execution for page in pages for execution in page["executions"]]:
        client.stop_execution(
            executionArn=each["executionArn"],
            error="StageDestroyed",
            cause=f"{run.by} destroys the stage",
        )
