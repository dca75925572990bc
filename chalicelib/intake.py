"""Event → findings → matching playbooks → admitted remediations → executions started."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import gates, guardrails, lifecycle, paths, sources, telling
from chalicelib.audit import Entry
from chalicelib.effect import JSON, canonical_text, strip_placeholders
from chalicelib.errors import Busy, Rejected
from chalicelib.finding import Finding, document
from chalicelib.gates import Gate
from chalicelib.pattern import PatternSet
from chalicelib.playbook import Playbook
from chalicelib.playbook import document as playbook_document
from chalicelib.runner.work import Desk
from chalicelib.settings import Settings
from chalicelib.sources import Reading
from chalicelib.store import Remediation, meta_item, pack, put_finding, short_hash
from chalicelib.table import ABSENT, ConditionFailed, Item, Put

RACES = 20
STARTED, DUPLICATE, EXEMPT, NO_PLAYBOOK, REJECTED = (
    "started",
    "duplicate",
    "exempt",
    "no_playbook",
    "rejected",
)


@dataclass(frozen=True, slots=True)
class Decision:
    """Say what became of one finding under one playbook, or of an event as a whole."""

    decision: str
    reason: str
    finding: str = ""
    playbook: str = ""
    remediation: str = ""
    audit: str = ""  # the chain the decision is recorded in


@dataclass(frozen=True, slots=True)
class Handled:
    """Hold everything that was decided of one event."""

    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]


def handle(desk: Desk, playbooks: Mapping[str, Playbook], event: Any, request: str) -> Handled:
    """Decide on an event and start what it asks for; every path leaves a record.

    A retry of the same event finishes what was left undone. Raise what AWS raises where a record
    cannot be written or an execution not started; EventBridge then delivers again.
    """
    try:
        reading = sources.read(event)
        for finding in reading.findings:
            believe(desk.settings, reading.envelope, finding)
    except Rejected as wrong:
        return Handled((), (reject(desk, event, str(wrong), request),))
    matching = sorted(_patterns(playbooks).matching(reading.envelope))
    decisions, failures = [], []
    for finding in reading.findings:
        for name in matching:
            try:
                decisions.append(_decide(desk, playbooks[name], finding, request))
            except (ClientError, Busy) as failure:
                failures.append(failure)  # the other playbooks must not wait for this one
    if failures:
        raise failures[0]
    if not decisions:
        decisions.append(_seen(desk, reading, request))
    return Handled(reading.findings, tuple(decisions))


@lru_cache(maxsize=4)
def _compiled(patterns: str) -> PatternSet:
    return PatternSet(json.loads(patterns))


def _patterns(playbooks: Mapping[str, Playbook]) -> PatternSet:
    return _compiled(json.dumps({name: each.match for name, each in playbooks.items()}))


def believe(settings: Settings, envelope: Mapping[str, Any], finding: Finding) -> None:
    """Raise Rejected where an event speaks of an account that it may not speak of."""
    sender, source = str(envelope.get("account", "")), str(envelope.get("source", ""))
    if source.startswith("firebreak."):
        if sender != settings.home_account:
            raise Rejected("account", f"{source} is believed only from the security account")
    elif sender not in (finding.account, *settings.administrators):
        reason = f"{sender or 'nobody'} may not speak for account {finding.account}"
        raise Rejected("account", f"{reason}; only an administrator of {source} may")
    allowed = (*settings.accounts, settings.home_account)
    if "*" not in allowed and finding.account not in allowed:
        raise Rejected("detail.accountId", f"account {finding.account} is not one of ours")


# --- decisions without a remediation ----------------------------------------------------------------


def reject(desk: Desk, event: Any, reason: str, request: str) -> Decision:
    """Keep an event that cannot be read or believed, record why, and tell people."""
    text = _text(event)
    identity = f"event-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"
    for number, part in enumerate(pack(text)):
        desk.tables.put(Item(f"EVENT#{identity}", f"PART#{number:03d}", {"part": part}))
    what = {"reason": reason[:2_000], "event": identity, "characters": len(text)}
    desk.tables.commit(Entry(identity, REJECTED, _who(request), what), lambda _seq: [])
    telling.rejected(desk, identity, reason)
    return Decision(REJECTED, reason, audit=identity)


def _text(event: Any) -> str:
    return event if isinstance(event, str) else canonical_text(event)


def _seen(desk: Desk, reading: Reading, request: str) -> Decision:
    identity = f"event-{short_hash(canonical_text(reading.envelope))}"
    ids = [finding.id for finding in reading.findings]
    reason = "no playbook matches" if ids else "it reports nothing to act on"
    what: dict[str, JSON] = {"findings": ids, "types": [f.type for f in reading.findings]}
    entry = Entry(identity, NO_PLAYBOOK, _who(request), what | {"reason": reason})
    desk.tables.commit(entry, lambda _seq: [])
    return Decision(NO_PLAYBOOK, reason, finding=ids[0] if ids else "", audit=identity)


def _who(request: str) -> dict[str, JSON]:
    return {"function": "on_event", "request": request}


# --- admission ------------------------------------------------------------------------------------


def _decide(desk: Desk, playbook: Playbook, finding: Finding, request: str) -> Decision:
    fields = strip_placeholders(document(finding))
    target = _target(paths.resolve_value(playbook.target, {"finding": fields}))
    if not target:
        return _note(
            desk, playbook, finding, REJECTED, f"{playbook.target} is not in the event", request
        )
    why = guardrails.exempt(desk.settings, finding)
    if why:
        return _note(desk, playbook, finding, EXEMPT, why, request)
    indicators = {
        path: paths.resolve_value(path, {"finding": fields}) for path in playbook.indicators
    }
    key = gates.gate_key(playbook.name, finding.account, finding.region, target, indicators)
    return _admit(desk, playbook, finding, fields, key, target, request)


def _target(value: JSON) -> str:
    """Return what a target is known by: a resource by kind and id, whatever else is said of it."""
    if isinstance(value, Mapping) and "id" in value:
        return f"{value.get('kind')}/{value['id']}"
    return "" if value is None else value if isinstance(value, str) else canonical_text(value)


def _note(
    desk: Desk, playbook: Playbook, finding: Finding, decision: str, why: str, request: str
) -> Decision:
    identity = f"event-{short_hash(canonical_text([playbook.name, finding.id, decision]))}"
    what = {"finding": finding.id, "type": finding.type, "playbook": playbook.name, "reason": why}
    desk.tables.commit(Entry(identity, decision, _who(request), what), lambda _seq: [])
    return Decision(decision, why, finding.id, playbook.name, audit=identity)


def _admit(
    desk: Desk,
    playbook: Playbook,
    finding: Finding,
    fields: dict[str, JSON],
    key: str,
    target: str,
    request: str,
) -> Decision:
    """Let a finding through its gate: gate, then execution, then mark.

    Whatever dies in between is finished by the next delivery of the event.
    """
    for _ in range(RACES):
        gate = gates.get(desk.tables, key)
        if gate.turns_away(desk.clock.seconds()):
            try:
                return _repeat(desk, playbook, finding, gate, request)
            except ConditionFailed:
                continue
        try:
            head = _through(desk, playbook, finding, fields, gate, target, request)
        except ConditionFailed:
            continue
        _start(desk, head)
        return Decision(STARTED, head.why, finding.id, playbook.name, head.id, head.id)
    raise Busy(f"the gate of {playbook.name} on {target} is contended")


def _through(
    desk: Desk,
    playbook: Playbook,
    finding: Finding,
    fields: dict[str, JSON],
    gate: Gate,
    target: str,
    request: str,
) -> Remediation:
    """Write gate, head and record together. Raise ConditionFailed where another went through."""
    permit = guardrails.permit(desk.settings, playbook, finding)
    reached, counted = guardrails.count(desk.tables, playbook, desk.clock.seconds())
    if reached:
        permit = permit.lowered("approve", "the playbook's limit is reached")
    if gate.state == gates.RELEASED:
        permit = permit.lowered("approve", "a person took the last containment back")
    identity = gates.remediation_id(gate.key, gate.generation + 1)
    head = Remediation(
        id=identity,
        playbook=playbook_document(playbook),
        finding_parts=put_finding(desk.tables, identity, fields),
        finding_id=finding.id,
        account=finding.account,
        region=finding.region,
        partition=finding.partition,
        target=target,
        gate=gate.key,
        generation=gate.generation + 1,
        mode=permit.mode,
        why=permit.why,
        created_at=desk.clock.now(),
        phase="apply" if permit.mode == "enforce" else "plan",
    )
    opened = replace(
        gate, state=gates.OPEN, remediation=identity, generation=head.generation, count=0
    )
    operations = [gates.put(opened), Put(meta_item(head), ABSENT), *counted]
    entry = Entry(identity, "admitted", _who(request), _said(playbook, finding, head))
    desk.tables.commit(entry, lambda _seq: operations)
    return head


def _said(playbook: Playbook, finding: Finding, head: Remediation) -> dict[str, JSON]:
    names = ("id", "source", "type", "severity", "account", "region")
    return {
        "finding": {name: getattr(finding, name) for name in names},
        "playbook": playbook.name,
        "version": playbook.version,
        "target": head.target,
        "generation": head.generation,
        "mode": head.mode,
        "why": head.why,
    }


def _repeat(desk: Desk, playbook: Playbook, finding: Finding, gate: Gate, request: str) -> Decision:
    """Count a repeat, and start what an earlier delivery admitted but could not start."""
    head = lifecycle.head_of(desk, gate.remediation)
    what = {"finding": finding.id, "count": gate.count + 1, "said_count": finding.count}
    operations = [gates.put(replace(gate, count=gate.count + 1))]
    desk.tables.commit(Entry(head.id, "repeat", _who(request), what), lambda _seq: operations)
    if not head.started and head.phase != "closed":
        _start(desk, head)
        return Decision(STARTED, head.why, finding.id, playbook.name, head.id, head.id)
    state = "under way" if gate.state == gates.OPEN else f"already {head.status}"
    reason = f"remediation {head.id} is {state}"
    return Decision(DUPLICATE, reason, finding.id, playbook.name, head.id, head.id)


def _start(desk: Desk, head: Remediation) -> None:
    """Start the execution, whose name is the remediation's id; started twice it is one."""
    first = "plan" if head.phase == "plan" else "apply"
    client = desk.access.home("stepfunctions")
    try:
        client.start_execution(
            stateMachineArn=desk.settings.state_machine_arn(str(head.playbook["name"])),
            name=head.id,
            input=canonical_text({"remediation": head.id, "pass": first}),
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise
    who = {"function": "on_event"}
    lifecycle.move(
        desk,
        head.id,
        "started",
        lambda now: None if now.started else replace(now, started=True),
        who,
    )


def answer(handled: Handled) -> dict[str, Any]:
    """Return what the function returns: ids and decisions, for whoever invoked it."""
    return {"decisions": [asdict(decision) for decision in handled.decisions]}
