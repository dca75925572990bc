"""A fresh embedded AWS for each test of an action."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from firebreak.cloud import Cloud
from firebreak.stage import Stage, staged
from tests.actions.drive import ACCOUNT, Bench
from tests.worlds import DESK


@pytest.fixture
def bench() -> Iterator[Stage]:
    """Give a stage in a fresh embedded AWS, with the member role in the account acted in."""
    with Cloud() as cloud, staged(cloud, {}, trusted=DESK) as stage:
        stage.admit_account(ACCOUNT)
        Bench.stage = stage
        yield stage


@pytest.fixture
def account(bench: Stage) -> boto3.Session:
    """Give an administrator's session in the account acted in."""
    return bench.cloud.session(ACCOUNT)
