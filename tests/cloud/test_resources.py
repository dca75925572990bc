"""Tests of deriving the ARNs a call acts on."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from chalicelib.permissions import iam_action
from firebreak.cloud import CallInfo, Cloud
from firebreak.cloud.resources import resources
from tests.cloud.conftest import HOME


def derived(service: str, operation: str, **params: Any) -> tuple[str, ...]:
    """Return the ARNs of a call's first action."""
    info = CallInfo(0, service, operation, params, "eu-west-1", HOME, "arn", None, None, None)
    return resources(info, iam_action(service, operation)[0])


EC2 = f"arn:aws:ec2:eu-west-1:{HOME}"
SG, ENI, VPC = "sg-0123456789abcdef0", "eni-0123456789abcdef0", "vpc-0123456789abcdef0"


@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    [
        ("ec2", "DescribeInstances", {"InstanceIds": ["i-0123456789abcdef0"]}, ["*"]),
        (
            "ec2",
            "ModifyNetworkInterfaceAttribute",
            {"NetworkInterfaceId": ENI, "Groups": [SG]},
            [f"{EC2}:network-interface/{ENI}", f"{EC2}:security-group/{SG}"],
        ),
        (
            "ec2",
            "CreateSecurityGroup",
            {"GroupName": "g", "Description": "d", "VpcId": VPC},
            [f"{EC2}:vpc/{VPC}", f"{EC2}:security-group/*"],
        ),
        (
            "ec2",
            "DeleteSnapshot",
            {"SnapshotId": "snap-0123456789abcdef0"},
            ["arn:aws:ec2:eu-west-1::snapshot/snap-0123456789abcdef0"],
        ),
        (
            "iam",
            "UpdateAccessKey",
            {"UserName": "ada", "AccessKeyId": "AKIA", "Status": "Inactive"},
            [f"arn:aws:iam::{HOME}:user/ada"],
        ),
        (
            "iam",
            "AttachRolePolicy",
            {"RoleName": "r", "PolicyArn": "arn:aws:iam::aws:policy/AWSDenyAll"},
            [f"arn:aws:iam::{HOME}:role/r"],
        ),
        ("s3", "PutPublicAccessBlock", {"Bucket": "b"}, ["arn:aws:s3:::b"]),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k"}, ["arn:aws:s3:::b/k"]),
        ("s3", "ListBuckets", {}, ["*"]),
        ("sns", "Publish", {"TopicArn": "arn:aws:sns:x:1:t"}, ["arn:aws:sns:x:1:t"]),
        (
            "sqs",
            "SendMessage",
            {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q"},
            [f"arn:aws:sqs:eu-west-1:{HOME}:q"],
        ),
        (
            "dynamodb",
            "Query",
            {"TableName": "t", "IndexName": "i"},
            [f"arn:aws:dynamodb:eu-west-1:{HOME}:table/t/index/i"],
        ),
        (
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "a"}}, {"Update": {"TableName": "b"}}]},
            [
                f"arn:aws:dynamodb:eu-west-1:{HOME}:table/a",
                f"arn:aws:dynamodb:eu-west-1:{HOME}:table/b",
            ],
        ),
        (
            "lambda",
            "Invoke",
            {"FunctionName": "f"},
            [f"arn:aws:lambda:eu-west-1:{HOME}:function:f"],
        ),
        (
            "network-firewall",
            "UpdateRuleGroup",
            {"RuleGroupName": "g", "Type": "STATEFUL"},
            [f"arn:aws:network-firewall:eu-west-1:{HOME}:stateful-rulegroup/g"],
        ),
        (
            "stepfunctions",
            "StartExecution",
            {"stateMachineArn": "arn:aws:states:eu-west-1:1:stateMachine:m"},
            ["arn:aws:states:eu-west-1:1:stateMachine:m"],
        ),
        ("stepfunctions", "SendTaskSuccess", {"taskToken": "t"}, ["*"]),
        (
            "elb",
            "DeregisterInstancesFromLoadBalancer",
            {"LoadBalancerName": "web", "Instances": []},
            [f"arn:aws:elasticloadbalancing:eu-west-1:{HOME}:loadbalancer/web"],
        ),
        (
            "service-quotas",
            "GetServiceQuota",
            {"ServiceCode": "vpc", "QuotaCode": "L-1"},
            [f"arn:aws:servicequotas:eu-west-1:{HOME}:vpc/L-1"],
        ),
        (
            "organizations",
            "ListParents",
            {"ChildId": "ou-ab12-cdef3456"},
            [f"arn:aws:organizations::{HOME}:ou/o-embedded/ou-ab12-cdef3456"],
        ),
        (
            "config",
            "GetComplianceDetailsByConfigRule",
            {"ConfigRuleName": "r"},
            [f"arn:aws:config:eu-west-1:{HOME}:config-rule/r"],
        ),
        (
            "ec2",
            "GetManagedPrefixListEntries",
            {"PrefixListId": "pl-0123456789abcdef0"},
            [f"{EC2}:prefix-list/pl-0123456789abcdef0"],
        ),
        (
            "events",
            "PutEvents",
            {"Entries": [{"Source": "x"}]},
            [f"arn:aws:events:eu-west-1:{HOME}:event-bus/default"],
        ),
    ],
)
def test_arns_follow_the_service_authorization_reference(
    cloud: Cloud, service: str, operation: str, params: dict[str, Any], expected: list[str]
) -> None:
    """The parameters' resources are derived, of the types the action can be limited to."""
    assert list(derived(service, operation, **params)) == expected


def test_iam_paths_are_part_of_the_arn(cloud: Cloud) -> None:
    """A user's ARN has the path it was created with."""
    boto3.client("iam").create_user(UserName="ada", Path="/ops/")
    assert derived("iam", "PutUserPolicy", UserName="ada") == (f"arn:aws:iam::{HOME}:user/ops/ada",)


def test_lists_of_aws_itself_are_of_no_account(cloud: Cloud) -> None:
    """The ARN of a prefix list that AWS keeps has `aws` where others have an account."""
    lists = boto3.client("ec2", "eu-west-1").describe_managed_prefix_lists(
        Filters=[{"Name": "owner-id", "Values": ["AWS"]}]
    )["PrefixLists"]
    name = lists[0]["PrefixListId"]

    assert derived("ec2", "GetManagedPrefixListEntries", PrefixListId=name) == (
        f"arn:aws:ec2:eu-west-1:aws:prefix-list/{name}",
    )


def test_an_access_key_is_its_users(cloud: Cloud) -> None:
    """When a key was last used is asked of the user whose key it is."""
    iam = boto3.client("iam")
    iam.create_user(UserName="ada")
    key = iam.create_access_key(UserName="ada")["AccessKey"]["AccessKeyId"]

    assert derived("iam", "GetAccessKeyLastUsed", AccessKeyId=key) == (
        f"arn:aws:iam::{HOME}:user/ada",
    )
