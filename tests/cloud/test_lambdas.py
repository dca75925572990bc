"""Tests of running Lambda functions in the process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from firebreak.cloud import Cloud, ProcessKilled, ProcessTimedOut
from tests.cloud.conftest import HOME, task


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


def test_handler_gets_event_and_context(cloud: Cloud) -> None:
    """The context tells of the invocation; every invocation has its own request id."""
    seen: list[Any] = []
    arn = cloud.add_function("f", lambda event, context: seen.append((event, context)), timeout=9)
    invoke(cloud, "f", {"a": 1})
    invoke(cloud, arn, {"a": 2})
    (event, context), (_, other) = seen
    assert event == {"a": 1}
    assert context.aws_request_id != other.aws_request_id
    assert (context.function_name, context.invoked_function_arn) == ("f", arn)
    assert 0 < context.get_remaining_time_in_millis() <= 9000
    assert arn == f"arn:aws:lambda:us-east-1:{HOME}:function:f"


def test_raised_error_is_reported_by_its_class_name(cloud: Cloud) -> None:
    """A caller sees the error's class and text, marked as an unhandled function error."""

    def fail(event: Any, context: Any) -> None:
        raise Boom("why")

    cloud.add_function("fail", fail)
    payload, error = invoke(cloud, "fail", {})
    assert (payload["errorType"], payload["errorMessage"], error) == ("Boom", "why", "Unhandled")
    assert "fail" in payload["stackTrace"][-1]


@pytest.mark.parametrize(
    ("death", "reported"),
    [(ProcessKilled, "Runtime.ExitError"), (ProcessTimedOut, "Sandbox.Timedout")],
)
def test_killed_function_is_reported_as_lambda_does(
    cloud: Cloud, start: Callable[..., str], death: type[ProcessKilled], reported: str
) -> None:
    """Step Functions sees the death of a function under the name Lambda gives it."""

    def die(event: Any, context: Any) -> None:
        raise death

    cloud.add_function("die", die)
    ended = cloud.wait(start({"Die": task("die")}))
    assert (ended["status"], ended["error"]) == ("FAILED", reported)


def test_answer_that_is_no_json_is_an_error(cloud: Cloud) -> None:
    """A handler must return what can be marshalled."""
    cloud.add_function("f", lambda event, context: {"a set"})
    payload, error = invoke(cloud, "f", {})
    assert (payload["errorType"], error) == ("Runtime.MarshalError", "Unhandled")
