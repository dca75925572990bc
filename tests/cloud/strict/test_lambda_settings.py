"""Tests of what is refused of a function's settings, and of what a later one changes."""

from __future__ import annotations

from typing import Any

import pytest

from firebreak.cloud import Cloud
from firebreak.cloud.strict.lambda_settings import limit_concurrency
from tests.cloud.conftest import HOME
from tests.cloud.strict.conftest import code_of

RULE = f"arn:aws:events:us-east-1:{HOME}:rule/r"


@pytest.fixture
def client(cloud: Cloud) -> Any:
    """Add a function; return Lambda of the home account."""
    cloud.add_function("f", lambda event, context: None, timeout=60)
    return cloud.session().client("lambda")


def test_a_statement_is_added_once(client: Any) -> None:
    """An id that is taken is refused; when the last statement goes, so does the policy."""
    statement = {
        "FunctionName": "f",
        "StatementId": "a",
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": RULE,
    }
    client.add_permission(**statement)

    assert "ResourceConflictException" == code_of(client.add_permission, **statement)
    client.remove_permission(FunctionName="f", StatementId="a")
    gone = {"FunctionName": "f", "StatementId": "a"}
    assert "ResourceNotFoundException" == code_of(client.remove_permission, **gone)
    assert "ResourceNotFoundException" == code_of(client.get_policy, FunctionName="f")


def test_a_hundred_stay_unreserved(client: Any, cloud: Cloud) -> None:
    """A reservation that leaves fewer is refused; in a small account every one is."""
    reserve = client.put_function_concurrency
    refused = "InvalidParameterValueException"

    assert refused == code_of(reserve, FunctionName="f", ReservedConcurrentExecutions=901)
    assert "ok" == code_of(reserve, FunctionName="f", ReservedConcurrentExecutions=900)
    assert "ok" == code_of(reserve, FunctionName="f", ReservedConcurrentExecutions=899)
    limit_concurrency(HOME, cloud.region, 10)
    assert refused == code_of(reserve, FunctionName="f", ReservedConcurrentExecutions=1)


def test_asynchronous_invocation_is_configured_anew(client: Any) -> None:
    """Put replaces the whole configuration, update what it names; there is one at a time."""
    destination = {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{HOME}:q"}}
    update = client.update_function_event_invoke_config
    missing = code_of(update, FunctionName="f", MaximumRetryAttempts=1)
    put = client.put_function_event_invoke_config
    put(FunctionName="f", MaximumRetryAttempts=0, DestinationConfig=destination)
    update(FunctionName="f", MaximumRetryAttempts=1)
    changed = client.get_function_event_invoke_config(FunctionName="f")
    put(FunctionName="f", MaximumRetryAttempts=2)
    replaced = client.get_function_event_invoke_config(FunctionName="f")

    assert "ResourceNotFoundException" == missing
    assert (1, destination) == (changed["MaximumRetryAttempts"], changed["DestinationConfig"])
    assert (2, False) == (replaced["MaximumRetryAttempts"], "DestinationConfig" in replaced)


@pytest.mark.parametrize(
    ("seconds", "code"), [("59", "InvalidParameterValueException"), ("60", "ok")]
)
def test_messages_stay_hidden_as_long_as_a_function_runs(
    client: Any, cloud: Cloud, seconds: str, code: str
) -> None:
    """A mapping of a queue whose messages come back sooner is refused."""
    sqs = cloud.session().client("sqs")
    sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": seconds})
    mapping = {"FunctionName": "f", "EventSourceArn": f"arn:aws:sqs:us-east-1:{HOME}:q"}

    assert code == code_of(client.create_event_source_mapping, **mapping)
