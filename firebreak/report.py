"""What became of a replayed event, told from the records alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib import audit, intake, lifecycle, store
from chalicelib.finding import Finding
from chalicelib.runner.planning import readable
from chalicelib.table import Tables

if TYPE_CHECKING:
    from firebreak.stage import Stage

ORDER = (  # what an event's decision is where its findings and playbooks came to several
    "failed",
    "awaiting_approval",
    "denied",
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
APPLIED = (
    lifecycle.CONTAINED,
    lifecycle.PARTLY,
    lifecycle.FAILED,
    lifecycle.NOTHING,
    lifecycle.ROLLED_BACK,
    lifecycle.PARTLY_ROLLED_BACK,
)


@dataclass(frozen=True)
class Delivered:
    """Hold what the functions answered to one event, and what the event says."""

    findings: tuple[Finding, ...]
    decisions: tuple[Mapping[str, Any], ...]
    failures: tuple[str, ...]


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


def report(stage: Stage, name: str, delivered: Delivered) -> Replayed:
    """Return what became of an event, from the records alone."""
    heads = [lifecycle.head_of(stage.desk, identity) for identity in remediations(delivered)]
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
        remediations=tuple(remediation(stage.desk.tables, head) for head in heads),
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


def remediation(tables: Tables, head: store.Remediation) -> dict[str, Any]:
    """Return what is on record of a remediation: its steps, and what they changed or would."""
    phase = "apply" if head.phase in ("apply", "undo") or head.status in APPLIED else "plan"
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
        "plan": str(head.plan.get("hash", "")),
        "decision": dict(head.decision),
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


def remediations(delivered: Delivered) -> list[str]:
    """Return the ids of the remediations that decisions name, each once."""
    return list(
        dict.fromkeys(d["remediation"] for d in delivered.decisions if d.get("remediation"))
    )
