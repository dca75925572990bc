"""Tests of the sessions of administrators."""

from __future__ import annotations

from firebreak.cloud import Cloud
from tests.cloud.conftest import MEMBER


def test_clients_are_made_once() -> None:
    """A client of one world serves the next, and sees the next world's state only."""
    with Cloud() as first:
        client = first.session(MEMBER).client("sqs")
        client.create_queue(QueueName="q")
    with Cloud() as second:
        assert second.session(MEMBER).client("sqs") is client
        assert "QueueUrls" not in client.list_queues()


def test_sessions_differ_by_account_and_region(cloud: Cloud) -> None:
    """Each account and region has a session of its own."""
    sessions = [
        cloud.session(),
        cloud.session(MEMBER),
        cloud.session(MEMBER, "eu-west-1"),
    ]
    assert len(set(map(id, sessions))) == 3
    assert sessions[2].client("sqs").meta.region_name == "eu-west-1"
    assert sessions[2].client("sqs", region_name="us-west-2").meta.region_name == "us-west-2"
