from __future__ import annotations

import json
import re
import string
from typing import Any

import pytest

from chalicelib.actions import Action, actions
from chalicelib.errors import Failed
from chalicelib.policy import Scope, session_policy

AT_MOST = 1_600  # of AWS's 2,048 characters: what is packed beside the policy also counts
SCOPE = Scope(
    "aws-us-gov",
    "123456789012",
    "ap-southeast-2",
    "arn:aws-us-gov:sns:ap-southeast-2:123456789012:firebreak-nineteen-characters-notifications",
    "nineteen-characters",
)
LONGEST: dict[str, str] = {  # of each parameter that stands in an ARN, what AWS lets it be
    "arn": "arn:aws-us-gov:ec2:ap-southeast-2:123456789012:network-interface/eni-" + "0" * 100,
    "bucket": "b" * 63,
    "firewall_name": "f" * 128,
    "group_id": "sg-" + "0" * 17,
    "instance_id": "i-" + "0" * 17,
    "role_name": "r" * 64,
    "user_name": "u" * 64,
}
AT_RESOURCE = {name: each for name, each in actions().items() if each.at == "resource"}


def templates(action: Action) -> list[str]:
    return [template for formats in action.target.values() for template in formats]


def in_arns(action: Action) -> set[str]:
    """Return the parameters that an action's ARNs are made of."""
    names = {n for t in templates(action) for _, n, _, _ in string.Formatter().parse(t) if n}
    return names & set(action.params)


def policy(action: Action, **params: Any) -> list[dict[str, Any]]:
    """Return the statements of an action's session policy."""
    document = json.loads(session_policy(action, {**LONGEST, **params}, SCOPE))
    assert "2012-10-17" == document["Version"]
    statements: list[dict[str, Any]] = document["Statement"]
    return statements


@pytest.mark.parametrize("name", actions())
def test_a_session_policy_is_short_enough(name: str) -> None:
    """Whatever an action's parameters, its session policy stays well under what AWS takes."""
    action = actions()[name]

    assert in_arns(action) <= set(LONGEST)
    assert len(session_policy(action, LONGEST, SCOPE)) < AT_MOST


@pytest.mark.parametrize("name", AT_RESOURCE)
def test_a_session_policy_allows_what_is_declared_once(name: str) -> None:
    """Each permission that an action declares is in one statement, and nothing else is."""
    action = AT_RESOURCE[name]
    statements = policy(action)

    assert sorted(action.permissions) == sorted(a for each in statements for a in each["Action"])
    assert {"Allow"} == {each["Effect"] for each in statements}


@pytest.mark.parametrize("name", AT_RESOURCE)
def test_a_session_policy_is_bound_to_its_region(name: str) -> None:
    """What is regional is allowed in the step's region only."""
    for statement in policy(AT_RESOURCE[name]):
        services = {permission.partition(":")[0] for permission in statement["Action"]}
        bound = {"StringEquals": {"aws:RequestedRegion": SCOPE.region}}

        assert (services <= {"iam", "s3", "sts"}) != (bound == statement.get("Condition"))


NARROWED = [
    ("revoke_role_sessions", {"role_name": "web"}, "iam:PutRolePolicy", "iam::{a}:role/web"),
    ("deactivate_access_key", {"user_name": "joe"}, "iam:UpdateAccessKey", "iam::{a}:user/joe"),
    (
        "block_bucket_public_access",
        {"bucket": "shop"},
        "s3:PutBucketPublicAccessBlock",
        "s3:::shop",
    ),
    (
        "protect_from_termination",
        {"instance_id": "i-12345678"},
        "ec2:ModifyInstanceAttribute",
        "ec2:{r}:{a}:instance/i-12345678",
    ),
    (
        "revoke_open_ingress",
        {"group_id": "sg-12345678"},
        "ec2:RevokeSecurityGroupIngress",
        "ec2:{r}:{a}:security-group/sg-12345678",
    ),
]


@pytest.mark.parametrize(("name", "params", "permission", "arn"), NARROWED)
def test_a_session_policy_is_narrowed_to_its_target(
    name: str, params: dict[str, str], permission: str, arn: str
) -> None:
    """A step's session can change what the step is about; of users and roles the path is open."""
    (resources,) = [
        s["Resource"] for s in policy(actions()[name], **params) if permission in s["Action"]
    ]
    wanted = f"arn:{SCOPE.partition}:" + arn.format(a=SCOPE.account, r=SCOPE.region)

    assert wanted in [re.sub("(role|user)/[*]/?", r"\1/", each) for each in resources]
    assert "*" not in resources


WIDENING = ["*", "a*", "a?", "${aws:username}", "$", 'a"', "a b", "a\n", "a\\", "é", "\u2028", ""]


@pytest.mark.parametrize("value", WIDENING, ids=ascii)
@pytest.mark.parametrize(
    ("name", "parameter"), [(n, p) for n, each in AT_RESOURCE.items() for p in in_arns(each)]
)
def test_a_parameter_cannot_widen_a_policy(name: str, parameter: str, value: str) -> None:
    """A value with a wildcard, a variable or a quote in it, or with nothing, is refused."""
    with pytest.raises(Failed, match="cannot stand in an ARN"):
        policy(AT_RESOURCE[name], **{parameter: value})


@pytest.mark.parametrize("parameter", ["account", "region", "partition", "stage", "topic_arn"])
def test_a_parameter_cannot_move_a_policy(parameter: str) -> None:
    """Account, region and partition are those the step acts in, whatever its parameters are."""
    action = actions()["revoke_open_ingress"]
    moved = session_policy(action, {**LONGEST, parameter: "elsewhere"}, SCOPE)

    assert session_policy(action, LONGEST, SCOPE) == moved


def test_a_parameter_that_is_not_given_narrows_nothing() -> None:
    """Where the target is only found by looking, the policy holds for all of its kind."""
    (resources,) = [
        each["Resource"]
        for each in policy(actions()["revoke_role_sessions"], role_name=None)
        if "iam:PutRolePolicy" in each["Action"]
    ]

    assert ["*"] == resources


def test_a_policy_that_is_too_long_is_refused() -> None:
    """A policy that AWS would not take fails the step with its length, before AWS is asked."""
    with pytest.raises(Failed, match="characters, AWS takes 2,048"):
        policy(actions()["block_bucket_public_access"], bucket="b" * 2_048)


def test_the_same_step_has_the_same_policy() -> None:
    """A policy is the key of a cached session: its text does not vary."""
    for action in AT_RESOURCE.values():
        again = dict(reversed(LONGEST.items()))

        assert session_policy(action, LONGEST, SCOPE) == session_policy(action, again, SCOPE)
