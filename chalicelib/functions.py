"""What each Lambda function does: its event in, its answer out, one log line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from chalicelib import ingest, intake, machine, wiring
from chalicelib.errors import Parked, PlanChanged, StepFailed
from chalicelib.log import log

OUTCOMES = (Parked, PlanChanged, StepFailed)  # what a state machine is told by an error's name


def on_event(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Decide on an event from EventBridge."""
    began = time.monotonic()
    handled = intake.handle(wiring.ours(), wiring.playbooks(), event, context.aws_request_id)
    log().info(
        "event_decided",
        request=context.aws_request_id,
        source=str(event.get("source"))[:80],
        findings=[finding.id for finding in handled.findings],
        decisions=[(d.decision, d.playbook, d.remediation) for d in handled.decisions],
        seconds=round(time.monotonic() - began, 3),
    )
    return intake.answer(handled)


def run_step(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Do what a state machine's state asks for."""
    began = time.monotonic()
    about = {name: event.get(name) for name in ("do", "remediation", "pass", "step", "index")}
    about["request"] = context.aws_request_id
    remaining = context.get_remaining_time_in_millis() / 1_000
    try:
        answer = machine.handle(wiring.ours(), event, context.aws_request_id, remaining)
    except OUTCOMES as outcome:
        log().warning("step_stopped", **about, outcome=type(outcome).__name__, why=str(outcome))
        raise
    log().info("step_done", **about, **answer, seconds=round(time.monotonic() - began, 3))
    return answer


def on_execution_ended(event: Mapping[str, Any], context: Any) -> str:
    """Close the remediation of an execution that failed, timed out or was stopped."""
    remaining = context.get_remaining_time_in_millis() / 1_000
    detail = event.get("detail", {})
    status = machine.ended(wiring.ours(), detail, context.aws_request_id, remaining)
    log().info("execution_ended", name=detail.get("name"), status=status)
    return status


def ingest_firewall_logs(event: Any, context: Any) -> dict[str, Any]:
    """Put the alerts of a delivery of Network Firewall logs on the bus."""
    desk = wiring.ours()
    answer = ingest.ingest(desk, event, context.aws_request_id)
    log().info("logs_ingested", request=context.aws_request_id, **answer)
    return answer
