"""Tests of whose bucket it is."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import Cloud
from tests.cloud.conftest import HOME, MEMBER


@pytest.fixture
def bucket(cloud: Cloud) -> Any:
    """Make a member's bucket; return the member's client."""
    client = cloud.session(MEMBER).client("s3")
    client.create_bucket(Bucket="theirs")
    return client


def put() -> str:
    """Write to the member's bucket with home credentials; return the error's code, or `ok`."""
    try:
        boto3.client("s3").put_object(Bucket="theirs", Key="k", Body=b"x")
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def policy(bucket: Any, effect: str, principal: str) -> None:
    """Give the bucket a policy."""
    statement = {
        "Effect": effect,
        "Principal": {"AWS": principal},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::theirs/*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    bucket.put_bucket_policy(Bucket="theirs", Policy=document)


def test_other_accounts_bucket_is_denied(cloud: Cloud, bucket: Any) -> None:
    """Knowing the name is not enough."""
    assert put() == "AccessDenied"


def test_bucket_policy_admits_an_account(cloud: Cloud, bucket: Any) -> None:
    """A bucket's policy may name another account, for what it says and nothing else."""
    policy(bucket, "Allow", f"arn:aws:iam::{HOME}:root")
    assert put() == "ok"
    with pytest.raises(ClientError, match="AccessDenied"):
        boto3.client("s3").list_objects_v2(Bucket="theirs")


def test_bucket_policy_can_shut_out_its_owner(cloud: Cloud, bucket: Any) -> None:
    """An explicit denial holds for the bucket's own account too."""
    policy(bucket, "Deny", "*")
    with pytest.raises(ClientError, match="AccessDenied"):
        bucket.put_object(Bucket="theirs", Key="k", Body=b"x")
