"""Tests of the policies of functions and state machines."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from chalicelib import grants, retrying
from chalicelib.errors import InvalidSettings
from chalicelib.settings import API, FUNCTIONS
from firebreak import iam
from firebreak.iam.documents import INLINE_LIMIT, size
from firebreak.reference import resource_types

LONGEST = iam.Place("aws-us-gov", "123456789012", "ap-southeast-2", "nineteen-characters")
BUCKETS = tuple(f"{n}{'b' * 61}" for n in range(20))
AUDIT = ("keep_audit", "seal_audit")


def statements(function: str, *buckets: str) -> list[dict[str, Any]]:
    """Return the statements of a function's policy."""
    found: list[dict[str, Any]] = iam.function_policy(function, LONGEST, buckets)["Statement"]
    return found


def allowed(function: str) -> set[str]:
    """Return the IAM actions that a function may do."""
    return {action for each in statements(function) for action in each["Action"]}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_policy_fits(function: str) -> None:
    """Whatever the stage is called, and with twenty buckets, a policy is short enough for IAM."""
    assert size(iam.function_policy(function, LONGEST, BUCKETS)) < INLINE_LIMIT


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_permission_is_limited_where_aws_lets_it_be(function: str) -> None:
    """Only what cannot be limited to resources is allowed on all of them."""
    for each in statements(function):
        limitable = [a for a in each["Action"] if resource_types(*a.split(":"))]

        assert ([] == limitable) == (["*"] == each["Resource"])
        assert [] == [arn for arn in each["Resource"] if "{" in arn]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_statement_is_named_once(function: str) -> None:
    """Each statement has a name of its own, of letters and digits alone."""
    names = [each["Sid"] for each in statements(function)]

    assert len(names) == len(set(names))
    assert all(re.fullmatch("[A-Za-z0-9]+", name) for name in names)


def test_the_trail_and_the_tables_are_in_different_hands() -> None:
    """What keeps and seals the trail writes no table; nothing else touches bucket or key."""
    for function in FUNCTIONS:
        tables = {a for a in allowed(function) if a.startswith("dynamodb:")}
        trail = {a for a in allowed(function) if a.startswith(("s3:", "kms:"))}

        assert (set() == trail) == (function not in AUDIT)
        assert (function in AUDIT) == (tables <= {f"dynamodb:{each}" for each in STREAM})


STREAM = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")


def test_failures_can_be_led_away() -> None:
    """What is invoked asynchronously may send to the queue that its failures are led to."""
    ends = {
        function: {arn.rpartition(":")[2] for each in statements(function) for arn in to(each)}
        for function in FUNCTIONS
    }
    stage = LONGEST.stage

    for function in FUNCTIONS:
        assert (function in retrying.HANDLERS) == (
            f"firebreak-{stage}-retry-intake" in ends[function]
        )
    letters = {name for name, each in ends.items() if f"firebreak-{stage}-dead-letters" in each}
    assert {"sweep", "reconcile", "seal_audit", "retry_intake"} == letters


def to(statement: dict[str, Any]) -> list[str]:
    """Return the queues that a statement lets be sent to."""
    return statement["Resource"] if "sqs:SendMessage" in statement["Action"] else []


def test_log_objects_are_read_of_named_buckets_only() -> None:
    """Without a bucket no object can be read; with one, its objects, by those who read logs."""
    for function in FUNCTIONS:
        (*reading,) = [s["Resource"] for s in statements(function, "logs") if "Read" in s["Sid"]]
        readers = {"ingest_firewall_logs", "retry_intake"}

        assert (["arn:aws-us-gov:s3:::logs/*"] in reading) == (function in readers)
    assert "s3:GetObject" not in allowed("ingest_firewall_logs")


def test_home_actions_run_in_run_step() -> None:
    """What an action at home declares, the role of run_step has."""
    from chalicelib.actions import actions

    declared = {p for a in actions().values() if a.at == "home" for p in a.permissions}

    assert declared <= allowed("run_step")


def test_functions_have_their_own_logs() -> None:
    """A function writes the log group of its own name; the API's is called like the stage."""
    groups = {
        function: arn.split(":")[6]
        for function in FUNCTIONS
        for each in statements(function)
        if each["Sid"] == "WriteOwnLog"
        for arn in each["Resource"]
    }

    assert "/aws/lambda/firebreak-nineteen-characters" == groups[API]
    assert "/aws/lambda/firebreak-nineteen-characters-sweep" == groups["sweep"]
    assert len(FUNCTIONS) == len(set(groups.values()))


def test_machines_invoke_one_function() -> None:
    """The state machines' role does nothing but invoke run_step."""
    (only,) = iam.machine_policy(LONGEST)["Statement"]

    assert ["lambda:InvokeFunction"] == only["Action"]
    assert [
        "arn:aws-us-gov:lambda:ap-southeast-2:123456789012:function:"
        "firebreak-nineteen-characters-run_step"
    ] == only["Resource"]


def test_an_unknown_function_is_said() -> None:
    """Who misspells a function is told which there are."""
    with pytest.raises(InvalidSettings, match=r"function 'sweap': there are on_event, .*sweep"):
        iam.function_policy("sweap", LONGEST)


def test_a_template_gets_what_cloudformation_fills_in() -> None:
    """With pseudo parameters, every place in an ARN is left to CloudFormation."""
    text = json.dumps([iam.function_policy(each, iam.pseudo("dev")) for each in FUNCTIONS])

    assert "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:firebreak-dev-" in text
    assert "arn:aws:" not in text


def test_a_policy_has_one_text() -> None:
    """A policy made twice is the same, in every order."""
    for function in FUNCTIONS:
        assert json.dumps(iam.function_policy(function, LONGEST)) == json.dumps(
            iam.function_policy(function, LONGEST)
        )
        for each in grants.grants(function):
            assert each.actions
