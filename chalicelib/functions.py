"""What each Lambda function does: its event in, its answer out, one log line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib import settings, wiring
from chalicelib.errors import Corrupt, NotDecided, Parked, PlanChanged, StepFailed, Transient
from chalicelib.log import Line
from chalicelib.runner.work import Desk

RESERVE = 30.0  # seconds before a function's end in which scheduled work begins nothing more
OUTCOMES = (Parked, PlanChanged, StepFailed)  # what a state machine is told by an error's name


def on_event(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Decide on an event from EventBridge."""
    from chalicelib import intake

    request = context.aws_request_id
    about = {"request": request, "source": str(event.get("source"))[:80]}
    with Line("event_decided", "event_failed", **about) as line:
        handled = intake.handle(_ours(context), wiring.playbooks(), event, request)
        line.told["findings"] = [finding.id for finding in handled.findings]
        line.told["decisions"] = [
            (d.decision, d.playbook, d.remediation, d.audit) for d in handled.decisions
        ]
    return intake.answer(handled)


def run_step(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Do what a state machine's state asks for."""
    from chalicelib import machine

    about = {name: event.get(name) for name in ("do", "remediation", "pass", "step", "index")}
    request = context.aws_request_id
    with Line("step_done", "step_stopped", OUTCOMES, **about, request=request) as line:
        answer = machine.handle(_ours(context), event, request, _remaining(context))
        line.told |= answer
    return answer


def on_execution_ended(event: Mapping[str, Any], context: Any) -> str:
    """Close the remediation of an execution that failed, timed out or was stopped."""
    from chalicelib import machine

    request, detail = context.aws_request_id, event.get("detail", {})
    about = {"request": request, "execution": detail.get("name")}
    with Line("execution_ended", "execution_left_open", **about) as line:
        status = machine.ended(_ours(context), detail, request, _remaining(context))
        line.told["status"] = status
    return status


def ingest_firewall_logs(event: Any, context: Any) -> dict[str, Any]:
    """Put the alerts of a delivery of Network Firewall logs on the bus."""
    from chalicelib import ingest

    request = context.aws_request_id
    with Line("logs_ingested", "logs_failed", request=request) as line:
        answer = ingest.ingest(_ours(context), event, request)
        line.told |= answer
    return answer


def retry_intake(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Try events again that a function failed on; what fails again stays in the retry queue."""
    from chalicelib import retrying

    failed = []
    for record in event["Records"]:
        message = retrying.message_of(record)
        request, remaining = context.aws_request_id, _remaining(context)
        about = {"request": request, "message": message.id, "attempt": message.attempt}
        try:
            with Line("event_retried", "retry_failed", **about) as line:
                desk, books = _ours(context), wiring.playbooks()
                line.told |= retrying.again(desk, books, message, request, remaining)
        except Exception:  # noqa: BLE001  # one event that cannot be handled holds up no other
            failed.append({"itemIdentifier": message.id})
    return {"batchItemFailures": failed}


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold what a caller of the API is answered."""

    status: int
    body: Mapping[str, Any]


def decide(identity: str, asked: Any, context: Any) -> Answer:
    """Approve or deny what waits. asked: the request, with API Gateway's context of it."""
    from chalicelib import deciding

    request = context.aws_request_id
    about = {"request": request, "remediation": identity[:40]}
    try:
        with Line("decided", "not_decided", (NotDecided, Transient), **about) as line:
            told = deciding.decide(_ours(context), identity, asked.context, asked.raw_body, request)
            line.told |= {name: told[name] for name in ("decision", "by", "plan", "message")}
    except NotDecided as wrong:
        first = {"first": wrong.first} if wrong.first else {}
        return Answer(wrong.status, {"error": wrong.code, "message": str(wrong), **first})
    except Transient as busy:
        return Answer(503, {"error": "busy", "message": f"{busy}: try again"})
    except Corrupt as wrong:
        return Answer(500, {"error": "corrupt", "message": str(wrong)})
    return Answer(200, told)


def sweep(_event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Do what is due: reviews asked for, expiries warned of and begun."""
    from chalicelib import sweeping

    desk, request = _ours(context), context.aws_request_id
    with Line("swept", "sweep_failed", request=request) as line:
        answer = sweeping.sweep(desk, request, _until(desk, context))
        line.told |= answer
    return answer


def reconcile(_event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Find what was left undone; repair or report it."""
    from chalicelib import reconciling

    desk, request = _ours(context), context.aws_request_id
    with Line("reconciled", "reconcile_failed", request=request) as line:
        answer = reconciling.reconcile(desk, wiring.playbooks(), request, _until(desk, context))
        line.told |= answer
    return answer


def _until(desk: Desk, context: Any) -> float:
    """Return when scheduled work begins nothing more, in seconds since 1970."""
    return desk.clock.seconds() + _remaining(context) - RESERVE


def keep_audit(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Keep the changes of the audit table's stream; name the first that could not be kept."""
    from chalicelib.outside import keeping

    failed = []
    for change in event["Records"]:
        number = str(change["dynamodb"]["SequenceNumber"])
        about = {"request": context.aws_request_id, "sequence_number": number}
        try:
            with Line("record_kept", "record_not_kept", **about) as line:
                line.told["became"] = keeping.keep(_ours(context), change)
        except Exception:  # noqa: BLE001  # one that cannot be kept holds up no other of its batch
            failed.append(number)
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed[:1]]}


def seal_audit(_event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Seal what was kept of the audit trail since the last seal."""
    from chalicelib.outside import sealing

    with Line("sealed", "not_sealed", request=context.aws_request_id) as line:
        made = sealing.seal(_ours(context))
        answer = {"number": made.number, "heads": made.size, "root": made.root}
        line.told |= answer
    return answer


def _ours(context: Any) -> Desk:
    """Return this process's desk, at home where this function runs."""
    settings.take_home_from(str(context.invoked_function_arn))
    return wiring.ours()


def _remaining(context: Any) -> float:
    return float(context.get_remaining_time_in_millis()) / 1_000
