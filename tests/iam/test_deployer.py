from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib.permissions import iam_action
from firebreak import templates
from firebreak.cloud.calls import CallInfo
from firebreak.deploying.steps import steps
from firebreak.iam import Place
from firebreak.iam.deployer import deployer_policies, text
from firebreak.iam.documents import MANAGED_LIMIT, size
from tests.deploying.clones import Clone, clone
from tests.worlds import HOME

__all__ = ["clone"]

FILE = Path(__file__).resolve().parents[2] / "docs" / "deployer-policy.json"
ANYWHERE = Place("aws", "*", "*", "dev")
HERE = Place("aws", HOME, "us-east-1", "dev")
MOST = 10  # managed policies that a role may have
# Needed where a run fails or goes on after one that did, where something still runs that goes,
# where somebody changed what there is by hand, or where functions are configured so.
RARELY = {
    "cloudformation:DescribeStackEvents",
    "cloudformation:ListStackResources",
    "dynamodb:Scan",
    "iam:DetachRolePolicy",
    "iam:UpdateAssumeRolePolicy",
    "lambda:DeleteFunctionConcurrency",
    "lambda:PutFunctionEventInvokeConfig",
    "lambda:TagResource",
    "lambda:UntagResource",
    "states:PublishStateMachineVersion",
    "states:StopExecution",
}
# Asked for along with another call: for a role that is passed, a version, tags at creation.
ALONG = {"iam:PassRole", "s3:DeleteObjectVersion", "states:TagResource"}


@pytest.fixture
def deployer(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Give a clone whose commands run as a user who has the deployer's policies, and no others."""
    iam = clone.client("iam")
    iam.create_user(UserName="deployer")
    for number, policy in enumerate(deployer_policies(HERE, templates.wanted("dev"))):
        made = iam.create_policy(PolicyName=f"deployer{number}", PolicyDocument=json.dumps(policy))
        iam.attach_user_policy(UserName="deployer", PolicyArn=made["Policy"]["Arn"])
    keys = iam.create_access_key(UserName="deployer")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    return clone


def mine(calls: list[CallInfo]) -> set[str]:
    """Return the IAM actions of the deployer's own calls."""
    return {
        action
        for call in calls
        if call.caller.endswith("user/deployer")
        for action in iam_action(call.service, call.operation)
    }


def test_the_policies_are_enough_and_no_more(deployer: Clone) -> None:
    """A stage is deployed, upgraded and destroyed with them; all that steps ask for is used."""
    first = deployer.deploy("--email", "night@example.org")
    assert 0 == first.exit_code, str(first.exception)
    deployer.retitle("report_root_usage", "Another title")
    deployer.keep_playbooks("report_root_usage")
    planned = deployer.deploy("--plan")
    second = deployer.deploy()
    gone = deployer.destroy("--data")
    declared = {action for step in steps() for each in step.PERMISSIONS for action in each.actions}

    assert [2, 0, 0] == [planned.exit_code, second.exit_code, gone.exit_code], (
        second.exception,
        gone.exception,
    )
    assert [] == sorted(declared - mine(deployer.cloud.calls) - RARELY - ALONG)


def test_each_is_as_long_as_a_managed_policy_may_be() -> None:
    """IAM takes every document as a managed policy, and a role can have them all."""
    policies = deployer_policies(HERE, templates.wanted("dev"))

    assert [] == [size(policy) for policy in policies if size(policy) > MANAGED_LIMIT]
    assert len(policies) <= MOST


def test_no_key_is_used_directly() -> None:
    """What is encrypted is DynamoDB's alone: the ARN of a key tells nothing of whose it is."""
    found = [
        each
        for policy in deployer_policies(HERE, templates.wanted("dev"))
        for each in policy["Statement"]
        if {"kms:CreateGrant", "kms:Decrypt", "kms:Encrypt"} & set(each["Action"])
    ]
    condition = {"StringLike": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com*"}}

    assert [condition] == [each["Condition"] for each in found]


def test_the_committed_policies_are_current() -> None:
    """docs/deployer-policy.json is what the code derives for stage dev, account and region open."""
    wanted = text(deployer_policies(ANYWHERE, templates.wanted("dev")))

    assert wanted == FILE.read_text("utf-8")
