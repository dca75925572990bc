"""A recorded event through the real handlers, machines and calls, on an AWS in the process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from chalicelib import audit, intake, lifecycle, playbook, sources, store
from chalicelib.errors import InvalidPlaybook, Rejected
from chalicelib.finding import Finding
from chalicelib.pattern import PatternSet
from chalicelib.playbook import Playbook
from chalicelib.runner.planning import readable
from chalicelib.sources import Reading
from firebreak import scene
from firebreak.cloud import Cloud
from firebreak.cloud.strict.events import MAX_ENTRY_BYTES
from firebreak.event_files import EventFile, moved
from firebreak.stage import Stage, staged

HOME = "111122223333"  # the security account of a replay, from AWS's documentation examples
WAIT = 120.0  # seconds of real time that one execution may take
ORDER = (  # what an event's decision is where its findings and playbooks came to several
    "failed",
    "awaiting_approval",
    "remediated",
    "planned",
    "rejected",
    "duplicate",
    "exempt",
    "no_playbook",
)
REMEDIATED = {
    lifecycle.CONTAINED,
    lifecycle.PARTLY,
    lifecycle.NOTHING,
    lifecycle.ROLLED_BACK,
    lifecycle.PARTLY_ROLLED_BACK,
}
LATER = 2 * 86_400  # seconds until a roll-back: some protections must not be taken back at once


@dataclass(frozen=True)
class Options:
    """Hold what a replay was asked for."""

    plan: bool = False
    playbooks: Path | None = None
    together: bool = False
    account: str = ""
    rollback: bool = False
    empty: bool = False  # nothing that the events speak of exists any more
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Replayed:
    """Hold what became of one event; `document` is what `--json` writes."""

    event: str
    decision: str
    reason: str
    findings: tuple[Mapping[str, Any], ...]
    remediations: tuple[Mapping[str, Any], ...]
    audit: Mapping[str, Any]

    @property
    def remediated(self) -> bool:
        """Say whether a playbook ran for the event and did not fail."""
        return self.decision == "remediated"

    @property
    def changes(self) -> list[Mapping[str, Any]]:
        """Return every change of every remediation."""
        return [change for each in self.remediations for change in each["changes"]]

    @property
    def steps(self) -> dict[str, str]:
        """Return how each step ended, by name."""
        return {
            step["name"]: step["status"] for each in self.remediations for step in each["steps"]
        }

    def document(self) -> dict[str, Any]:
        """Return this as JSON values."""
        return {
            "event": self.event,
            "findings": list(self.findings),
            "decision": self.decision,
            "reason": self.reason,
            "remediations": list(self.remediations),
            "audit": dict(self.audit),
        }


def load_playbooks(folder: Path | None) -> Mapping[str, Playbook]:
    """Return the playbooks to replay with, every one validated but for its examples' files.

    Raise InvalidPlaybook with every problem of every file.
    """
    place = folder or playbook.FOLDER
    problems = [p for p in playbook.problems([place]) if not p.path.startswith("examples[")]
    if problems:
        raise InvalidPlaybook(problems)
    return playbook.load(place)


def replay(
    events: Iterable[EventFile], playbooks: Mapping[str, Playbook], options: Options
) -> Iterator[Replayed]:
    """Replay events, each in a fresh embedded AWS, or all in one."""
    if options.together:
        with world(playbooks, options) as stage:
            for event in events:
                yield replay_in(stage, event, options)
        return
    for event in events:
        yield replay_one(event, playbooks, options)


def replay_one(event: EventFile, playbooks: Mapping[str, Playbook], options: Options) -> Replayed:
    """Replay one event in a fresh embedded AWS."""
    with world(playbooks, options) as stage:
        return replay_in(stage, event, options)


@contextmanager
def world(playbooks: Mapping[str, Playbook], options: Options) -> Iterator[Stage]:
    """Give a stage in a fresh embedded AWS."""
    environment = {"FIREBREAK_MODE": "observe"} if options.plan else {}
    with (
        Cloud(HOME) as cloud,
        staged(cloud, playbooks, {**environment, **options.environment}, machines=False) as stage,
    ):
        yield stage


def replay_in(stage: Stage, event: EventFile, options: Options) -> Replayed:
    """Replay one event in a world that may have seen others."""
    handled = deliver(stage, event, options)
    if options.rollback:
        stage.desk.clock.sleep(LATER)
        for identity in _remediations(handled):
            if lifecycle.head_of(stage.desk, identity).status in _APPLIED:
                roll_back(stage, identity)
    return report(stage, event.name, handled)


# --- delivering -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Delivered:
    """Hold what the functions answered to one event, and what the event says."""

    findings: tuple[Finding, ...]
    decisions: tuple[Mapping[str, Any], ...]
    failures: tuple[str, ...]


def deliver(stage: Stage, event: EventFile, options: Options) -> Delivered:
    """Make what the event speaks of, deliver it as AWS would, and wait for what it starts."""
    value = moved(event.value, options.account) if options.account else event.value
    unreadable = event.unreadable or _too_large(value)
    if unreadable:
        return _rejected(stage, value, unreadable)
    if is_log(value):
        return _log(stage, value, options)
    try:
        reading = sources.read(value)
    except Rejected:
        handled = intake.handle(stage.desk, stage.playbooks, value, "replay")
        return Delivered((), tuple(asdict(each) for each in handled.decisions), ())
    prepare(stage, (reading,), empty=options.empty)
    envelope = value if "detail-type" in value else reading.envelope
    answers = stage.cloud.emit(dict(envelope))
    settle(stage)
    return _answered(reading.findings, answers)


def _too_large(value: Any) -> str:
    size = len(json.dumps(value))
    if size > MAX_ENTRY_BYTES:
        return f"{size} bytes: EventBridge carries events of up to {MAX_ENTRY_BYTES}"
    return ""


def _rejected(stage: Stage, value: Any, reason: str) -> Delivered:
    decision = intake.reject(stage.desk, value, reason, "replay")
    return Delivered((), (asdict(decision),), ())


def is_log(value: Any) -> bool:
    """Say whether a value is a delivery of Network Firewall logs, or one record of them."""
    if not isinstance(value, Mapping):
        return False
    return (
        "awslogs" in value or "Records" in value or ("event" in value and "firewall_name" in value)
    )


def _log(stage: Stage, value: Mapping[str, Any], options: Options) -> Delivered:
    """Invoke `ingest_firewall_logs`, and follow what it puts on the bus."""
    from chalicelib.firewall_logs import alert_events, records

    alerts = alert_events(records(value).records, HOME, stage.cloud.region)
    readings = [sources.read(_envelope(stage, entry)) for entry in alerts]
    findings = tuple(finding for reading in readings for finding in reading.findings)
    prepare(stage, readings, empty=options.empty)
    before = len(stage.answers)
    outcome = _invoke(stage, value)
    settle(stage)
    answers = [answer for name, answer in stage.answers[before:] if name == "on_event"]
    answered = _answered(findings, answers)
    if outcome.get("errorType"):
        failure = f"{outcome['errorType']}: {outcome.get('errorMessage')}"
        return replace(answered, failures=(*answered.failures, failure))
    return replace(answered, decisions=(*answered.decisions, *_not_alerts(outcome)))


def _not_alerts(outcome: Mapping[str, Any]) -> list[dict[str, Any]]:
    reasons = list(outcome.get("rejected", []))
    if outcome.get("ignored"):
        count = outcome["ignored"]
        ignored = {"decision": "no_playbook", "reason": f"{count} records are no alerts"}
        return [ignored, *({"decision": "rejected", "reason": reason} for reason in reasons)]
    return [{"decision": "rejected", "reason": reason} for reason in reasons]


def _envelope(stage: Stage, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "account": HOME,
        "region": stage.cloud.region,
        "detail": json.loads(entry["Detail"]),
    }


def _invoke(stage: Stage, value: Mapping[str, Any]) -> dict[str, Any]:
    client = stage.cloud.session().client("lambda")
    answer = client.invoke(FunctionName="ingest_firewall_logs", Payload=json.dumps(value).encode())
    outcome = json.loads(answer["Payload"].read())
    return outcome if isinstance(outcome, dict) else {}


def prepare(stage: Stage, readings: Iterable[Reading], *, empty: bool = False) -> None:
    """Make the machines that events match, and the accounts and resources they speak of."""
    patterns = PatternSet({name: each.match for name, each in stage.playbooks.items()})
    for reading in readings:
        stage.provide_machines(patterns.matching(reading.envelope))
        for finding in reading.findings:
            stage.admit_account(finding.account)
            if not empty:
                scene.make(stage.cloud, finding)


def settle(stage: Stage) -> None:
    """Wait until every execution has ended or waits for somebody."""
    for arn in stage.cloud.executions:
        stage.cloud.wait(arn, WAIT)


def _answered(findings: tuple[Finding, ...], answers: Iterable[Any]) -> Delivered:
    decisions: list[Mapping[str, Any]] = []
    failures: list[str] = []
    for answer in answers:
        if isinstance(answer, Mapping) and "decisions" in answer:
            decisions.extend(answer["decisions"])
        elif isinstance(answer, Mapping) and answer.get("errorType"):
            failures.append(f"{answer['errorType']}: {answer.get('errorMessage')}")
    return Delivered(findings, tuple(decisions), tuple(failures))


def roll_back(stage: Stage, identity: str) -> None:
    """Start the machine's undo pass for a remediation, and wait for its end."""
    lifecycle.start_undo(stage.desk, identity, {"by": "replay"})
    settle(stage)


def _remediations(delivered: Delivered) -> list[str]:
    return list(
        dict.fromkeys(d["remediation"] for d in delivered.decisions if d.get("remediation"))
    )


# --- reporting ------------------------------------------------------------------------------------


def report(stage: Stage, name: str, delivered: Delivered) -> Replayed:
    """Return what became of an event, from the records alone."""
    heads = [lifecycle.head_of(stage.desk, identity) for identity in _remediations(delivered)]
    status = {head.id: head for head in heads}
    named = [_named(decision, status) for decision in delivered.decisions]
    named += [("failed", failure) for failure in delivered.failures]
    decision = min((each for each, _ in named), key=ORDER.index, default="no_playbook")
    reasons = dict.fromkeys(reason for each, reason in named if each == decision and reason)
    return Replayed(
        event=name,
        decision=decision,
        reason="; ".join(reasons),
        findings=tuple(_finding(finding) for finding in delivered.findings),
        remediations=tuple(_remediation(stage, head) for head in heads),
        audit=_audit(stage, delivered),
    )


def _named(decision: Mapping[str, Any], heads: Mapping[str, store.Remediation]) -> tuple[str, str]:
    """Return a decision as a replay names it: by how its remediation ended."""
    if decision["decision"] != intake.STARTED:
        return decision["decision"], decision["reason"]
    head = heads[decision["remediation"]]
    if head.phase == "closed":
        named = "remediated" if head.status in REMEDIATED else head.status
        plain = head.status in (lifecycle.CONTAINED, named)
        reason = head.reason if plain else f"{head.status}: {head.reason}"
        return (named if named in ORDER else "failed"), reason.rstrip(": ")
    if head.phase == "wait":
        return "awaiting_approval", head.why
    return "failed", f"{head.id} was left in its {head.phase} phase"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "source": finding.source,
        "type": finding.type,
        "severity": finding.severity,
        "account": finding.account,
        "region": finding.region,
        "resource": f"{finding.resource.kind}/{finding.resource.id}",
    }


def _remediation(stage: Stage, head: store.Remediation) -> dict[str, Any]:
    tables = stage.desk.tables
    phase = "apply" if head.phase in ("apply", "undo") or head.status in _APPLIED else "plan"
    ended = store.results(tables, head.id, store.pass_name(head, phase))
    order = {step["name"]: n for n, step in enumerate(_steps(head.playbook["steps"]))}
    ended.sort(key=lambda result: (order.get(result.step, 0), result.index))
    changes = (
        [_change(effect) for effect in store.effects(tables, head.id)]
        if phase == "apply"
        else [row for result in ended for item in result.items for row in _planned(result, item)]
    )
    return {
        "id": head.id,
        "playbook": head.playbook["name"],
        "status": head.status if head.phase == "closed" else head.phase,
        "steps": [
            {
                "name": r.step,
                "index": r.index,
                "action": r.action,
                "status": r.status,
                "reason": r.reason,
                "facts": readable(r.facts),
            }
            for r in ended
        ],
        "changes": changes,
        "undo": list(head.undo.get("results", [])),
    }


_APPLIED = (
    lifecycle.CONTAINED,
    lifecycle.PARTLY,
    lifecycle.FAILED,
    lifecycle.NOTHING,
    lifecycle.ROLLED_BACK,
    lifecycle.PARTLY_ROLLED_BACK,
)


def _steps(entries: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for entry in entries:
        yield from entry.get("parallel", [entry])


def _change(effect: store.Effect) -> dict[str, Any]:
    tried = effect.state != "done" or effect.kind != "change"
    wanted = effect.do if tried and "service" in (effect.do or {}) else None
    call = effect.call or wanted
    return {
        "step": effect.step,
        "index": effect.index,
        "kind": effect.kind,
        "element": effect.key,
        "service": (call or {}).get("service"),
        "operation": (call or {}).get("operation", "none"),
        "params": (call or {}).get("params", {}),
        "state": effect.state,
        "before": effect.before,
        "after": effect.after if effect.state != "failed" else effect.before,
        "undo": effect.undo if call else None,
        "verified": effect.verified,
    }


def _planned(result: store.StepResult, item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return an item of a plan as changes not made: one, or each call of a fixture."""
    if item["kind"] in ("identity", "depends"):
        return []
    calls = item.get("calls") or [item.get("call") or {"operation": item["op"]}]
    return [_planned_call(result, item, call) for call in calls]


def _planned_call(
    result: store.StepResult, item: Mapping[str, Any], call: Mapping[str, Any]
) -> dict[str, Any]:
    shown: dict[str, Any] = readable(
        {
            "step": result.step,
            "index": result.index,
            "kind": item["kind"],
            "element": item["key"],
            "service": call.get("service"),
            "operation": call["operation"],
            "params": call.get("params", {}),
            "state": "planned",
            "before": item.get("before"),
            "after": item["want"],
            "undo": item.get("undo"),
            "verified": False,
        }
    )
    return shown


def _audit(stage: Stage, delivered: Delivered) -> dict[str, Any]:
    """Verify the chains that an event's decisions are recorded in."""
    chains = dict.fromkeys(d["audit"] for d in delivered.decisions if d.get("audit"))
    verdicts = [audit.verify(stage.desk.tables.records(chain)) for chain in chains]
    broken = [str(verdict) for verdict in verdicts if not verdict.valid]
    return {
        "records": sum(verdict.records for verdict in verdicts),
        "chain": broken[0] if broken else "valid" if verdicts else "none",
        "chains": list(chains),
    }
