"""A deployment: the steps one after the other, each compared and changed where it differs.

A run that dies half-way is finished by running it again: each step compares with what exists.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    SSOError,
)

from chalicelib.errors import Failed, FirebreakError
from chalicelib.gone import is_code
from firebreak.deploying.lease import Lease
from firebreak.deploying.run import Deployment, Difference
from firebreak.deploying.steps import name_of, steps

EXPIRED = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "RequestExpired",
    "UnrecognizedClientException",
)
CREDENTIALS = (CredentialRetrievalError, NoCredentialsError, SSOError)
AGAIN = "what was done before it stays; run the same command again and it goes on from there"


@dataclass(frozen=True, slots=True)
class Done:
    """Hold what a step changed, or would change."""

    step: str
    differences: tuple[Difference, ...]

    @property
    def changes(self) -> bool:
        """Say whether it is any change at all."""
        return any(each.changes for each in self.differences)


def plan(run: Deployment) -> Iterator[Done]:
    """Yield what each step would change; nothing is changed."""
    for step in steps():
        with told(name_of(step)):
            done = Done(name_of(step), tuple(step.plan(run)))
        yield done


def deploy(run: Deployment) -> Iterator[Done]:
    """Yield what each step changed."""
    lease = Lease(run)
    with held(lease):
        for step in steps():
            with told(name_of(step)):
                done = Done(name_of(step), tuple(_brought(run, step, lease)))
            yield done


def _brought(run: Deployment, step: ModuleType, lease: Lease) -> list[Difference]:
    planned: list[Difference] = step.plan(run)
    if not any(each.changes for each in planned):
        return planned
    lease.hold()
    changed: list[Difference] = step.apply(run)
    return changed


@contextlib.contextmanager
def held(lease: Lease) -> Iterator[None]:
    """Give the lease back at the end, also of a run that stops with an error."""
    try:
        yield
    except (FirebreakError, ClientError, BotoCoreError, KeyboardInterrupt):
        with contextlib.suppress(ClientError, BotoCoreError, Failed):  # it runs out by itself
            lease.give_back()
        raise
    lease.give_back()


@contextlib.contextmanager
def told(step: str) -> Iterator[None]:
    """Say in which step AWS refused, and how to go on."""
    try:
        yield
    except CREDENTIALS as error:
        raise Failed(_expired(step, error)) from error
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and is_code(error, *EXPIRED):
            raise Failed(_expired(step, error)) from error
        raise Failed(f"step {step}: AWS: {error}; {AGAIN}") from error


def _expired(step: str, error: BaseException) -> str:
    return f"the AWS credentials expired in step {step} ({error}): renew them; {AGAIN}"
