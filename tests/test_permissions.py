"""Tests of the IAM actions that API operations need."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from importlib.resources import files
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from chalicelib.permissions import ACTIONS, iam_action, operation_name

SERVICES = (
    "autoscaling cloudtrail cloudwatch config detective dynamodb ebs ec2 elb elbv2 events firehose"
    " guardduty iam inspector2 kms lambda logs macie2 network-firewall organizations rds"
    " resourcegroupstaggingapi route53 route53resolver s3 s3control secretsmanager securityhub sns"
    " sqs ssm stepfunctions sts wafv2"
).split()


@cache
def reference() -> Any:
    """Return the service authorization reference, as cfn-lint carries it."""
    return json.loads(
        files("cfnlint").joinpath("data/AdditionalSpecs/Policies.json").read_text(encoding="utf-8")
    )


def operations(service: str) -> list[str]:
    """Return every operation botocore knows of a service."""
    model = botocore.session.get_session().get_service_model(service)
    return list(model.operation_names)


@pytest.mark.parametrize("service", SERVICES)
def test_names_are_the_operations_own(service: str) -> None:
    """The boto3 method name gives back the operation's name, for every operation."""
    wrong = {
        name: operation_name(service, xform_name(name))
        for name in operations(service)
        if operation_name(service, xform_name(name)) != name
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("service", "operation"), [(s, name) for s, table in ACTIONS.items() for name in table]
)
def test_other_names_are_in_the_reference(service: str, operation: str) -> None:
    """Every action the table names exists, and the operation that needs it does too."""
    known = {prefix: entry["Actions"] for prefix, entry in reference().items()}
    actions = [each.split(":") for each in iam_action(service, operation)]
    missing = [action for prefix, action in actions if action.lower() not in known[prefix]]
    assert (missing, operation in operations(service)) == ([], True)


@pytest.mark.parametrize(
    ("service", "operation", "expected"),
    [
        ("ec2", "modify_network_interface_attribute", ("ec2:ModifyNetworkInterfaceAttribute",)),
        ("rds", "describe_db_instances", ("rds:DescribeDBInstances",)),
        ("iam", "deactivate_mfa_device", ("iam:DeactivateMFADevice",)),
        ("s3", "put_public_access_block", ("s3:PutBucketPublicAccessBlock",)),
        ("s3", "list_objects_v2", ("s3:ListBucket",)),
        ("s3", "GetBucketEncryption", ("s3:GetEncryptionConfiguration",)),
        ("s3control", "put_public_access_block", ("s3:PutAccountPublicAccessBlock",)),
        ("lambda", "invoke", ("lambda:InvokeFunction",)),
        ("elbv2", "deregister_targets", ("elasticloadbalancing:DeregisterTargets",)),
        ("stepfunctions", "start_execution", ("states:StartExecution",)),
        ("network-firewall", "update_rule_group", ("network-firewall:UpdateRuleGroup",)),
        (
            "dynamodb",
            "transact_write_items",
            (
                "dynamodb:ConditionCheckItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            ),
        ),
    ],
)
def test_actions_that_have_other_names(
    service: str, operation: str, expected: tuple[str, ...]
) -> None:
    """Prefixes, abbreviations and actions named otherwise than their operation are known."""
    assert iam_action(service, operation) == expected


def test_module_imports_nothing_heavy() -> None:
    """Lambda functions can import it without paying for boto3."""
    code = "import sys, chalicelib.permissions; print('boto3' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "False"
