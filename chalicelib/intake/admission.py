"""Through the gate: a remediation is recorded, and its execution started."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from botocore.exceptions import ClientError

from chalicelib import gates, guardrails, lifecycle, paths
from chalicelib.audit import Entry
from chalicelib.effect import JSON, canonical_text
from chalicelib.errors import Busy
from chalicelib.finding import Finding, document
from chalicelib.gates import Gate
from chalicelib.intake.decisions import DUPLICATE, STARTED, Decision, who
from chalicelib.playbook import Playbook
from chalicelib.playbook import document as playbook_document
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation, finding_items, meta_item, short_hash
from chalicelib.table import ABSENT, ConditionFailed, Put

RACES = 20
LONGEST = 1.0  # seconds between two tries at a gate
TARGET = 500  # characters of a target that are kept


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
    key = _key(playbook, finding, target)
    for race in range(RACES):
        gate = gates.get(desk.tables, key)
        try:
            if gate.turns_away(desk.clock.seconds()):
                return _repeat(desk, playbook, finding, gate, request)
            head = _through(desk, playbook, finding, gate, target, request)
        except ConditionFailed:
            most = min(LONGEST, 0.01 * 2**race)
            desk.clock.sleep(random.uniform(0, most))  # noqa: S311  # jitter
            continue
        return _started(desk, head, finding)
    raise Busy(f"the gate of {playbook.name} on {target} is contended")


def _key(playbook: Playbook, finding: Finding, target: str) -> str:
    given = {"finding": document(finding)}
    indicators = {path: paths.resolve_value(path, given) for path in playbook.indicators}
    return gates.gate_key(playbook.name, finding.account, finding.region, target, indicators)


def _through(
    desk: Desk, playbook: Playbook, finding: Finding, gate: Gate, target: str, request: str
) -> Remediation:
    """Write gate, head, finding and record together.

    Raise ConditionFailed where another went through.
    """
    permit = guardrails.permit(desk.settings, playbook, finding)
    if gate.state == gates.RELEASED:
        permit = permit.lowered("approve", "a person took the last containment back")
    permit, counted = guardrails.within_limit(desk.tables, playbook, permit, desk.clock.seconds())
    identity = gates.remediation_id(gate.key, gate.generation + 1)
    parts = finding_items(identity, document(finding))
    head = Remediation(
        id=identity,
        playbook=playbook_document(playbook),
        finding_parts=len(parts),
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
    opened = gates.put(gates.opened(gate, identity))
    written = [opened, Put(meta_item(head), ABSENT), *map(Put, parts), *counted]
    entry = Entry(identity, "admitted", who(request), _said(playbook, finding, head))
    desk.tables.commit(entry, lambda _seq: written)
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
    desk.tables.commit(Entry(head.id, "repeat", who(request), what), lambda _seq: operations)
    if not head.started and head.phase != "closed":
        return _started(desk, head, finding)
    state = "under way" if gate.state == gates.OPEN else f"already {head.status}"
    reason = f"remediation {head.id} is {state}"
    return Decision(DUPLICATE, reason, finding.id, playbook.name, head.id, head.id)


def _started(desk: Desk, head: Remediation, finding: Finding) -> Decision:
    """Start the execution, whose name is the remediation's id; started twice it is one."""
    name = str(head.playbook["name"])
    first = "plan" if head.phase == "plan" else "apply"
    try:
        desk.access.home("stepfunctions").start_execution(
            stateMachineArn=desk.settings.state_machine_arn(name),
            name=head.id,
            input=canonical_text({"remediation": head.id, "pass": first}),
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise
    lifecycle.move(desk, head.id, "started", _marked, {"function": "on_event"})
    return Decision(STARTED, head.why, finding.id, name, head.id, head.id)


def _marked(head: Remediation) -> Remediation | None:
    return None if head.started else replace(head, started=True)
