"""Which database the tests of the tables run against: the embedded AWS's, and Amazon's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.dynamodb_local import database as databases
from tests.dynamodb_local import server

DATABASES = ("moto", "dynamodb-local")


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[databases.Engine]:
    """Give Amazon's DynamoDB Local, started once; skip, and say why, where it cannot be had."""
    try:
        with server.running() as port, closing(databases.Engine(port)) as engine:
            yield engine
    except server.Unavailable as why:
        if server.required():
            raise
        pytest.skip(str(why))


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let worlds made in the test keep their tables in one database, then in the other."""
    if request.param == "moto":
        yield "moto"
        return
    engine: databases.Engine = request.getfixturevalue("dynamodb_local")
    with databases.behind(engine, monkeypatch):
        yield "dynamodb-local"
