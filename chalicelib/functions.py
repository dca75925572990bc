"""What each Lambda function does: its event in, its answer out, one log line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib import ingest, intake, machine, wiring
from chalicelib.errors import Parked, PlanChanged, StepFailed
from chalicelib.log import Line

OUTCOMES = (Parked, PlanChanged, StepFailed)  # what a state machine is told by an error's name


def on_event(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Decide on an event from EventBridge."""
    request = context.aws_request_id
    about = {"request": request, "source": str(event.get("source"))[:80]}
    with Line("event_decided", "event_failed", **about) as line:
        handled = intake.handle(wiring.ours(), wiring.playbooks(), event, request)
        line.told["findings"] = [finding.id for finding in handled.findings]
        line.told["decisions"] = [
            (d.decision, d.playbook, d.remediation, d.audit) for d in handled.decisions
        ]
    return intake.answer(handled)


def run_step(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Do what a state machine's state asks for."""
    about = {name: event.get(name) for name in ("do", "remediation", "pass", "step", "index")}
    request = context.aws_request_id
    with Line("step_done", "step_stopped", OUTCOMES, **about, request=request) as line:
        answer = machine.handle(wiring.ours(), event, request, _remaining(context))
        line.told |= answer
    return answer


def on_execution_ended(event: Mapping[str, Any], context: Any) -> str:
    """Close the remediation of an execution that failed, timed out or was stopped."""
    request, detail = context.aws_request_id, event.get("detail", {})
    about = {"request": request, "execution": detail.get("name")}
    with Line("execution_ended", "execution_left_open", **about) as line:
        status = machine.ended(wiring.ours(), detail, request, _remaining(context))
        line.told["status"] = status
    return status


def ingest_firewall_logs(event: Any, context: Any) -> dict[str, Any]:
    """Put the alerts of a delivery of Network Firewall logs on the bus."""
    request = context.aws_request_id
    with Line("logs_ingested", "logs_failed", request=request) as line:
        answer = ingest.ingest(wiring.ours(), event, request)
        line.told |= answer
    return answer


def _remaining(context: Any) -> float:
    return float(context.get_remaining_time_in_millis()) / 1_000
