"""The decision on record, once; then handed to the machine that waits for it.

What dies between the two is finished by whoever decides again, and by the reconciliation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import clock
from chalicelib.deciding import asked as asking
from chalicelib.deciding.asked import Asked
from chalicelib.deciding.involved import refuse_involved
from chalicelib.deciding.people import Person, person
from chalicelib.effect import JSON
from chalicelib.errors import NotDecided
from chalicelib.lifecycle import head_of, move, resend, said_of
from chalicelib.log import note
from chalicelib.runner.calling import sort_error
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation, get_finding, get_remediation

IDENTITY = re.compile("[0-9a-f]{24}")


def decide(
    desk: Desk, identity: str, context: Mapping[str, Any], body: bytes, request: str
) -> dict[str, JSON]:
    """Approve or deny what waits; return what was decided, by whom, and where it stands.

    context: API Gateway's of the request. Raise NotDecided where the decision is not taken,
    Transient where that is only so now.
    """
    try:
        return _decided(desk, identity, context, body, request)
    except (BotoCoreError, ClientError) as error:
        raise sort_error(error) from error


def _decided(
    desk: Desk, identity: str, context: Mapping[str, Any], body: bytes, request: str
) -> dict[str, JSON]:
    who = person(desk, context)
    asked = asking.read(body)
    head = get_remediation(desk.tables, identity) if IDENTITY.fullmatch(identity) else None
    if head is None:
        raise NotDecided(404, "unknown", f"there is no remediation {identity:.40}")
    refuse_involved(desk, who, get_finding(desk.tables, head))
    if head.decision:
        _handed_on(desk, head)
    by = {"function": "decide", "request": request, **who.recorded}
    decision = _decision(desk, who, asked)

    def decided(now: Remediation) -> Remediation:
        _refuse(now, asked, desk.clock.seconds())
        phase = "apply" if asked.decision == "approved" else now.phase
        return replace(now, phase=phase, decision=decision)

    head = move(desk, identity, "decided", decided, by)
    return {"remediation": identity, **decision, "message": _handed_on(desk, head)}


def _decision(desk: Desk, who: Person, asked: Asked) -> dict[str, JSON]:
    return {
        "decision": asked.decision,
        "plan": asked.plan,
        "reason": asked.reason,
        "by": who.id,
        "principal": who.arn,
        "account": who.account,
        "at": desk.clock.now(),
    }


def _refuse(head: Remediation, asked: Asked, now: float) -> None:
    """Raise NotDecided where a remediation does not wait for this decision."""
    if head.decision:
        reason = f"remediation {head.id} is decided already: {said_of(head.decision)}"
        raise NotDecided(409, "decided_already", reason, head.decision)
    if head.phase != "wait" or head.undo.get("asked"):
        raise NotDecided(409, "not_waiting", f"remediation {head.id} waits for nobody: {_is(head)}")
    if not head.token:
        reason = f"remediation {head.id} is only about to ask: try again in a moment"
        raise NotDecided(409, "not_waiting", reason)
    if now > head.waits_until:
        until = clock.text(head.waits_until)
        reason = f"remediation {head.id} could be decided until {until}: nothing is applied"
        raise NotDecided(409, "expired", reason)
    if asked.plan != head.plan.get("hash"):
        reason = f"remediation {head.id} waits with another plan than {asked.plan:.12}…: look at it"
        raise NotDecided(409, "other_plan", reason)


def _is(head: Remediation) -> str:
    """Say where a remediation stands."""
    if head.undo.get("asked"):
        return "it is to be taken back"
    return f"it is {head.status}" if head.phase == "closed" else f"it is in its {head.phase} phase"


def _handed_on(desk: Desk, head: Remediation) -> str:
    """Hand a decision on; say what became of it."""
    try:
        if resend(desk, head):
            return "its state machine goes on"
    except (ClientError, BotoCoreError) as error:
        note("not_handed_on", f"{head.id}: {error}")
        return "on record; it is handed on by the next reconciliation, or by deciding again"
    return f"on record; its state machine waits no more: {_is(head_of(desk, head.id))}"
