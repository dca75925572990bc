"""Tests of the functions of a world and of invoking them without waiting."""

from __future__ import annotations

import json
from typing import Any

import boto3
from chalice import Chalice

from firebreak.cloud import Cloud
from tests.cloud.conftest import HOME


class Boom(Exception):
    """An error a function raises."""


def invoke(cloud: Cloud, name: str, event: object, **how: Any) -> tuple[Any, str | None]:
    """Invoke a function; return its payload and what kind of error it is."""
    answer = (
        cloud.session()
        .client("lambda")
        .invoke(FunctionName=name, Payload=json.dumps(event).encode(), **how)
    )
    text = answer["Payload"].read()
    return (json.loads(text) if text else None), answer.get("FunctionError")


def test_asynchronous_invocation_runs_with_two_retries(cloud: Cloud) -> None:
    """An event the function cannot process is tried three times, then kept."""
    tries: list[str] = []

    def fail(event: Any, context: Any) -> None:
        tries.append(context.aws_request_id)
        raise Boom("no")

    cloud.add_function("fail", fail)
    assert invoke(cloud, "fail", {"n": 1}, InvocationType="Event") == (None, None)
    assert len(set(tries)) == 3
    (failed,) = cloud.failed_deliveries
    assert (failed.event, failed.error["errorType"], failed.attempts) == ({"n": 1}, "Boom", 3)


def test_failed_event_goes_to_the_failure_destination(cloud: Cloud) -> None:
    """After the retries, the on-failure destination gets the event and the error."""
    queue = boto3.client("sqs").create_queue(QueueName="failures")["QueueUrl"]

    def fail(event: Any, context: Any) -> None:
        raise Boom("no")

    arn = cloud.add_function("fail", fail)
    destination = {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{HOME}:failures"}}
    boto3.client("lambda").put_function_event_invoke_config(
        FunctionName="fail", MaximumRetryAttempts=1, DestinationConfig=destination
    )
    invoke(cloud, "fail", {"n": 1}, InvocationType="Event")
    message = boto3.client("sqs").receive_message(QueueUrl=queue)["Messages"][0]
    record = json.loads(message["Body"])
    assert record["requestPayload"] == {"n": 1}
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestContext"]["functionArn"].startswith(arn)
    assert record["responsePayload"]["errorType"] == "Boom"


def test_chalice_handlers_take_raw_events(cloud: Cloud) -> None:
    """The attributes of a Chalice app are functions of event and context."""
    app = Chalice(app_name="tiny")

    @app.on_cw_event({"source": ["aws.guardduty"]})
    def on_event(event: Any) -> str:
        return f"{event.detail_type}: {event.detail['id']}"

    @app.lambda_function()
    def run_step(event: Any, context: Any) -> Any:
        return {**event, "request": context.aws_request_id != ""}

    cloud.add_function("on_event", on_event)
    cloud.add_function("run_step", run_step)
    cloud.add_rule("findings", {"source": ["aws.guardduty"]}, "on_event")
    event = {
        "version": "0",
        "id": "1",
        "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty",
        "account": HOME,
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {"id": "f-1"},
    }
    assert cloud.emit(event) == ["GuardDuty Finding: f-1"]
    assert invoke(cloud, "run_step", {"n": 1}) == ({"n": 1, "request": True}, None)
