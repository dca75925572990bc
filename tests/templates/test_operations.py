from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib import retrying
from chalicelib.settings import FUNCTIONS, function_name
from firebreak import templates
from tests.templates.made import HOME, HOME_REGION, STAGE, made

QUEUE = f"arn:aws:sqs:{HOME_REGION}:{HOME}:firebreak-dev"
TOPIC = f"arn:aws:sns:{HOME_REGION}:{HOME}:firebreak-dev-notifications"


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [each for each in made("operations").values() if each["Type"] == f"AWS::{kind}"]


def alarms() -> dict[str, dict[str, Any]]:
    return {
        each["AlarmName"].removeprefix("firebreak-dev-"): each
        for each in of_kind("CloudWatch::Alarm")
    }


def test_the_audit_stream_is_read_from_its_beginning_and_for_ever() -> None:
    """keep_audit is given every change, in order, until it has kept it."""
    mapping = made("operations")["AuditMapping"]

    assert "<imported firebreak-dev-audit-stream>" == mapping["EventSourceArn"]
    assert "firebreak-dev-keep_audit" == mapping["FunctionName"]
    assert ("TRIM_HORIZON", -1, -1, 1, ["ReportBatchItemFailures"]) == (
        mapping["StartingPosition"],
        mapping["MaximumRetryAttempts"],
        mapping["MaximumRecordAgeInSeconds"],
        mapping["ParallelizationFactor"],
        mapping["FunctionResponseTypes"],
    )
    assert "DestinationConfig" not in mapping


def test_the_retry_queue_is_read_event_by_event() -> None:
    """retry_intake is given one event at a time, and says which it failed on."""
    mapping = made("operations")["RetryMapping"]

    assert f"{QUEUE}-retry-intake" == mapping["EventSourceArn"]
    assert "firebreak-dev-retry_intake" == mapping["FunctionName"]
    assert (1, ["ReportBatchItemFailures"]) == (
        mapping["BatchSize"],
        mapping["FunctionResponseTypes"],
    )


def test_what_nobody_waits_for_leads_its_failures_somewhere() -> None:
    """Events are tried again; what schedules begin goes to the dead letters."""
    found = {
        each["FunctionName"]: each["DestinationConfig"]["OnFailure"]["Destination"]
        for each in of_kind("Lambda::EventInvokeConfig")
    }
    scheduled = ("sweep", "reconcile", "seal_audit")

    assert {
        **{function_name(STAGE, f): f"{QUEUE}-retry-intake" for f in retrying.HANDLERS},
        **{function_name(STAGE, f): f"{QUEUE}-dead-letters" for f in scheduled},
    } == found


def test_every_alarm_tells_the_topic() -> None:
    """Each alarm has a name of the stage, tells the topic, and says what to look at."""
    assert {(TOPIC,)} == {tuple(alarm["AlarmActions"]) for alarm in alarms().values()}
    assert all(alarm["AlarmDescription"] for alarm in alarms().values())
    assert all(each["AlarmName"].startswith("firebreak-dev-") for each in alarms().values())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_watched(function: str) -> None:
    """Errors, throttles and time are watched; time against nine tenths of the timeout."""
    found, seconds = alarms(), templates.wanted(STAGE).timeouts[function]

    assert ("Errors", "Throttles", "Duration") == tuple(
        found[f"{function}-{what}"]["MetricName"] for what in ("errors", "throttles", "slow")
    )
    assert seconds * 900 == found[f"{function}-slow"]["Threshold"]
    dimension = {"Name": "FunctionName", "Value": function_name(STAGE, function)}
    assert [dimension] == found[f"{function}-errors"]["Dimensions"]


def test_a_seal_that_is_not_made_is_told() -> None:
    """No invocation of seal_audit for three hours is an alarm: nothing measured counts as none."""
    missing = alarms()["seal-audit-missing"]

    assert ("Invocations", 3_600, 3, "breaching", "LessThanThreshold") == (
        missing["MetricName"],
        missing["Period"],
        missing["EvaluationPeriods"],
        missing["TreatMissingData"],
        missing["ComparisonOperator"],
    )


def test_every_playbook_s_executions_are_watched() -> None:
    """Executions that failed or timed out are watched for each playbook, ten metrics an alarm."""
    found = [alarm for name, alarm in alarms().items() if name.startswith("executions-failed")]
    watched = {
        (metric["MetricName"], metric["Dimensions"][0]["Value"].rpartition(":")[2])
        for alarm in found
        for query in alarm["Metrics"]
        if "MetricStat" in query
        for metric in [query["MetricStat"]["Metric"]]
    }

    assert {
        (metric, f"firebreak-dev-{playbook}")
        for metric in ("ExecutionsFailed", "ExecutionsTimedOut")
        for playbook in templates.wanted(STAGE).playbooks
    } == watched
    assert all(len(alarm["Metrics"]) <= 11 for alarm in found)


def test_queues_streams_and_rules_are_watched() -> None:
    """Dead letters, late retries, a late stream, failed and lost events each have an alarm."""
    found = alarms()

    assert {"dead-letters", "retry-late", "keep_audit-late", "rules-failed", "events-lost"} <= set(
        found
    )
    assert "IteratorAge" == found["keep_audit-late"]["MetricName"]
    assert "ApproximateAgeOfOldestMessage" == found["retry-late"]["MetricName"]


def test_the_dashboard_shows_every_function_and_playbook() -> None:
    """One dashboard, whose graphs name the stage's functions, machines and queues."""
    (dashboard,) = of_kind("CloudWatch::Dashboard")
    body = json.loads(dashboard["DashboardBody"])
    text = json.dumps(body)

    assert [HOME_REGION] * len(body["widgets"]) == [
        widget["properties"]["region"] for widget in body["widgets"]
    ]
    assert [] == [f for f in FUNCTIONS if f'"{function_name(STAGE, f)}"' not in text]
    assert [] == [p for p in templates.wanted(STAGE).playbooks if f"firebreak-dev-{p}" not in text]
