"""Decisions without a remediation, each a chain of its own; what cannot be acted on is kept."""

from __future__ import annotations

from typing import Any

from chalicelib import telling
from chalicelib.audit import Entry
from chalicelib.effect import JSON, canonical_text
from chalicelib.finding import Finding, document
from chalicelib.intake.belief import shallow
from chalicelib.intake.decisions import NO_PLAYBOOK, REJECTED, Decision, who
from chalicelib.playbook import Playbook
from chalicelib.runner.work import Desk
from chalicelib.sources import Reading
from chalicelib.store import keep_event, short_hash

REASON = 2_000  # characters of a reason that a record holds


def reject(desk: Desk, event: Any, reason: str, request: str) -> Decision:
    """Keep an event that cannot be read or believed, record why, and tell people."""
    text = _text(event)
    identity = f"event-{short_hash(text)}"
    what: dict[str, JSON] = {"characters": len(text)}
    return _rejected(desk, Decision(REJECTED, reason, audit=identity), text, what, request)


def lacks_target(desk: Desk, playbook: Playbook, finding: Finding, request: str) -> Decision:
    """Keep a finding in which there is nothing of what the playbook contains, and tell people."""
    fields = document(finding)
    identity = f"event-{short_hash(canonical_text([playbook.name, fields]))}"
    why = f"{playbook.target} is not in the event"
    decision = Decision(REJECTED, why, finding.id, playbook.name, audit=identity)
    return _rejected(desk, decision, fields, _about(playbook, finding), request)


def _rejected(
    desk: Desk, decision: Decision, event: JSON, what: dict[str, JSON], request: str
) -> Decision:
    keep_event(desk.tables, decision.audit, event)
    what = {**what, "reason": decision.reason[:REASON], "event": decision.audit}
    desk.tables.commit(Entry(decision.audit, REJECTED, who(request), what), lambda _seq: [])
    telling.rejected(desk, decision.audit, decision.reason)
    return decision


def _text(event: Any) -> str:
    return event if isinstance(event, str) else canonical_text(shallow(event))


def note(
    desk: Desk, playbook: Playbook, finding: Finding, decision: str, why: str, request: str
) -> Decision:
    """Record why a finding that a playbook matches starts nothing."""
    identity = f"event-{short_hash(canonical_text([playbook.name, finding.id, decision]))}"
    what = {**_about(playbook, finding), "reason": why[:REASON]}
    desk.tables.commit(Entry(identity, decision, who(request), what), lambda _seq: [])
    return Decision(decision, why, finding.id, playbook.name, audit=identity)


def _about(playbook: Playbook, finding: Finding) -> dict[str, JSON]:
    return {"finding": finding.id, "type": finding.type, "playbook": playbook.name}


def seen(desk: Desk, reading: Reading, request: str) -> Decision:
    """Record an event that asks for nothing."""
    identity = f"event-{short_hash(canonical_text(reading.envelope))}"
    ids = [finding.id for finding in reading.findings]
    reason = "no playbook matches" if ids else "it reports nothing to act on"
    what: dict[str, JSON] = {"findings": ids, "types": [f.type for f in reading.findings]}
    entry = Entry(identity, NO_PLAYBOOK, who(request), what | {"reason": reason})
    desk.tables.commit(entry, lambda _seq: [])
    return Decision(NO_PLAYBOOK, reason, finding=ids[0] if ids else "", audit=identity)
