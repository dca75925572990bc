from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.deploying.clones import Clone
from tests.worlds import HOME

BUCKET = f"firebreak-dev-state-{HOME}-us-east-1"
RECORD, LEASE = "chalice/dev.json", "deploying/dev.json"
TRUST = {"Version": "2012-10-17", "Statement": []}


@pytest.fixture
def deployed(clone: Clone) -> Clone:
    """Give a clone whose stage is deployed, with something to deploy again."""
    assert 0 == clone.deploy().exit_code
    clone.retitle("report_root_usage", "Changed")
    return clone


def put(clone: Clone, key: str, content: Any) -> None:
    """Put something into the state bucket that nobody here wrote."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    clone.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)


def record(clone: Clone) -> dict[str, Any]:
    """Return the stage's record."""
    body = clone.client("s3").get_object(Bucket=BUCKET, Key=RECORD)["Body"].read()
    found: dict[str, Any] = json.loads(body)
    return found


def entry(kind: str, **values: str) -> dict[str, Any]:
    return {"resources": [{"name": "x", "resource_type": kind, **values}]}


DAMAGED = [
    b"[" * 100_000,
    b'{"resources": [',
    {"resources": None},
    {"resources": {"a": 1}},
    {"resources": ["a"]},
    {"resources": [{}]},
    {"resources": [{"name": "x"}]},
    entry("iam_role"),
    entry("iam_role", role_name="Administrator"),
    entry("iam_role", role_name="firebreak-dev-two-run_step"),
    entry("cloudwatch_event", rule_name="everything"),
    entry("lambda_function", lambda_arn=f"arn:aws:lambda:us-east-1:{HOME}:function:firebreak-de"),
]


@pytest.mark.parametrize("content", DAMAGED)
@pytest.mark.parametrize("what", [Clone.deploy, Clone.destroy])
def test_a_record_that_is_damaged_or_of_another_is_refused(
    deployed: Clone, content: Any, what: Callable[[Clone], Any]
) -> None:
    """What a record names is deleted once the stage lacks it; so nothing foreign is believed."""
    put(deployed, RECORD, content)
    roles = deployed.client("iam")
    roles.create_role(RoleName="Administrator", AssumeRolePolicyDocument=json.dumps(TRUST))
    done = what(deployed)

    assert 1 == done.exit_code
    assert f"s3://{BUCKET}/{RECORD}" in str(done.exception)
    assert "put back an older version of it" in str(done.exception)
    assert roles.get_role(RoleName="Administrator")


@pytest.mark.parametrize("what", [Clone.deploy, Clone.destroy])
def test_an_api_on_record_that_is_not_the_stages_is_left_alone(
    deployed: Clone, what: Callable[[Clone], Any]
) -> None:
    """A record that names another API neither overwrites nor deletes it, nor makes a second one."""
    gateway = deployed.client("apigateway")
    (own,) = [each["id"] for each in gateway.get_rest_apis()["items"]]
    other = gateway.create_rest_api(name="bank")["id"]
    known = record(deployed)
    for each in known["resources"]:
        if each["resource_type"] == "rest_api":
            each["rest_api_id"] = other
    put(deployed, RECORD, known)
    done = what(deployed)
    left = {each["id"]: each["name"] for each in gateway.get_rest_apis()["items"]}

    assert 0 == done.exit_code, done.exception
    assert {other: "bank"} == {each: left[each] for each in left if each != own}


@pytest.mark.parametrize("until", ["soon", None, [], 10**18, -1, float("inf"), float("nan"), True])
@pytest.mark.parametrize("what", [Clone.deploy, Clone.destroy])
def test_a_lease_that_is_none_is_said_and_taken_over_when_told(
    deployed: Clone, until: Any, what: Callable[..., Any]
) -> None:
    """A lease without a time is one message, and --take-over gets past it."""
    put(deployed, LEASE, {"who": "arn:aws:iam::1:user/x", "until": until})

    assert f"s3://{BUCKET}/{LEASE} is no lease" in str(what(deployed).exception)
    assert 0 == what(deployed, "--take-over").exit_code
