"""One stage, deployed once for all tests of this folder, which run in the order of their files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deployed.accounts import user
from tests.deployed.desk import EVERYTHING, Person
from tests.deployed.world import Deployed, deployed


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Deploy a stage into an organisation of two accounts."""
    with deployed(tmp_path_factory.mktemp("night") / "clone") as made:
        yield made


@pytest.fixture(scope="session")
def person(stage: Deployed) -> Person:
    """Make a person of the security account who may do all that a responder does."""
    return Person(user(stage.cloud, "responder", [EVERYTHING]))
