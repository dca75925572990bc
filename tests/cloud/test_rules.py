"""Tests of EventBridge rules and what they deliver."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from firebreak.cloud import Cloud
from tests.cloud.conftest import HOME, MEMBER


class Boom(Exception):
    """An error a function raises."""


def entry(**fields: Any) -> dict[str, Any]:
    """Return an entry for PutEvents."""
    return {"Source": "firebreak.x", "DetailType": "Alert", "Detail": '{"n": 1}', **fields}


@pytest.fixture
def seen(cloud: Cloud) -> list[Any]:
    """Add a rule whose function keeps what it is given."""
    kept: list[Any] = []
    cloud.add_function("keep", lambda event, context: kept.append(event))
    cloud.add_rule("alerts", {"source": [{"prefix": "firebreak."}]}, "keep")
    return kept


def test_put_event_arrives_in_its_envelope(cloud: Cloud, seen: list[Any]) -> None:
    """A matching rule's function gets the full envelope."""
    response = boto3.client("events").put_events(Entries=[entry(Resources=["arn:x"])])
    (event,) = seen
    assert event["id"] == response["Entries"][0]["EventId"]
    assert {key: event[key] for key in event if key not in ("id", "time")} == {
        "version": "0",
        "detail-type": "Alert",
        "source": "firebreak.x",
        "account": HOME,
        "region": "us-east-1",
        "resources": ["arn:x"],
        "detail": {"n": 1},
    }
    assert event["time"].endswith("Z")


def test_rule_that_does_not_match_or_is_disabled_stays_silent(
    cloud: Cloud, seen: list[Any]
) -> None:
    """Only enabled rules whose pattern matches deliver."""
    events = boto3.client("events")
    events.put_events(Entries=[entry(Source="other")])
    events.disable_rule(Name="alerts")
    events.put_events(Entries=[entry()])
    assert seen == []


def test_customers_cannot_speak_as_aws(cloud: Cloud, seen: list[Any]) -> None:
    """An entry whose source begins with `aws.` is refused, the others are taken."""
    entries = [entry(Source="aws.guardduty"), entry()]
    response = boto3.client("events").put_events(Entries=entries)
    assert response["FailedEntryCount"] == 1
    assert response["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
    assert len(seen) == 1


def test_malformed_detail_is_refused(cloud: Cloud, seen: list[Any]) -> None:
    """The detail is the text of a JSON object."""
    response = boto3.client("events").put_events(Entries=[entry(Detail="[1]"), entry(Detail="{")])
    assert [e["ErrorCode"] for e in response["Entries"]] == ["MalformedDetail", "MalformedDetail"]


def test_emit_speaks_as_aws_and_returns_what_handlers_return(cloud: Cloud) -> None:
    """An event from AWS reaches every matching rule; a failed handler gives its error report."""

    def fail(event: Any, context: Any) -> None:
        raise Boom("no")

    cloud.add_function("one", lambda event, context: 1)
    cloud.add_function("fail", fail)
    for name in ("one", "fail"):
        cloud.add_rule(name, {"source": ["aws.config"]}, name)
    one, failed = cloud.emit({"source": "aws.config", "detail-type": "x", "detail": {}})
    assert (one, failed["errorType"]) == (1, "Boom")
    assert [f.attempts for f in cloud.failed_deliveries] == [3]


def test_emit_refuses_what_eventbridge_cannot_carry(cloud: Cloud) -> None:
    """An event of more than 1 MB cannot come from EventBridge."""
    with pytest.raises(ValueError, match="bytes"):
        cloud.emit({"source": "aws.x", "detail": {"x": "y" * 1_048_576}})


def test_rule_without_a_function_uses_its_dead_letter_queue(cloud: Cloud) -> None:
    """What EventBridge cannot hand over goes to the target's dead-letter queue."""
    sqs = boto3.client("sqs")
    queue = sqs.create_queue(QueueName="dead")["QueueUrl"]
    dead = f"arn:aws:sqs:us-east-1:{HOME}:dead"
    cloud.add_rule("gone", {"source": ["firebreak.x"]}, "nobody", dead_letter_arn=dead)
    boto3.client("events").put_events(Entries=[entry()])
    body = json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    assert body["detail"] == {"n": 1}
    assert [f.error["errorType"] for f in cloud.failed_deliveries] == ["RESOURCE_NOT_FOUND"]


def forward(cloud: Cloud) -> None:
    """Forward a member's events to the home account's default bus."""
    events = cloud.session(MEMBER).client("events")
    events.put_rule(Name="forward", EventPattern=json.dumps({"source": ["firebreak.x"]}))
    bus = f"arn:aws:events:us-east-1:{HOME}:event-bus/default"
    events.put_targets(Rule="forward", Targets=[{"Id": "home", "Arn": bus}])


def test_forwarded_event_keeps_its_account(cloud: Cloud, seen: list[Any]) -> None:
    """A bus that admits the account gets its events as they were."""
    forward(cloud)
    boto3.client("events").put_permission(
        Action="events:PutEvents", Principal=MEMBER, StatementId="member"
    )
    cloud.session(MEMBER).client("events").put_events(Entries=[entry()])
    assert [event["account"] for event in seen] == [MEMBER]


def test_bus_does_not_admit_strangers(cloud: Cloud, seen: list[Any]) -> None:
    """Without a permission on the bus, an event of another account is not delivered."""
    forward(cloud)
    cloud.session(MEMBER).client("events").put_events(Entries=[entry()])
    assert seen == []
    assert [f.error["errorType"] for f in cloud.failed_deliveries] == ["NO_PERMISSIONS"]


def test_queue_targets_get_the_envelope(cloud: Cloud) -> None:
    """Queues are served too."""
    sqs = boto3.client("sqs")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    events = boto3.client("events")
    events.put_rule(Name="r", EventPattern=json.dumps({"detail": {"n": [1]}}))
    arn = f"arn:aws:sqs:us-east-1:{HOME}:q"
    events.put_targets(Rule="r", Targets=[{"Id": "q", "Arn": arn}])
    events.put_events(Entries=[entry()])
    body = json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    assert (body["source"], body["detail"]) == ("firebreak.x", {"n": 1})
