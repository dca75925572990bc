"""Tests of where the engine listens, who uses it, and what is said where it cannot be had."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.dynamodb_local import server
from tests.dynamodb_local.database import Engine
from tests.worlds import world

LOOPBACK = ("0100007F", "0000000000000000FFFF00000100007F")  # as /proc/net shows 127.0.0.1


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux tells it there")
def test_it_listens_on_the_loopback_interface_alone(dynamodb_local: Engine) -> None:
    """Nobody on the network reaches the engine of the tests."""
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    port = f":{dynamodb_local.port:04X}"
    listening = [each[1] for each in lines if each[1].endswith(port) and each[3] == "0A"]

    assert 1 == len(listening)
    assert listening[0].removesuffix(port) in LOOPBACK


def test_a_world_keeps_its_tables_in_the_database_asked_for(database: str) -> None:
    """The engine answers for DynamoDB where it is asked for, and is empty for the next test."""
    with world() as stage:
        client = stage.cloud.session().client("dynamodb")
        answer = client.list_tables()
        topics = stage.cloud.session().client("sns").list_topics()["Topics"]

    said = str(answer["ResponseMetadata"]["HTTPHeaders"])
    assert (database == "dynamodb-local") == ("Jetty" in said)
    assert 2 == len(answer["TableNames"])
    assert topics


def test_a_machine_without_java_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named."""
    monkeypatch.setattr(shutil, "which", lambda _tool: None)

    with pytest.raises(server.Unavailable, match="needs a JDK of version 17 or newer"):
        server.fetched()
