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


# --- boundaries, tags, aliases, entries -----------------------------------------------------------


@pytest.fixture
def bounded(cloud: Cloud) -> Callable[[Any], boto3.Session]:
    """Return a function that assumes a role of the home account which has a boundary."""

    def assumed(boundary: dict[str, Any]) -> boto3.Session:
        iam = cloud.session().client("iam")
        arn = iam.create_policy(PolicyName="most", PolicyDocument=document(boundary))["Policy"][
            "Arn"
        ]
        iam.create_role(
            RoleName="r", AssumeRolePolicyDocument=trusting(HOME), PermissionsBoundary=arn
        )
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document(EVERYTHING))
        given = boto3.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{HOME}:role/r", RoleSessionName="xx"
        )["Credentials"]
        return boto3.Session(
            given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], "us-east-1"
        )

    return assumed


def test_a_boundary_limits_a_role(bounded: Callable[[Any], boto3.Session], cloud: Cloud) -> None:
    """A role may do what its policies and its boundary allow; one that is gone allows nothing."""
    session = bounded({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"})
    assert code_of(session.client("sqs").list_queues) == "ok"
    with pytest.raises(ClientError, match="because no permissions boundary allows the iam:List"):
        session.client("iam").list_users()

    cloud.session().client("iam").delete_policy(PolicyArn=f"arn:aws:iam::{HOME}:policy/most")
    assert code_of(session.client("sqs").list_queues) == "AccessDenied"


def test_an_attached_policy_counts(cloud: Cloud, assume: Callable[..., boto3.Session]) -> None:
    """Managed policies are evaluated in the version that is the default."""
    session = assume([{"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}])
    iam = cloud.session(MEMBER).client("iam")
    first, second = document(allow("sns:*", "*")), document(allow("iam:ListUsers", "*"))
    arn = iam.create_policy(PolicyName="m", PolicyDocument=first)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="act", PolicyArn=arn)
    assert code_of(session.client("iam").list_users) == "AccessDenied"

    iam.create_policy_version(PolicyArn=arn, PolicyDocument=second, SetAsDefault=True)
    assert code_of(session.client("iam").list_users) == "ok"


def tagged(key: str, value: str) -> dict[str, Any]:
    """Return a statement that allows everything on what has a tag."""
    return {**EVERYTHING, "Condition": {"StringEquals": {key: value}}}


@pytest.mark.parametrize("key", ["aws:ResourceTag/team", "ec2:ResourceTag/Team"])
def test_tags_of_a_resource_are_known(
    cloud: Cloud, assume: Callable[..., boto3.Session], key: str
) -> None:
    """A condition on a tag holds for the resource that has it, and for no other."""
    ec2 = cloud.session(MEMBER).client("ec2")
    volumes = [
        ec2.create_volume(Size=1, AvailabilityZone="us-east-1a")["VolumeId"] for _ in range(2)
    ]
    ec2.create_tags(Resources=volumes[:1], Tags=[{"Key": "team", "Value": "red"}])
    session = assume([tagged(key, "red")])
    codes = [
        code_of(lambda v=each: session.client("ec2").delete_volume(VolumeId=v)) for each in volumes
    ]
    assert codes == ["ok", "UnauthorizedOperation"]


def test_tags_of_roles_and_users_are_known(
    cloud: Cloud, assume: Callable[..., boto3.Session]
) -> None:
    """IAM's own resources are known by their tags as well."""
    iam = cloud.session(MEMBER).client("iam")
    tags = [{"Key": "team", "Value": "red"}]
    iam.create_user(UserName="ada", Tags=tags)
    iam.create_user(UserName="eve")
    iam.create_role(RoleName="red", AssumeRolePolicyDocument=trusting(MEMBER), Tags=tags)
    client = assume([tagged("aws:ResourceTag/team", "red")]).client("iam")
    assert code_of(lambda: client.get_user(UserName="ada")) == "ok"
    assert code_of(lambda: client.get_user(UserName="eve")) == "AccessDenied"
    assert code_of(lambda: client.get_role(RoleName="red")) == "ok"
    assert code_of(lambda: client.get_role(RoleName="act")) == "AccessDenied"


def acting(cloud: Cloud, *statements: dict[str, Any]) -> Callable[[Callable[[], object]], str]:
    """Return what makes a call as a function with these statements, and tells its code."""
    calls: list[Callable[[], object]] = []
    codes: list[str] = []
    cloud.add_function(
        "f",
        lambda event, context: codes.append(code_of(calls.pop())),
        {"Version": "2012-10-17", "Statement": list(statements)},
    )

    def made(call: Callable[[], object]) -> str:
        calls.append(call)
        cloud.session().client("lambda").invoke(FunctionName="f")
        return codes.pop()

    return made


def allow(action: str, resource: str, **condition: Any) -> dict[str, Any]:
    """Return a statement."""
    limits = {"Condition": condition} if condition else {}
    return {"Effect": "Allow", "Action": action, "Resource": resource, **limits}


def test_each_part_of_a_transaction_is_on_its_own_table(cloud: Cloud) -> None:
    """What may be put into one table may not be put into another of the same transaction."""
    client = cloud.session().client("dynamodb")
    key = [{"AttributeName": "k", "KeyType": "HASH"}]
    for name in ("a", "b"):
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            KeySchema=key,
        )
    tables = f"arn:aws:dynamodb:us-east-1:{HOME}:table"
    made = acting(
        cloud, allow("dynamodb:PutItem", f"{tables}/a"), allow("dynamodb:DeleteItem", f"{tables}/b")
    )

    def write(put: str, delete: str) -> object:
        return boto3.client("dynamodb").transact_write_items(
            TransactItems=[
                {"Put": {"TableName": put, "Item": {"k": {"S": "1"}}}},
                {"Delete": {"TableName": delete, "Key": {"k": {"S": "2"}}}},
            ]
        )

    assert made(lambda: write("a", "b")) == "ok"
    assert made(lambda: write("b", "a")) == "AccessDeniedException"


def test_what_is_not_there_is_told_to_who_may_list(cloud: Cloud) -> None:
    """Of an object that is gone, S3 says so to who may list the bucket; a version has its own."""
    s3 = cloud.session().client("s3")
    s3.create_bucket(Bucket="kept-logs")
    s3.put_bucket_versioning(Bucket="kept-logs", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="kept-logs", Key="k", Body=b"")["VersionId"]
    reading = allow("s3:GetObject", "arn:aws:s3:::kept-logs/*")
    made = acting(cloud, reading)

    def get(key: str, **which: str) -> Callable[[], object]:
        return lambda: boto3.client("s3").get_object(Bucket="kept-logs", Key=key, **which)

    assert made(get("k")) == "ok"
    assert made(get("gone")) == "AccessDenied"
    assert made(get("k", VersionId=version)) == "AccessDenied"
    policy = document(
        reading,
        allow("s3:ListBucket", "arn:aws:s3:::kept-logs"),
        allow("s3:GetObjectVersion", "arn:aws:s3:::kept-logs/*"),
    )
    iam = cloud.session().client("iam")
    iam.put_role_policy(RoleName="f-role", PolicyName="function", PolicyDocument=policy)
    assert made(get("gone")) == "NoSuchKey"
    assert made(get("k", VersionId=version)) == "ok"
    s3.delete_object(Bucket="kept-logs", Key="k")
    iam.put_role_policy(RoleName="f-role", PolicyName="function", PolicyDocument=document(reading))
    assert made(get("k")) == "AccessDenied"


def test_a_key_is_known_by_its_alias(cloud: Cloud) -> None:
    """Whichever way a key is named, a condition on its aliases holds for it alone."""
    kms = cloud.session().client("kms")
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2)]
    kms.create_alias(AliasName="alias/mine", TargetKeyId=keys[0])
    condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/mine"}}
    made = acting(cloud, allow("kms:DescribeKey", "arn:aws:kms:*:*:key/*", **condition))

    def describe(name: str) -> Callable[[], object]:
        return lambda: boto3.client("kms").describe_key(KeyId=name)

    assert made(describe("alias/mine")) == "ok"
    assert made(describe(keys[0])) == "ok"
    assert made(describe(keys[1])) == "AccessDeniedException"


def test_each_entry_of_a_request_is_judged(cloud: Cloud) -> None:
    """One entry of another source is enough for PutEvents to be refused."""
    condition = {"StringEquals": {"events:source": "mine"}}
    bus = "arn:aws:events:*:*:event-bus/default"
    made = acting(cloud, allow("events:PutEvents", bus, **condition))

    def put(*sources: str) -> Callable[[], object]:
        entries = [{"Source": s, "DetailType": "t", "Detail": "{}"} for s in sources]
        return lambda: boto3.client("events").put_events(Entries=entries)

    assert made(put("mine", "mine")) == "ok"
    assert made(put("mine", "aws.config")) == "AccessDeniedException"


def test_who_is_named_by_a_session_stays_who_it_is(cloud: Cloud) -> None:
    """Inside a function its default credentials are its role's; others stay an administrator's."""
    made = acting(cloud, allow("sqs:ListQueues", "*"))

    assert made(lambda: boto3.client("iam").list_users()) == "AccessDenied"
    assert made(lambda: cloud.session().client("iam").list_users()) == "ok"
    assert code_of(boto3.client("iam").list_users) == "ok"
