"""The Lambda functions: each decorates, calls one function, returns."""

from typing import Any

from chalice.app import Chalice, CloudWatchEvent, IAMAuthorizer, Rate, Response

app = Chalice(app_name="firebreak")
api_handler = app  # what API Gateway invokes, under Chalice's name for it
app.log.propagate = False

EVENTS = {
    "source": [
        "aws.guardduty",
        "aws.config",
        "aws.network-firewall",
        "firebreak.network-firewall",
    ],
    "detail-type": [
        "GuardDuty Finding",
        "GuardDuty Malware Protection Object Scan Result",
        "Config Rules Compliance Change",
        "Firewall Configuration Changed",
        "Firewall Attachment Status Changed",
        "Firewall Transit Gateway Attachment Status Changed",
        "Network Firewall Alert",
    ],
}
ENDED = {
    "source": ["aws.states"],
    "detail-type": ["Step Functions Execution Status Change"],
    "detail": {
        "status": ["FAILED", "TIMED_OUT", "ABORTED"],
        "stateMachineArn": [{"wildcard": "*:stateMachine:firebreak-*"}],
    },
}


@app.on_cw_event(EVENTS)
def on_event(event: CloudWatchEvent) -> dict[str, Any]:
    """Decide on a finding and start the playbooks that it matches."""
    from chalicelib import functions

    return functions.on_event(event.to_dict(), event.context)


@app.lambda_function()
def run_step(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do one step of a remediation, for its state machine."""
    from chalicelib import functions

    return functions.run_step(event, context)


@app.on_cw_event(ENDED)
def on_execution_ended(event: CloudWatchEvent) -> str:
    """Close the remediation of an execution that did not end as it should."""
    from chalicelib import functions

    return functions.on_execution_ended(event.to_dict(), event.context)


@app.lambda_function()
def ingest_firewall_logs(event: Any, context: Any) -> dict[str, Any]:
    """Read Network Firewall alert logs and put each alert on the bus."""
    from chalicelib import functions

    return functions.ingest_firewall_logs(event, context)


@app.lambda_function()
def retry_intake(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Try events again that a function failed on, for the retry queue."""
    from chalicelib import functions

    return functions.retry_intake(event, context)


@app.schedule(Rate(5, unit=Rate.MINUTES))
def sweep(event: CloudWatchEvent) -> dict[str, Any]:
    """Ask about what is due for review, and take back what expired."""
    from chalicelib import functions

    return functions.sweep(event.to_dict(), event.context)


@app.schedule(Rate(15, unit=Rate.MINUTES))
def reconcile(event: CloudWatchEvent) -> dict[str, Any]:
    """Find what events and executions left undone; repair or report it."""
    from chalicelib import functions

    return functions.reconcile(event.to_dict(), event.context)


@app.lambda_function()
def keep_audit(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Keep each record of the audit table's stream outside the table."""
    from chalicelib import functions

    return functions.keep_audit(event, context)


@app.schedule(Rate(1, unit=Rate.HOURS))
def seal_audit(event: CloudWatchEvent) -> dict[str, Any]:
    """Sign what was kept of the audit trail since the last seal."""
    from chalicelib import functions

    return functions.seal_audit(event.to_dict(), event.context)


@app.route("/remediations/{identity}/decision", methods=["POST"], authorizer=IAMAuthorizer())
def decide(identity: str) -> Response:
    """Approve or deny a remediation that waits, as the caller whom AWS authenticated."""
    from chalicelib import functions

    answer = functions.decide(identity, app.current_request, app.lambda_context)
    return Response(answer.body, status_code=answer.status)
