"""Events that never arrived: told from those that did, and handed to the intake.

What a person decided about is never handed in again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib import gates, guardrails, intake, lifecycle, remembering, telling
from chalicelib.errors import Rejected
from chalicelib.finding import Finding
from chalicelib.playbook import Playbook
from chalicelib.reconciling import Run
from chalicelib.remembering import Matter
from chalicelib.runner.work import Desk
from chalicelib.store import listing

GRACE = 900  # seconds that an event may take to arrive
Event = Mapping[str, Any]


def hand_in(run: Run, events: Iterable[Event]) -> None:
    """Hand in those events that ask for something and never arrived; tell of them."""
    became: dict[str, str] = {}

    def handed(event: Event) -> None:
        became.update(_handed(run, event))

    try:
        run.each(events, "event", handed)
    finally:
        _tell(run, became)


def _tell(run: Run, became: Mapping[str, str]) -> None:
    run.found.extend(f"{about}: {decisions}" for about, decisions in became.items())
    if became and not telling.undelivered(run.desk, became):
        run.failed.append(f"{len(became)} events that never arrived: nobody could be told")


def _handed(run: Run, event: Event) -> dict[str, str]:
    """Hand in an event, unless it is known; return what became of it, by what it is about."""
    try:
        reading, matches = intake.matched(run.desk, run.playbooks, event)
    except Rejected:
        return {}  # an event of it would be rejected as well
    unknown = [found for each, found in matches if not _known(run, each, found)]
    if not unknown:
        return {}
    finding = unknown[0]
    key = f"handed_in#{finding.id}#{finding.updated_at}"
    if remembering.known(run.desk, key):
        return {}
    handled = intake.handle(run.desk, run.playbooks, reading.envelope, run.owner)
    what = {"finding": finding.id, "updated_at": finding.updated_at}
    for chain in dict.fromkeys(each.audit for each in handled.decisions):
        remembering.once(run.desk, Matter(f"{key}#{chain}", chain, "handed_in", what), run.by)
    remembering.remember(run.desk, key)
    said = ", ".join(f"{each.decision} {each.remediation}" for each in handled.decisions)
    return {f"{finding.type} in {finding.account}, {finding.resource.id}": said}


def _known(run: Run, playbook: Playbook, finding: Finding) -> bool:
    """Say whether a finding came to its playbook before, or need not come any more."""
    desk = run.desk
    if run.now < _seconds(finding.created_at) + GRACE or guardrails.exempt(desk.settings, finding):
        return True
    gate = intake.gate_of(desk, playbook, finding)
    if gate is None or gate.state == gates.OPEN:
        return True
    if not gate.generation:
        return False
    if desk.tables.get(listing.place(listing.STANDING, gate.remediation))[0] is not None:
        return True  # contained already; what changed since is told as such
    return _came(desk, gate.remediation, finding)


def _came(desk: Desk, identity: str, finding: Finding) -> bool:
    """Say whether the last remediation of a target was about a finding, or made after it."""
    last = lifecycle.head_of(desk, identity)
    if last.finding_id == finding.id:
        return True
    if _seconds(finding.created_at) <= _seconds(last.created_at):
        return True
    repeats = (each for each in desk.tables.records(identity) if each.kind == "repeat")
    return any(each.what.get("finding") == finding.id for each in repeats)


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() if time else 0.0


def plain(value: Any) -> Any:
    """Return what a client answered as JSON values: times as ISO 8601, UTC."""
    return json.loads(json.dumps(value, default=_text))


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)
