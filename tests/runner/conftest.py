"""A bench in a fresh embedded AWS for each test of the runner."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runner.bench import Bench, running


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Give a bench with throw-away actions."""
    with running() as made:
        yield made
