"""Tests of the sizes of IAM policies and of the policies AWS provides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firebreak.cloud import Cloud
from firebreak.cloud.strict.iam_policies import characters
from tests.cloud.strict.conftest import code_of

TRUST: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def document(size: int, indent: int | None = None) -> str:
    """Return a policy of a number of characters, not counting white space."""
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "", "Effect": "Deny", "Action": "*", "Resource": "*"}],
    }
    short = characters(json.dumps(policy))
    policy["Statement"][0]["Sid"] = "x" * (size - short)  # type: ignore[index]  # a list of dicts
    return json.dumps(policy, indent=indent)


@pytest.fixture
def iam(cloud: Cloud) -> Any:
    """Make a role, a user and a group."""
    client = cloud.session().client("iam")
    client.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    client.create_user(UserName="u")
    client.create_group(GroupName="g")
    return client


@pytest.mark.parametrize(("kind", "limit"), [("role", 10_240), ("user", 2_048), ("group", 5_120)])
def test_inline_policies_are_limited(iam: Any, kind: str, limit: int) -> None:
    """Exactly the quota is accepted, one character more is not; white space is free."""
    put = getattr(iam, f"put_{kind}_policy")
    name = {f"{kind.capitalize()}Name": kind[0], "PolicyName": "p"}
    assert code_of(put, **name, PolicyDocument=document(limit, indent=4)) == "ok"
    assert code_of(put, **name, PolicyDocument=document(limit + 1)) == "LimitExceeded"


def test_inline_policies_share_the_quota(iam: Any) -> None:
    """What other inline policies use is not free; replacing one is."""
    put = {"UserName": "u", "PolicyDocument": document(1_100)}
    assert code_of(iam.put_user_policy, **put, PolicyName="one") == "ok"
    assert code_of(iam.put_user_policy, **put, PolicyName="two") == "LimitExceeded"
    assert code_of(iam.put_user_policy, **put, PolicyName="one") == "ok"


def test_trust_policy_is_limited(iam: Any) -> None:
    """A trust policy has at most 2,048 characters."""
    long = json.dumps({**TRUST, "Id": "x" * 2_048})
    code = code_of(iam.update_assume_role_policy, RoleName="r", PolicyDocument=long)
    assert code == "LimitExceeded"


def test_policies_of_aws_can_be_attached(iam: Any) -> None:
    """A managed policy of AWS is there, with its document."""
    deny = "arn:aws:iam::aws:policy/AWSDenyAll"
    assert code_of(iam.attach_user_policy, UserName="u", PolicyArn=deny) == "ok"
    missing = "arn:aws:iam::aws:policy/NoSuchPolicy"
    assert code_of(iam.attach_user_policy, UserName="u", PolicyArn=missing) == "NoSuchEntity"
    version = iam.get_policy(PolicyArn=deny)["Policy"]["DefaultVersionId"]
    shown = iam.get_policy_version(PolicyArn=deny, VersionId=version)["PolicyVersion"]["Document"]
    assert shown["Statement"][0]["Effect"] == "Deny"


def test_ten_policies_can_be_attached(iam: Any) -> None:
    """An eleventh managed policy is refused."""
    arns = [
        iam.create_policy(PolicyName=f"p{n}", PolicyDocument=document(100))["Policy"]["Arn"]
        for n in range(11)
    ]
    codes = [code_of(iam.attach_role_policy, RoleName="r", PolicyArn=arn) for arn in arns]
    assert codes == ["ok"] * 10 + ["LimitExceeded"]


def test_key_belongs_to_its_user(iam: Any) -> None:
    """A key is changed under its own user's name only."""
    iam.create_user(UserName="other")
    key = iam.create_access_key(UserName="u")["AccessKey"]["AccessKeyId"]
    change = {"AccessKeyId": key, "Status": "Inactive"}
    assert code_of(iam.update_access_key, UserName="other", **change) == "NoSuchEntity"
    assert code_of(iam.update_access_key, UserName="nobody", **change) == "NoSuchEntity"
    assert code_of(iam.update_access_key, UserName="u", **change) == "ok"
