"""Tests of whose permissions a stack is made with, and that one that is missing is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firebreak.cloud import Cloud
from firebreak.iam.handlers import handler_permissions
from tests.cloud.conftest import HOME
from tests.cloud.stacks.conftest import Stacks, template
from tests.cloud.stacks.kitchen import kitchen

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{HOME}:root"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def needed(resources: dict[str, Any]) -> set[str]:
    """Return everything that a deployer of resources needs."""
    found = handler_permissions({"Resources": resources}, tagged=False)
    return {action for each in found.values() for part in each.values() for action in part}


def allow(*actions: str, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": resource}


def caller(cloud: Cloud, *statements: dict[str, Any]) -> Stacks:
    """Return CloudFormation as a role sees it that may call it, and has these statements."""
    import boto3

    iam, policy = cloud.session().client("iam"), [allow("cloudformation:*"), *statements]
    iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(TRUST))
    document = {"Version": "2012-10-17", "Statement": policy}
    iam.put_role_policy(RoleName="deployer", PolicyName="p", PolicyDocument=json.dumps(document))
    assumed = (
        cloud.session()
        .client("sts")
        .assume_role(RoleArn=f"arn:aws:iam::{HOME}:role/deployer", RoleSessionName="someone")[
            "Credentials"
        ]
    )
    session = boto3.Session(
        assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"], "us-east-1"
    )
    return Stacks(session.client("cloudformation"))


def test_what_the_handlers_need_is_enough(cloud: Cloud) -> None:
    """With what is derived from the template, every embedded type is made, changed and deleted."""
    cloud.add_function("fun", lambda event, context: event)
    both = {**{f"{k}1": v for k, v in kitchen(1).items()}, **kitchen(2)}
    stacks = caller(cloud, allow(*needed(both)))
    stacks.create("s", template(kitchen(1)))
    stacks.update("s", template(kitchen(2)))
    assert ({}, "UPDATE_COMPLETE") == (stacks.reasons("s"), stacks.status("s"))

    stacks.client.delete_stack(StackName="s")
    assert [] == stacks.client.describe_stacks()["Stacks"]


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("Alias", "kms:CreateAlias"),
        ("Bucket", "s3:PutLifecycleConfiguration"),
        ("Filter", "iam:PassRole"),
        ("Group", "logs:PutRetentionPolicy"),
        ("Queue", "sqs:CreateQueue"),
        ("Role", "iam:PutRolePolicy"),
        ("Table", "dynamodb:UpdateContinuousBackups"),
        ("Topic", "sns:CreateTopic"),
    ],
)
def test_a_missing_permission_is_named(cloud: Cloud, name: str, missing: str) -> None:
    """Without one action the resource that needs it fails, and its reason names the action."""
    cloud.add_function("fun", lambda event, context: event)
    stacks = caller(cloud, allow(*needed(kitchen(1)) - {missing}))
    stacks.create("s", template(kitchen(1)))

    assert stacks.status("s").startswith("ROLLBACK_")
    reasons = stacks.reasons("s")
    told = f"is not authorized to perform: {missing} on resource: "
    assert any(told in reason for reason in reasons.values()), reasons
    assert told in reasons.get(name, told)


def test_permission_is_asked_on_the_resource(cloud: Cloud) -> None:
    """A policy for some names allows these names only."""
    actions = needed({"Queue": QUEUE})
    stacks = caller(cloud, allow(*actions, resource=f"arn:aws:sqs:us-east-1:{HOME}:firebreak-*"))
    named = {**QUEUE, "Properties": {"QueueName": "firebreak-q"}}
    stacks.create("good", template({"Queue": named}))
    stacks.create("bad", template({"Queue": QUEUE}))

    assert "CREATE_COMPLETE" == stacks.status("good")
    assert f"arn:aws:sqs:us-east-1:{HOME}:q " in stacks.reasons("bad")["Queue"]


def test_a_deletion_that_is_not_allowed(cloud: Cloud) -> None:
    """DELETE_FAILED names the action; the resource is still there."""
    stacks = caller(cloud, allow(*needed({"Queue": QUEUE}) - {"sqs:DeleteQueue"}))
    stacks.create("s", template({"Queue": QUEUE}))
    stacks.client.delete_stack(StackName="s")

    assert "DELETE_FAILED" == stacks.status("s")
    assert "sqs:DeleteQueue" in stacks.reasons("s")["Queue"]


def test_a_service_role(cloud: Cloud) -> None:
    """With a role handed over, the role's permissions count, not the caller's."""
    iam = cloud.session().client("iam")
    iam.create_role(RoleName="service", AssumeRolePolicyDocument=json.dumps(TRUST))
    document = {"Version": "2012-10-17", "Statement": [allow(*needed({"Queue": QUEUE}))]}
    iam.put_role_policy(RoleName="service", PolicyName="p", PolicyDocument=json.dumps(document))
    role = f"arn:aws:iam::{HOME}:role/service"
    stacks = caller(cloud, allow("iam:PassRole"))
    stacks.create("with", template({"Queue": QUEUE}), RoleARN=role)
    stacks.create("without", template({"Topic": {"Type": "AWS::SNS::Topic"}}))

    assert "CREATE_COMPLETE" == stacks.status("with")
    assert "sns:CreateTopic" in stacks.reasons("without")["Topic"]


def test_conditions_on_what_is_made(cloud: Cloud) -> None:
    """A boundary, a tag and the way over CloudFormation are keys that conditions can ask for."""
    tagged = {"Tags": [{"Key": "project", "Value": "firebreak"}]}
    role = kitchen(2)["Role"]["Properties"] | {"ManagedPolicyArns": []} | tagged
    wanted = {"Role": {"Type": "AWS::IAM::Role", "Properties": role}}
    boundary = f"arn:aws:iam::{HOME}:policy/b"
    iam = cloud.session().client("iam")
    iam.create_policy(
        PolicyName="b", PolicyDocument=json.dumps(role["Policies"][0]["PolicyDocument"])
    )
    conditions = {
        "ArnEquals": {"iam:PermissionsBoundary": boundary},
        "StringEquals": {
            "aws:CalledViaFirst": "cloudformation.amazonaws.com",
            "aws:RequestTag/project": "firebreak",
        },
    }
    stacks = caller(cloud, {**allow(*needed(wanted)), "Condition": conditions})
    for name, more in (("good", tagged), ("bad", {"Tags": []})):
        made = {**role, "PermissionsBoundary": boundary, "RoleName": name, **more}
        stacks.create(name, template({"Role": {**wanted["Role"], "Properties": made}}))

    assert "CREATE_COMPLETE" == stacks.status("good")
    assert "iam:CreateRole" in stacks.reasons("bad")["Role"]
