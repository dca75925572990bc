"""The Lambda functions: each decorates, calls one function, returns."""

from typing import Any

from chalice.app import Chalice, CloudWatchEvent

app = Chalice(app_name="firebreak")
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
