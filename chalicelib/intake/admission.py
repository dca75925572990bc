"""Through the gate: a remediation is recorded, and its execution started."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib import gates, guardrails, halting, lifecycle, paths, published, sweeping
from chalicelib.audit import Entry
from chalicelib.effect import JSON, canonical_text
from chalicelib.errors import Busy
from chalicelib.finding import Finding, document
from chalicelib.gates import Gate
from chalicelib.guardrails import Counted, Judged, Permit
from chalicelib.intake.decisions import DUPLICATE, STARTED, Decision, who
from chalicelib.playbook import Playbook
from chalicelib.playbook import document as playbook_document
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation, finding_items, listing, meta_item, short_hash
from chalicelib.table import ABSENT, ConditionFailed, Put

RACES = 60  # tries; all who are admitted write the limit they share, one after the other
LONGEST = 1.0  # seconds between two tries at a gate
TARGET = 500  # characters of a target that are kept


@dataclass(frozen=True, slots=True)
class Entrant:
    """Hold what wants through a gate: a finding, under a playbook, about a target."""

    playbook: Playbook
    finding: Finding
    target: str
    request: str

    def named(self, identity: str) -> dict[str, str]:
        """Return what a limit keeps of the remediation that counts towards it."""
        return {"id": identity, "playbook": self.playbook.name, "target": self.target}


def target_of(playbook: Playbook, fields: Mapping[str, JSON]) -> str:
    """Return what the target is known by, "" where there is none in the event.

    A resource is known by kind and id, whatever else is said of it.
    """
    value = paths.resolve_value(playbook.target, {"finding": fields})
    if isinstance(value, Mapping) and "id" in value:
        return _bounded(f"{value.get('kind')}/{value['id']}")
    if value in (None, "", [], {}):
        return ""
    return _bounded(value if isinstance(value, str) else canonical_text(value))


def _bounded(text: str) -> str:
    return text if len(text) <= TARGET else f"{text[:TARGET]}…{short_hash(text)}"


def admit(desk: Desk, playbook: Playbook, finding: Finding, target: str, request: str) -> Decision:
    """Let a finding through its gate: gate, then execution, then mark.

    Whatever dies in between is finished by the next delivery of the event.
    """
    entrant = Entrant(playbook, finding, target, request)
    key, judged = _key(playbook, finding, target), None
    for race in range(RACES):
        gate = gates.get(desk.tables, key)
        try:
            if gate.turns_away(desk.clock.seconds(), finding.severity):
                return _repeat(desk, playbook, finding, gate, request)
            judged = judged or guardrails.judged(desk, playbook, finding)
            _finish(desk, gate, request)
            head = _through(desk, entrant, gate, judged)
        except ConditionFailed:
            most = min(LONGEST, 0.01 * 2**race)
            desk.clock.sleep(random.uniform(0, most))  # noqa: S311  # jitter
            continue
        return _started(desk, head, finding, request)
    raise Busy(f"the gate of {playbook.name} on {target} is contended")


def gate_of(desk: Desk, playbook: Playbook, finding: Finding) -> Gate | None:
    """Return the gate of a finding under a playbook; None where there is no target in it."""
    target = target_of(playbook, document(finding))
    return gates.get(desk.tables, _key(playbook, finding, target)) if target else None


def _key(playbook: Playbook, finding: Finding, target: str) -> str:
    given = {"finding": document(finding)}
    indicators = {path: paths.resolve_value(path, given) for path in playbook.indicators}
    return gates.gate_key(playbook.name, finding.account, finding.region, target, indicators)


def _finish(desk: Desk, gate: Gate, request: str) -> None:
    """Start what went through last and was not started, before a worse finding takes its place."""
    if gate.state == gates.OPEN:
        head = lifecycle.head_of(desk, gate.remediation)
        if not head.started and head.phase != "closed":
            lifecycle.start(desk, head, who(request))


def _through(desk: Desk, entrant: Entrant, gate: Gate, judged: Judged) -> Remediation:
    """Write gate, head, finding, limits and record together; tell of a limit that tripped.

    Raise ConditionFailed where another went through, or counted towards the same limit.
    """
    identity = gates.remediation_id(gate.key, gate.generation + 1)
    permit = judged.permit
    if gate.asks:
        permit = permit.lowered(
            "approve", "a person took the last containment back, or said no to it"
        )
    switch = halting.state(desk.tables)
    if switch.halted:
        permit = permit.lowered("approve", f"the kill switch is on: {switch.reason}")
    counted = guardrails.counted(desk, permit, judged.windows, entrant.named(identity))
    parts = finding_items(identity, document(entrant.finding))
    head = _head(desk, entrant, gate, identity, counted.permit, len(parts))
    written = [
        gates.put(gates.opened(gate, identity, entrant.finding.severity)),
        Put(meta_item(head), ABSENT),
        listing.put(listing.OPEN, identity, {"playbook": entrant.playbook.name}),
        *map(Put, parts),
        *counted.operations,
    ]
    said = _said(entrant, head, judged, counted)
    entry = Entry(identity, "admitted", who(entrant.request), said)
    desk.tables.commit(entry, lambda _seq: written)
    guardrails.sound(desk, counted.tripped, entrant.request)
    return head


def _head(
    desk: Desk, entrant: Entrant, gate: Gate, identity: str, permit: Permit, parts: int
) -> Remediation:
    finding = entrant.finding
    return Remediation(
        id=identity,
        playbook=playbook_document(entrant.playbook),
        finding_parts=parts,
        finding_id=finding.id,
        account=finding.account,
        region=finding.region,
        partition=finding.partition,
        target=entrant.target,
        gate=gate.key,
        generation=gate.generation + 1,
        mode=permit.mode,
        why=permit.why,
        created_at=desk.clock.now(),
        phase="apply" if permit.mode == "enforce" else "plan",
        severity=finding.severity,
        kind=finding.resource.kind,
        machine_version=published.number(desk.tables, entrant.playbook.name),
    )


def _said(entrant: Entrant, head: Remediation, judged: Judged, counted: Counted) -> dict[str, JSON]:
    names = ("id", "source", "type", "severity", "account", "region")
    return {
        "finding": {name: getattr(entrant.finding, name) for name in names},
        "playbook": entrant.playbook.name,
        "version": entrant.playbook.version,
        "machine_version": head.machine_version,
        "target": head.target,
        "generation": head.generation,
        "mode": head.mode,
        "why": head.why,
        "guardrails": judged.configuration,
        "limits": [window.name for window in judged.windows],
        "tripped": [state.name for state in counted.tripped if state.tripped["id"] == head.id],
    }


def _repeat(desk: Desk, playbook: Playbook, finding: Finding, gate: Gate, request: str) -> Decision:
    """Count a repeat, and start what an earlier delivery admitted but could not start."""
    head = lifecycle.head_of(desk, gate.remediation)
    what: dict[str, JSON] = {
        "finding": finding.id,
        "count": gate.count + 1,
        "said_count": finding.count,
    }
    renewed, moved = sweeping.renewals(head, desk.clock.seconds())
    operations = [gates.put(replace(gate, count=gate.count + 1)), *moved]
    what |= {"due": dict(renewed.due)} if moved else {}
    desk.tables.commit(Entry(head.id, "repeat", who(request), what), lambda _seq: operations)
    if not head.started and head.phase != "closed":
        guardrails.sound(desk, guardrails.tripped_by(desk.tables, head.id), request)
        return _started(desk, head, finding, request)
    state = "under way" if gate.state == gates.OPEN else f"already {head.status}"
    reason = f"remediation {head.id} is {state}"
    return Decision(DUPLICATE, reason, finding.id, playbook.name, head.id, head.id)


def _started(desk: Desk, head: Remediation, finding: Finding, request: str) -> Decision:
    lifecycle.start(desk, head, who(request))
    name = str(head.playbook["name"])
    return Decision(STARTED, head.why, finding.id, name, head.id, head.id)
