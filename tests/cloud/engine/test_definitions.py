"""Tests of refusing definitions when a state machine is created or updated."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import Cloud

BAD: dict[str, Any] = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Nowhere"}}}
GOOD: dict[str, Any] = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}


def test_bad_definition_cannot_be_created(cloud: Cloud) -> None:
    """CreateStateMachine refuses it as InvalidDefinition and says where the problem is."""
    with pytest.raises(ClientError, match=r"InvalidDefinition.*there is no state 'Nowhere'"):
        cloud.create_state_machine("m", BAD)
    assert boto3.client("stepfunctions").list_state_machines()["stateMachines"] == []


def test_bad_definition_cannot_replace_a_good_one(cloud: Cloud) -> None:
    """UpdateStateMachine refuses it, and the machine stays as it was."""
    arn = cloud.create_state_machine("m", GOOD)
    states = boto3.client("stepfunctions")
    with pytest.raises(ClientError, match="InvalidDefinition"):
        states.update_state_machine(stateMachineArn=arn, definition=json.dumps(BAD))
    kept = states.describe_state_machine(stateMachineArn=arn)["definition"]
    assert json.loads(kept) == GOOD


def test_definition_is_json(cloud: Cloud) -> None:
    """Text that is not JSON is InvalidDefinition."""
    with pytest.raises(ClientError, match=r"InvalidDefinition.*INVALID_JSON"):
        boto3.client("stepfunctions").create_state_machine(
            name="m", definition="{", roleArn="arn:aws:iam::111122223333:role/r"
        )


def test_what_the_engine_cannot_parse_is_refused(cloud: Cloud) -> None:
    """An expression the engine does not understand fails at creation, not at run time."""
    broken = {
        "Type": "Pass",
        "Parameters": {"x.$": "States.Format($.a"},
        "End": True,
    }
    with pytest.raises(ClientError, match="InvalidDefinition"):
        cloud.create_state_machine("m", {"StartAt": "A", "States": {"A": broken}})
