"""How a roll-back begins: of what is closed, or waits under the kill switch; one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import gates, halting, published
from chalicelib.effect import JSON
from chalicelib.errors import Failed
from chalicelib.gone import is_code
from chalicelib.lifecycle.heads import head_of, move
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation, effects, listing
from chalicelib.table import Operation

TOLD = ("by", "step", "keep", "force")
NOT_CLOSED = {
    "plan": "is being planned: it changed nothing that could be taken back",
    "wait": "waits for approval: deny it instead; it can be rolled back once it is closed",
    "apply": "is running: it can be rolled back once it is closed, or while it waits because the "
    "kill switch is on (firebreak halt)",
}


def start_undo(desk: Desk, identity: str, told: Mapping[str, JSON]) -> str:
    """Begin to take a remediation back; return the ARN of the execution that does.

    told: `by` whom, `step`, `keep` and `force`; `unattended` where no person asked for it: such a
    roll-back waits under the kill switch and leaves the gate ajar. What is closed gets an execution
    of its own; what waits under the kill switch stops, and its own execution goes on to the undo
    pass. Told the same again, what died before it began is begun. Raise Failed where the
    remediation is under way, or being taken back by another.
    """
    head = head_of(desk, identity)
    if head.phase == "apply" and _waits(desk, head):
        return _stopped(desk, head, told)
    if head.phase == "undo" and (status := execution_status(desk, head)) in ("", "RUNNING"):
        return _gone_on(desk, head, told, status)
    if head.phase not in ("closed", "undo"):
        raise Failed(f"remediation {identity} {NOT_CLOSED[head.phase]}")
    if not effects(desk.tables, identity):
        raise Failed(f"remediation {identity} ({head.status}) changed nothing to take back")
    return start_execution(desk, _begun(desk, head, told))


def _begun(desk: Desk, head: Remediation, told: Mapping[str, JSON]) -> Remediation:
    """Move what is closed, or what an undo pass left open that ended, to its next undo pass."""
    number = int(head.undo.get("number", 0)) + 1
    undo = _told(desk, head, told) | {"execution": f"{head.id}-undo-{number}"}

    def begun(now: Remediation) -> Remediation:
        if now.phase != head.phase or now.undo.get("number") != head.undo.get("number"):
            raise Failed(_under_way(now))
        return replace(now, phase="undo", undo=undo)

    def more(now: Remediation) -> list[Operation]:
        released = [] if told.get("unattended") else gates.taking_back(desk, now)
        return [listing.put(listing.OPEN, now.id), *released]

    return move(desk, head.id, "undo_begun", begun, _who(told), more)


def _told(desk: Desk, head: Remediation, told: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return what a roll-back is told, with the version of the machine that an execution gets."""
    number, at = int(head.undo.get("number", 0)) + 1, desk.clock.now()
    version = published.number(desk.tables, str(head.playbook["name"]))
    runs = {"machine_version": version} if version else {}
    return {**told, "results": [], "number": number, "at": at, **runs}


def _who(told: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"function" if told.get("unattended") else "principal": told.get("by", "")}


def start_execution(desk: Desk, head: Remediation) -> str:
    """Start the execution of a remediation's undo pass, which is one however often it is started.

    Return its ARN. Raise Failed where its playbook's machine is gone.
    """
    name = str(head.playbook["name"])
    given, version = {"remediation": head.id, "pass": "undo"}, head.undo.get("machine_version", 0)
    try:
        return published.start(desk, name, version, _execution(head), given)[0]
    except ClientError as error:
        if not is_code(error, "StateMachineDoesNotExist"):
            raise
        gone = f"the state machine of playbook {name} is gone: deploy the playbook again"
        raise Failed(f"remediation {head.id} cannot be taken back: {gone}") from error


def take_up(desk: Desk, identity: str, by: Mapping[str, JSON]) -> bool:
    """Begin what a person asked for while the steps waited, whose execution has ended.

    Return whether there was anything to begin.
    """
    head = head_of(desk, identity)
    if head.phase != "apply" or not head.undo.get("asked"):
        return False
    told = {name: value for name, value in head.undo.items() if name != "asked"}
    undo = {**told, "execution": f"{head.id}-undo-{head.undo.get('number', 1)}"}

    def begun(now: Remediation) -> Remediation:
        if now.phase != "apply":
            raise Failed(_under_way(now))
        return replace(now, phase="undo", undo=undo)

    start_execution(desk, move(desk, identity, "undo_begun", begun, by))
    return True


# --- what is being taken back ---------------------------------------------------------------------


def execution_status(desk: Desk, head: Remediation) -> str:
    """Return the status of the execution that takes a remediation back; "" where there is none."""
    try:
        found = desk.access.home("stepfunctions").describe_execution(executionArn=_arn(desk, head))
    except ClientError as error:
        if not is_code(error, "ExecutionDoesNotExist"):
            raise
        return ""
    return str(found["status"])


def concerns(desk: Desk, identity: str, execution: str) -> bool:
    """Say whether an execution may close a remediation: not where another takes it back since."""
    head = head_of(desk, identity)
    return head.phase != "undo" or head.undo.get("execution", execution) == execution


def _execution(head: Remediation) -> str:
    """Return the name of the execution that takes a remediation back, or is to."""
    return str(head.undo.get("execution", head.id))


def _arn(desk: Desk, head: Remediation) -> str:
    machine = desk.settings.state_machine_arn(str(head.playbook["name"]))
    return f"{machine.replace(':stateMachine:', ':execution:')}:{_execution(head)}"


def _gone_on(desk: Desk, head: Remediation, told: Mapping[str, JSON], status: str) -> str:
    """Let an undo pass under way go on that is ours, or that no person asked for and waits."""
    if not status:
        start_execution(desk, head)
    if _same(head.undo, told) and not status:
        return _arn(desk, head)
    if not head.undo.get("unattended") or told.get("unattended") or not _waits(desk, head):
        raise Failed(_under_way(head))
    taken_over = {**head.undo, "unattended": False, **told}

    def taken(now: Remediation) -> Remediation:
        if now.phase != "undo" or not now.undo.get("unattended"):
            raise Failed(_under_way(now))
        return replace(now, undo=taken_over)

    move(desk, head.id, "undo_taken_over", taken, _who(told))
    halting.wake_one(desk, head.id, _who(told))
    return _arn(desk, head)


def _same(undo: Mapping[str, Any], told: Mapping[str, JSON]) -> bool:
    """Say whether a roll-back is the one that is asked for."""
    return all(undo.get(name) == told.get(name) for name in TOLD)


def _under_way(head: Remediation) -> str:
    if head.phase not in ("undo", "apply"):
        return f"remediation {head.id} is {head.phase} now: look again"
    since, by = head.undo.get("at", "?"), head.undo.get("by") or "?"
    return f"remediation {head.id} is being taken back already, since {since} by {by}"


# --- what waits under the kill switch -------------------------------------------------------------


def _waits(desk: Desk, head: Remediation) -> bool:
    """Say whether a remediation waits under the kill switch."""
    waits = halting.is_halted(desk) and halting.waiting(desk.tables, head.id)
    return bool(waits or head.undo.get("asked"))


def _stopped(desk: Desk, head: Remediation, told: Mapping[str, JSON]) -> str:
    """Let a remediation that waits go on to its undo pass: no step of it is begun from now on."""
    undo = _told(desk, head, told) | {"asked": True, "execution": head.id}

    def asked(now: Remediation) -> Remediation | None:
        if now.phase != "apply":
            raise Failed(_under_way(now))
        if now.undo.get("asked"):
            return None
        return replace(now, undo=undo)

    now = move(desk, head.id, "undo_asked", asked, _who(told))
    halting.wake_one(desk, head.id, _who(told))
    if not _same(now.undo, told):
        raise Failed(_under_way(now))
    return _arn(desk, now)
