"""Between the passes: the plan sealed, a person asked, a step parked."""

from __future__ import annotations

from dataclasses import replace

from chalicelib import halting, telling, tokens
from chalicelib.audit import Entry
from chalicelib.errors import Busy, Failed, StepFailed
from chalicelib.halting import Switch
from chalicelib.lifecycle.answering import answered, resend
from chalicelib.lifecycle.heads import RACES, head_of, move
from chalicelib.runner.comparing import rows_of
from chalicelib.runner.planning import plan_hash
from chalicelib.runner.stepping import playbook_of, who
from chalicelib.runner.work import Desk
from chalicelib.store import (
    HALT,
    Remediation,
    StepResult,
    load,
    partition,
    pass_name,
    results,
)
from chalicelib.table import SAME_VERSION, Check

FOLLOWING = {"observe": "close", "approve": "ask", "enforce": "apply"}
PHASES = {"close": "plan", "ask": "wait", "apply": "apply"}


def seal(desk: Desk, identity: str, owner: str) -> str:
    """Close the plan pass: hash what was planned; return `close`, `ask` or `apply`."""
    head = head_of(desk, identity)
    plan = {"hash": planned(desk, head)[1], "made_at": desk.clock.now()}
    following = FOLLOWING.get(head.mode, "close")  # a mode nobody knows applies nothing

    def sealed(current: Remediation) -> Remediation | None:
        if current.phase != "plan" or current.plan or current.plans != head.plans:
            return None
        return replace(current, plan=plan, phase=PHASES[following])

    move(desk, identity, "plan_sealed", sealed, who(head, owner))
    return following


def planned(desk: Desk, head: Remediation) -> tuple[list[StepResult], str]:
    """Return how each step of a remediation's plan was planned, and the hash of it all."""
    found = results(desk.tables, head.id, pass_name(head, "plan"))
    rows = sorted([f"{each.step}#{each.index}", rows_of(each)] for each in found)
    return found, plan_hash(rows)


def ask(desk: Desk, identity: str, token: str, owner: str) -> None:
    """Keep the task token that a person's decision will be sent with, and tell that it is due.

    A question that was decided before its asking had ended is not asked again: the decision is
    handed on with the new token, for the old one is dead. Raise Failed where the remediation does
    not wait for a decision, Busy where it was asked meanwhile: only the last token is alive.
    """
    head = head_of(desk, identity)
    if head.phase != "wait" and not answered(head):
        raise Failed(f"remediation {identity} is in its {head.phase} phase: there is no question")
    within = playbook_of(head).guardrails.approve_within
    until = int(desk.clock.seconds()) + within

    def asked(now: Remediation) -> Remediation | None:
        if now.token == token or now.phase not in (head.phase, "apply"):
            return None
        if now.token != head.token:
            raise Busy(f"remediation {identity} was asked about meanwhile")
        return replace(now, token=token, waits_until=now.waits_until if answered(now) else until)

    if not answered(head):
        telling.ask(desk, head, within)
    resend(desk, move(desk, identity, "approval_asked", asked, who(head, owner)))


def park(desk: Desk, identity: str, step: str, index: int, token: str, owner: str) -> None:
    """Keep the task token of a step that waits beside itself, for whoever wakes it.

    step: "" for the undo pass. The kill switch is read again once the token is listed: whoever
    turns it off reads the list afterwards, so that one of the two sees the other. Raise StepFailed
    where a person takes the remediation back meanwhile.
    """
    for _ in range(RACES):
        head, switch = _here(desk, identity)
        if head.undo.get("asked"):
            raise StepFailed(f"{identity} is to be taken back: no step of it waits")
        if not switch.halted:
            tokens.succeed(desk, token)
            return
        same = Check(partition(identity), "META", SAME_VERSION, {"version": head.version})
        entry = Entry(identity, "parked", who(head, owner), {"step": step, "index": index})
        if halting.keep(desk, entry, token, same):
            if not halting.is_halted(desk):
                halting.wake_one(desk, identity, who(head, owner))
            return
    raise Busy(f"remediation {identity} is being changed by others")


def _here(desk: Desk, identity: str) -> tuple[Remediation, Switch]:
    """Return a remediation's head and the kill switch, in one read."""
    meta, switch = desk.tables.get((partition(identity), "META"), HALT)
    if meta is None:
        raise Failed(f"there is no remediation {identity}")
    return load(Remediation, meta), halting.read(switch)
