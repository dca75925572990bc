"""Tests of what CloudFormation's handlers need, and that what is left out is known to AWS."""

from __future__ import annotations

import pytest

from firebreak.iam import registry
from firebreak.iam.handlers import NEEDED_FOR, OPERATIONS, handler_permissions, permissions

TABLE = {"TableName": "t", "KeySchema": []}


@pytest.mark.parametrize("kind", list(NEEDED_FOR))
def test_what_is_left_out_is_what_aws_lists(kind: str) -> None:
    """Each action of the tables is one that a handler lists, each property one of the schema."""
    listed = {action for each in OPERATIONS for action in registry.handler(kind, each)}
    listed |= {f"{action.split(':')[0]}:*" for action in listed}
    text = str(registry.schema(kind))
    names = {name for wanted in NEEDED_FOR[kind].values() for name in wanted}

    assert set() == set(NEEDED_FOR[kind]) - listed
    assert [] == [name for name in names if f"'{name}'" not in text]


def test_what_a_property_needs() -> None:
    """Recovery, a key and tags each add their own; items are never read or written."""
    plain = permissions("AWS::DynamoDB::Table", TABLE)["create"]
    key = {"SSESpecification": {"SSEEnabled": True, "KMSMasterKeyId": "k"}}
    full = {**TABLE, **key, "PointInTimeRecoverySpecification": {}}
    more = permissions("AWS::DynamoDB::Table", full, tagged=True)["create"]

    assert {"dynamodb:CreateTable", "dynamodb:DescribeTable"} <= plain
    assert set() == plain & {"dynamodb:PutItem", "dynamodb:TagResource", "kms:CreateGrant"}
    assert {"dynamodb:UpdateContinuousBackups", "kms:CreateGrant"} <= more - plain
    assert "dynamodb:TagResource" in more


def test_a_template() -> None:
    """Every resource of a template, by its logical id and by what is done with it."""
    resources = {
        "Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {}},
        "Topic": {"Type": "AWS::SNS::Topic"},
    }
    found = handler_permissions({"Resources": resources})

    assert {"Policy", "Topic"} == set(found)
    changing = dict.fromkeys(OPERATIONS, frozenset({"sqs:SetQueueAttributes"}))
    assert {**changing, "read": frozenset()} == found["Policy"]
    assert {"sns:CreateTopic", "sns:GetTopicAttributes"} == found["Topic"]["create"]


def test_what_exists_is_read() -> None:
    """An update may begin with a read, which needs what changing does not."""
    assert "kms:GetKeyPolicy" in permissions("AWS::KMS::Key", {})["read"]


def test_a_type_that_is_not() -> None:
    """A type that AWS does not have is an error, not a type without permissions."""
    with pytest.raises(KeyError, match="AWS::No::Such"):
        permissions("AWS::No::Such", {})
