"""Tests of routing requests to embedded backends."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.iam.models import iam_backends
from moto.sqs.models import sqs_backends

from firebreak.cloud import Cloud
from tests.cloud.conftest import HOME


def test_request_reaches_the_backend_of_its_account(cloud: Cloud) -> None:
    """A request changes the home account's state, and makes no backend for another account."""
    boto3.client("sqs").create_queue(QueueName="q")
    assert list(sqs_backends) == [HOME]
    assert list(sqs_backends[HOME]["us-east-1"].queues) == ["q"]


def test_error_of_a_backend_is_the_services_own(cloud: Cloud) -> None:
    """What a backend raises comes back as the service's error."""
    with pytest.raises(ClientError, match="NoSuchEntity"):
        boto3.client("iam").get_role(RoleName="nobody")
    assert "nobody" not in iam_backends[HOME]["aws"].roles


def test_bucket_names_in_host_names_are_understood(cloud: Cloud) -> None:
    """A bucket is found by the virtual-hosted address botocore uses."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="a/b c", Body=b"x")
    assert s3.get_object(Bucket="bucket", Key="a/b c")["Body"].read() == b"x"
