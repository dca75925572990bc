"""A clone, and one package built of it for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from firebreak.iam import Place
from firebreak.packaging import Build, build
from tests.packaging import clones

PLACE = Place("aws", "111122223333", "eu-west-1", "dev")


@pytest.fixture(scope="session")
def place() -> Place:
    """Give the place that packages are built for."""
    return PLACE


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Give a clone that a test may change."""
    return clones.clone(tmp_path / "clone")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Give the package of the project as it is."""
    return build("dev", PLACE, root=clones.clone(tmp_path_factory.mktemp("built") / "clone"))
