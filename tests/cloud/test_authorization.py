"""Tests of what the policies of a caller allow."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import Cloud
from tests.cloud.conftest import HOME, MEMBER

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def document(*statements: dict[str, Any]) -> str:
    """Return a policy as text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trusting(account: str) -> str:
    """Return a trust policy for an account."""
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


@pytest.fixture
def assume(cloud: Cloud) -> Callable[..., boto3.Session]:
    """Return a function that assumes a member's role with given role and session policies."""

    def assumed(role: list[Any], session: list[Any] | None = None) -> boto3.Session:
        iam = cloud.session(MEMBER).client("iam")
        iam.create_role(RoleName="act", AssumeRolePolicyDocument=trusting(HOME))
        iam.put_role_policy(RoleName="act", PolicyName="p", PolicyDocument=document(*role))
        how = {} if session is None else {"Policy": document(*session)}
        credentials = boto3.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{MEMBER}:role/act", RoleSessionName="firebreak-x", **how
        )["Credentials"]
        return boto3.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name="us-east-1",
        )

    return assumed


def code_of(call: Callable[[], object]) -> str:
    """Return the code of the error a call raises, or `ok`."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def test_session_acts_in_the_roles_account(assume: Callable[..., boto3.Session]) -> None:
    """An assumed role's calls see its own account."""
    identity = assume([EVERYTHING]).client("sts").get_caller_identity()
    assert identity["Account"] == MEMBER
    assert identity["Arn"] == f"arn:aws:sts::{MEMBER}:assumed-role/act/firebreak-x"


def test_role_policy_limits_the_session(assume: Callable[..., boto3.Session]) -> None:
    """What the role's own policies do not allow is denied."""
    session = assume([{"Effect": "Allow", "Action": "iam:List*", "Resource": "*"}])
    assert code_of(session.client("iam").list_users) == "ok"
    assert code_of(lambda: session.client("iam").create_user(UserName="x")) == "AccessDenied"


def test_session_policy_narrows_the_role(assume: Callable[..., boto3.Session]) -> None:
    """A session is allowed what both the role and the session policy allow."""
    only = {"Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*"}
    session = assume([EVERYTHING], [only])
    assert code_of(session.client("ec2").describe_vpcs) == "ok"
    assert code_of(session.client("ec2").describe_subnets) == "UnauthorizedOperation"
    assert code_of(session.client("dynamodb").list_tables) == "AccessDeniedException"
    assert code_of(session.client("s3").list_buckets) == "AccessDenied"


def test_session_policy_adds_nothing(assume: Callable[..., boto3.Session]) -> None:
    """A session policy cannot allow what the role does not."""
    session = assume([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}], [EVERYTHING])
    assert code_of(session.client("ec2").describe_vpcs) == "UnauthorizedOperation"


def test_resources_are_evaluated(cloud: Cloud, assume: Callable[..., boto3.Session]) -> None:
    """A statement for one resource allows nothing on another."""
    iam = cloud.session(MEMBER).client("iam")
    for name in ("ada", "eve"):
        iam.create_user(UserName=name)
    user = f"arn:aws:iam::{MEMBER}:user/eve"
    session = assume([EVERYTHING], [{"Effect": "Allow", "Action": "iam:TagUser", "Resource": user}])
    tag = {"Tags": [{"Key": "k", "Value": "v"}]}
    client = session.client("iam")
    assert code_of(lambda: client.tag_user(UserName="eve", **tag)) == "ok"
    assert code_of(lambda: client.tag_user(UserName="ada", **tag)) == "AccessDenied"


def test_region_can_be_required(assume: Callable[..., boto3.Session]) -> None:
    """aws:RequestedRegion is the region of the client."""
    condition = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
    session = assume([EVERYTHING], [{**EVERYTHING, "Condition": condition}])
    assert code_of(session.client("sqs").list_queues) == "ok"
    elsewhere = session.client("sqs", region_name="eu-west-1")
    assert code_of(elsewhere.list_queues) == "AccessDenied"


def test_tags_in_a_call_need_create_tags(
    cloud: Cloud, assume: Callable[..., boto3.Session]
) -> None:
    """Tagging while creating asks for ec2:CreateTags as well."""
    vpc = cloud.session(MEMBER).client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    create = {"Effect": "Allow", "Action": "ec2:CreateSecurityGroup", "Resource": "*"}
    session = assume([EVERYTHING], [create])
    group = {"GroupName": "g", "Description": "d", "VpcId": vpc}
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "k", "Value": "v"}]}]
    ec2 = session.client("ec2")
    refused = code_of(lambda: ec2.create_security_group(**group, TagSpecifications=tags))
    assert refused == "UnauthorizedOperation"
    assert code_of(lambda: ec2.create_security_group(**group)) == "ok"


def test_revoked_sessions_are_denied(cloud: Cloud, assume: Callable[..., boto3.Session]) -> None:
    """A denial by aws:TokenIssueTime stops the sessions issued before, as AWS advises."""
    session = assume([EVERYTHING])
    assert code_of(session.client("iam").list_users) == "ok"
    older = {"DateLessThan": {"aws:TokenIssueTime": "2999-01-01T00:00:00Z"}}
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": older}
    iam = cloud.session(MEMBER).client("iam")
    iam.put_role_policy(RoleName="act", PolicyName="revoke", PolicyDocument=document(deny))
    assert code_of(session.client("iam").list_users) == "AccessDenied"
    assert code_of(session.client("sts").get_caller_identity) == "ok"


def user_session(cloud: Cloud) -> tuple[boto3.Session, str]:
    """Return a session of an IAM user, and its access key."""
    iam = cloud.session().client("iam")
    iam.create_user(UserName="eve")
    iam.put_user_policy(UserName="eve", PolicyName="p", PolicyDocument=document(EVERYTHING))
    key = iam.create_access_key(UserName="eve")["AccessKey"]
    session = boto3.Session(
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        region_name="us-east-1",
    )
    return session, key["AccessKeyId"]


def test_inactive_key_is_unknown(cloud: Cloud) -> None:
    """A deactivated access key is refused in each service's own words."""
    session, key = user_session(cloud)
    assert code_of(session.client("iam").list_users) == "ok"
    boto3.client("iam").update_access_key(UserName="eve", AccessKeyId=key, Status="Inactive")
    assert code_of(session.client("iam").list_users) == "InvalidClientTokenId"
    assert code_of(session.client("ec2").describe_vpcs) == "AuthFailure"
    assert code_of(session.client("s3").list_buckets) == "InvalidAccessKeyId"
    assert code_of(session.client("dynamodb").list_tables) == "UnrecognizedClientException"


def test_user_policies_are_evaluated(cloud: Cloud) -> None:
    """An explicit denial on a user holds."""
    session, _ = user_session(cloud)
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    boto3.client("iam").put_user_policy(
        UserName="eve", PolicyName="deny", PolicyDocument=document(deny)
    )
    assert code_of(session.client("sqs").list_queues) == "AccessDenied"


def test_function_is_limited_to_its_role(cloud: Cloud) -> None:
    """A function with a role policy can do with its own credentials what that allows."""
    codes: list[str] = []

    def handler(event: Any, context: Any) -> None:
        codes.append(code_of(boto3.client("sqs").list_queues))
        codes.append(code_of(boto3.client("iam").list_users))

    allow = {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}
    cloud.add_function("f", handler, {"Version": "2012-10-17", "Statement": [allow]})
    boto3.client("lambda").invoke(FunctionName="f")
    assert codes == ["ok", "AccessDenied"]


def test_administrators_are_never_refused(cloud: Cloud) -> None:
    """Sessions of the world itself are exempt."""
    assert code_of(cloud.session(MEMBER).client("iam").list_users) == "ok"
