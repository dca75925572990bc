"""Tests of how large payloads and histories may be."""

from __future__ import annotations

import json
from collections.abc import Callable

import boto3
import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import Cloud
from firebreak.cloud.engine import limits
from tests.cloud.conftest import task, token_task


def text_of(size: int) -> str:
    """Return a text whose JSON has a number of bytes."""
    return "x" * (size - 2)


def test_input_has_262144_bytes(cloud: Cloud) -> None:
    """An input of exactly the limit starts, one byte more is refused."""
    machine = cloud.create_state_machine(
        "m", {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    )
    states = boto3.client("stepfunctions")
    just = json.dumps(text_of(262_144))
    execution = states.start_execution(stateMachineArn=machine, input=just)["executionArn"]
    assert cloud.wait(execution)["status"] == "SUCCEEDED"
    with pytest.raises(ClientError, match="ValidationException"):
        states.start_execution(stateMachineArn=machine, input=just + " ")


def test_input_is_counted_in_bytes(cloud: Cloud) -> None:
    """Characters outside ASCII count as UTF-8."""
    machine = cloud.create_state_machine(
        "m", {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    )
    long = json.dumps("é" * 131_072, ensure_ascii=False)
    with pytest.raises(ClientError, match="ValidationException"):
        boto3.client("stepfunctions").start_execution(stateMachineArn=machine, input=long)


def test_output_of_a_state_is_limited(cloud: Cloud, start: Callable[..., str]) -> None:
    """A state that hands on too much fails with States.DataLimitExceeded."""
    double = {
        "Type": "Pass",
        "Parameters": {"a.$": "$.x", "b.$": "$.x"},
        "End": True,
    }
    ended = cloud.wait(start({"Double": double}, {"x": text_of(150_000)}))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_input_of_a_task_is_limited(cloud: Cloud, start: Callable[..., str]) -> None:
    """Parameters that grow past the limit are not sent."""
    called: list[object] = []
    cloud.add_function("f", lambda event, context: called.append(event))
    parameters = {"FunctionName": "f", "Payload": {"a.$": "$.x", "b.$": "$.x"}}
    ended = cloud.wait(start({"Call": task("f", Parameters=parameters)}, {"x": text_of(150_000)}))
    assert (ended["error"], called) == ("States.DataLimitExceeded", [])


def test_outcome_of_a_token_is_limited(cloud: Cloud, start: Callable[..., str]) -> None:
    """SendTaskSuccess refuses an output over the limit."""
    tokens: list[str] = []
    cloud.add_function("ask", lambda event, context: tokens.append(event["token"]))
    cloud.wait(start({"Ask": token_task("ask")}))
    with pytest.raises(ClientError, match="ValidationException"):
        boto3.client("stepfunctions").send_task_success(
            taskToken=tokens[0], output=json.dumps(text_of(262_145))
        )


def test_history_is_limited(
    cloud: Cloud, start: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An execution that goes round in circles fails when its history is full."""
    monkeypatch.setattr(limits, "MAX_HISTORY_EVENTS", 50)
    again = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.stop", "IsPresent": True, "Next": "End"}],
        "Default": "Pause",
    }
    states = {
        "Pause": {"Type": "Wait", "Seconds": 60, "Next": "Again"},
        "Again": again,
        "End": {"Type": "Succeed"},
    }
    ended = cloud.wait(start(states))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "maximum number of history events" in ended["cause"]


def test_sizes_are_those_of_compact_json() -> None:
    """Spaces that only a pretty printer adds do not count."""
    assert limits.payload_size({"a": [1, 2]}) == len('{"a":[1,2]}')
