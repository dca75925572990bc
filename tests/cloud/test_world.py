"""Tests of starting and leaving an embedded AWS."""

from __future__ import annotations

import boto3
import pytest

from firebreak.cloud import Cloud
from tests.cloud.conftest import HOME, MEMBER


def test_default_credentials_belong_to_the_home_account(cloud: Cloud) -> None:
    """What the code under test makes with plain boto3 acts in the home account and region."""
    assert boto3.client("sts").get_caller_identity()["Account"] == HOME
    assert boto3.Session().region_name == "us-east-1"


def test_sessions_act_in_their_account(cloud: Cloud) -> None:
    """Each account has state of its own."""
    cloud.session(MEMBER).client("iam").create_user(UserName="ada")
    assert cloud.session(MEMBER).client("sts").get_caller_identity()["Account"] == MEMBER
    assert cloud.session().client("iam").list_users()["Users"] == []
    assert [user["UserName"] for user in cloud.session(MEMBER).client("iam").list_users()["Users"]]


def test_sessions_act_in_their_region(cloud: Cloud) -> None:
    """A session of another region sees that region's resources."""
    cloud.session(region="eu-west-1").client("sqs").create_queue(QueueName="q")
    assert "QueueUrls" in cloud.session(region="eu-west-1").client("sqs").list_queues()
    assert "QueueUrls" not in cloud.session().client("sqs").list_queues()


def test_operation_that_is_not_embedded_stays_in_the_process(cloud: Cloud) -> None:
    """A service nobody embedded answers with an error instead of reaching a network."""
    client = boto3.client("chime")
    with pytest.raises(client.exceptions.ClientError):
        client.list_accounts()
