"""What every builder is handed: where to make things, and what was made and what not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.exceptions import ServiceException
from werkzeug.exceptions import HTTPException

from chalicelib.finding import Finding, Resource
from firebreak.cloud import Cloud
from firebreak.scene.clients import client

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend
    from moto.iam.models import IAMBackend
    from moto.s3.models import S3Backend

# How the embedded AWS says no: moto's two families of errors, a client's, and what it lacks.
REFUSED = (ServiceException, HTTPException, ClientError, BotoCoreError, NotImplementedError)


class NotMade(Exception):
    """Says why a resource of the event cannot be made."""


@dataclass(frozen=True, slots=True)
class Making:
    """Hold a scene while it is made."""

    cloud: Cloud
    finding: Finding
    made: list[str] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Return what the finding speaks of, the main one first, each once."""
        every = (self.finding.resource, *self.finding.resources)
        return tuple({(each.kind, each.id): each for each in reversed(every)}.values())[::-1]

    def miss(self, what: str, why: str) -> None:
        """Note what is not made."""
        self.missing.append((what, why))

    @contextlib.contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Note what the embedded AWS refuses to make, and go on."""
        try:
            yield
        except NotMade as reason:
            self.miss(what, str(reason))
        except REFUSED as error:
            self.miss(what, f"the embedded AWS refuses it: {_said(error)}")

    def client(self, service: str) -> Any:
        """Return a client of the finding's account and region."""
        return client(self.cloud, self.finding.account, self.finding.region, service)

    @property
    def ec2(self) -> EC2Backend:
        """Return the embedded EC2 of the finding's account and region."""
        from moto.ec2.models import ec2_backends

        account = ec2_backends[self.finding.account]
        if self.finding.region not in account:
            raise NotMade(f"the embedded AWS has no region {self.finding.region}")
        return account[self.finding.region]

    @property
    def iam(self) -> IAMBackend:
        """Return the embedded IAM of the finding's account."""
        from moto.iam.models import iam_backends

        return iam_backends[self.finding.account][self.finding.partition]

    @property
    def s3(self) -> S3Backend:
        """Return the embedded S3 of the finding's account."""
        from moto.s3.models import s3_backends

        return s3_backends[self.finding.account][self.finding.partition]


def exists(read: Callable[..., object], **which: str) -> bool:
    """Say whether an API call that shows a thing finds it."""
    try:
        read(**which)
    except ClientError:
        return False
    return True


def _said(error: Exception) -> str:
    return str(getattr(error, "message", "") or error)[:200]
