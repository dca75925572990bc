"""Tests of who may assume a role."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import Cloud
from tests.cloud.conftest import HOME, MEMBER

ROLE = f"arn:aws:iam::{MEMBER}:role/act"
ROOT = {"AWS": f"arn:aws:iam::{HOME}:root"}


def trust(cloud: Cloud, principal: Any = ROOT, **statement: Any) -> None:
    """Create the member's role with a trust policy."""
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **statement}
        ],
    }
    cloud.session(MEMBER).client("iam").create_role(
        RoleName="act", AssumeRolePolicyDocument=json.dumps(document)
    )


def assume(**params: Any) -> str:
    """Assume the role; return the error's code, or `ok`."""
    request = {"RoleArn": ROLE, "RoleSessionName": "firebreak", **params}
    try:
        boto3.client("sts").assume_role(**request)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def test_role_must_exist(cloud: Cloud) -> None:
    """A role that does not exist is AccessDenied, as one that does not admit the caller."""
    assert assume() == "AccessDenied"
    trust(cloud)
    assert assume() == "ok"


@pytest.mark.parametrize("account", ["abc", "1234567890123", "12345678901"])
def test_account_ids_have_twelve_digits(cloud: Cloud, account: str) -> None:
    """Anything else in the ARN is a ValidationError."""
    assert assume(RoleArn=f"arn:aws:iam::{account}:role/act") == "ValidationError"


def test_trust_policy_names_its_principal(cloud: Cloud) -> None:
    """A role that trusts another account admits nobody else."""
    trust(cloud, {"AWS": "arn:aws:iam::999900001111:root"})
    assert assume() == "AccessDenied"


def test_external_id_must_match(cloud: Cloud) -> None:
    """A trust policy may ask for an external id."""
    trust(cloud, Condition={"StringEquals": {"sts:ExternalId": "secret"}})
    assert assume() == "AccessDenied"
    assert assume(ExternalId="guess") == "AccessDenied"
    assert assume(ExternalId="secret") == "ok"


def test_principal_arn_is_the_functions_role(cloud: Cloud) -> None:
    """A trust policy on aws:PrincipalArn admits the function whose role that is."""
    role = f"arn:aws:iam::{HOME}:role/firebreak-run-step"
    trust(cloud, Condition={"ArnEquals": {"aws:PrincipalArn": role}})
    codes: list[str] = []
    for name in ("firebreak-run-step", "other"):
        cloud.add_function(name, lambda event, context: codes.append(assume()), role_name=name)
        boto3.client("lambda").invoke(FunctionName=name)
    assert (codes, assume()) == (["ok", "AccessDenied"], "AccessDenied")


def test_organization_can_be_required(cloud: Cloud) -> None:
    """aws:PrincipalOrgID is the organisation the caller's account belongs to."""
    organization = boto3.client("organizations").create_organization(FeatureSet="ALL")
    identifier = organization["Organization"]["Id"]
    trust(cloud, Condition={"StringEquals": {"aws:PrincipalOrgID": identifier}})
    assert assume() == "ok"


def test_caller_needs_the_permission_too(cloud: Cloud) -> None:
    """A function whose own policy does not allow sts:AssumeRole is refused."""
    trust(cloud)
    codes: list[str] = []
    other = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    nothing = {"Version": "2012-10-17", "Statement": [other]}
    cloud.add_function("f", lambda event, context: codes.append(assume()), nothing)
    boto3.client("lambda").invoke(FunctionName="f")
    assert codes == ["AccessDenied"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Policy": json.dumps({"Statement": [], "x": "y" * 2048})}, "ValidationError"),
        ({"Policy": "{"}, "MalformedPolicyDocument"),
        ({"Policy": "[]"}, "MalformedPolicyDocument"),
        ({"RoleSessionName": "not allowed"}, "ValidationError"),
        ({"RoleSessionName": "x" * 65}, "ValidationError"),
        ({"DurationSeconds": 899}, "ValidationError"),
        ({"DurationSeconds": 3601}, "ValidationError"),
        ({"DurationSeconds": 3600}, "ok"),
    ],
)
def test_parameters_are_checked(cloud: Cloud, params: dict[str, Any], code: str) -> None:
    """Sizes, names, durations and session policies are held to STS's limits."""
    trust(cloud)
    assert assume(**params) == code


def test_chained_sessions_last_an_hour(cloud: Cloud) -> None:
    """A function's role may assume another for an hour at most, whatever that one allows."""
    trust(cloud)
    cloud.session(MEMBER).client("iam").update_role(RoleName="act", MaxSessionDuration=7200)
    codes: list[str] = []
    cloud.add_function("f", lambda event, context: codes.append(assume(DurationSeconds=7200)))
    boto3.client("lambda").invoke(FunctionName="f")
    assert (codes, assume(DurationSeconds=7200)) == (["ValidationError"], "ok")
