"""Tests of taking this process over and giving it back."""

from __future__ import annotations

import logging
import os

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws

from firebreak.cloud import Cloud


def test_world_begins_empty() -> None:
    """Nothing of one world is seen in the next, even by a client made before."""
    with Cloud():
        client = boto3.client("sqs")
        client.create_queue(QueueName="q")
    with Cloud():
        assert "QueueUrls" not in client.list_queues()


def test_leaving_restores_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, default session, logging and botocore are as before."""
    monkeypatch.setenv("AWS_PROFILE", "mine")
    before = (dict(os.environ), boto3.DEFAULT_SESSION, BaseClient._make_api_call)
    level = logging.getLogger("moto").level
    with Cloud():
        assert "AWS_PROFILE" not in os.environ
    assert (dict(os.environ), boto3.DEFAULT_SESSION, BaseClient._make_api_call) == before
    assert logging.getLogger("moto").level == level


def test_there_is_one_world_at_a_time(cloud: Cloud) -> None:
    """A second world is refused: moto's state belongs to the process."""
    with pytest.raises(RuntimeError, match="one at a time"), Cloud():
        pass


def test_moto_itself_cannot_be_active(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world does not wipe out what a test keeps in moto's own mock."""
    with mock_aws(), pytest.raises(RuntimeError, match="moto"), Cloud():
        pass


def test_world_survives_a_nested_mock(cloud: Cloud) -> None:
    """Code that starts moto's own mock inside a world does not reset it."""
    boto3.client("sqs").create_queue(QueueName="q")
    with mock_aws():
        pass
    assert len(boto3.client("sqs").list_queues()["QueueUrls"]) == 1


def test_failed_start_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world that cannot start gives the process back, and the next one can."""
    before = dict(os.environ)
    with monkeypatch.context() as broken:
        broken.delattr(Cloud, "_patches")
        with pytest.raises(AttributeError), Cloud():
            pass
    assert dict(os.environ) == before
    with Cloud():
        pass


def test_organisations_are_forgotten() -> None:
    """An account that belonged to an organisation belongs to none in the next world."""
    for _ in range(2):
        with Cloud():
            boto3.client("organizations").create_organization(FeatureSet="ALL")
