"""A fresh embedded AWS for each test, and small state machines to run in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from firebreak.cloud import Cloud

HOME = "111122223333"
MEMBER = "444455556666"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """Start an empty world for one test."""
    with Cloud(home_account=HOME) as world:
        yield world


@pytest.fixture
def start(cloud: Cloud) -> Callable[..., str]:
    """Return a function that makes a state machine of some states and starts it."""

    def start_machine(states: dict[str, Any], given: object = None, name: str = "machine") -> str:
        definition = {"StartAt": next(iter(states)), "States": states}
        machine = cloud.create_state_machine(name, definition)
        started = (
            cloud.session()
            .client("stepfunctions")
            .start_execution(stateMachineArn=machine, input=json.dumps(given or {}))
        )
        return started["executionArn"]

    return start_machine


def task(function: str, **fields: Any) -> dict[str, Any]:
    """Return a Task state that invokes a function with the state's input."""
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
        "OutputPath": "$.Payload",
        **fields,
    }
    return state if "Next" in state else {**state, "End": True}


def token_task(function: str, **fields: Any) -> dict[str, Any]:
    """Return a Task state that hands its token to a function and waits."""
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": function, "Payload": {"token.$": "$$.Task.Token"}},
        **fields,
    }
    return state if "Next" in state else {**state, "End": True}
