"""Sessions in the accounts that are acted in, and the clients made of them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from chalicelib.settings import Settings

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config

SESSION_SECONDS = 900  # the least AWS STS gives; longer than a function runs
MARGIN = 120  # seconds before its end from which a session is not used any more
CACHED = 64  # sessions a warm function keeps


@dataclass(frozen=True, slots=True)
class Place:
    """Name where and as what a step acts; an empty policy is the function's own role, at home."""

    account: str
    region: str
    policy: str = ""
    name: str = "firebreak"


def session_name(remediation: str, step: str) -> str:
    """Return the role session name that CloudTrail shows for a step; at most 64 characters."""
    return re.sub(r"[^A-Za-z0-9_+=,.@-]", "-", f"firebreak-{remediation[:24]}-{step}")[:64]


@dataclass(frozen=True, slots=True)
class _Held:
    """Holds a session, until when it is used, and the clients made of it."""

    until: float
    session: Any
    clients: dict[tuple[str, bool], Any] = field(default_factory=dict)


class Access:
    """Give clients: reading ones retry by themselves, writing ones never do.

    A write whose answer is lost is settled by reading the state again, not by sending it twice.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._held: dict[Place, _Held] = {}
        self._lock = threading.Lock()  # a session must not make two clients at once

    def home(self, service: str) -> Any:
        """Return a client of the function's own role in the security account."""
        return self.client(Place(self._settings.home_account, self._settings.region), service)

    def client(self, place: Place, service: str, *, writes: bool = False) -> Any:
        """Return a boto3 client for a place. Raise botocore's ClientError where it may not be."""
        held = self._session(place)
        with self._lock:
            if (service, writes) not in held.clients:
                config = writing() if writes else reading()
                client = held.session.client(service, region_name=place.region, config=config)
                held.clients[service, writes] = client
        return held.clients[service, writes]

    def _session(self, place: Place) -> _Held:
        held = self._held.get(place)
        if held is not None and self._clock() <= held.until:
            return held
        until = self._clock() + SESSION_SECONDS - MARGIN
        held = _Held(until, self._assumed(place) if place.policy else new_session())
        if len(self._held) >= CACHED:
            self._held.clear()
        self._held[place] = held
        return held

    def _assumed(self, place: Place) -> Any:
        credentials = self.home("sts").assume_role(
            RoleArn=self._settings.member_role_arn(place.account),
            RoleSessionName=place.name,
            ExternalId=self._settings.external_id,
            Policy=place.policy,
            DurationSeconds=SESSION_SECONDS,
        )["Credentials"]
        return new_session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )


def new_session(**credentials: str) -> boto3.Session:
    """Return a boto3 session that shares the loaded service models with all others."""
    import boto3
    import botocore.session

    core = botocore.session.Session()
    core.register_component("data_loader", _loader())
    return boto3.Session(botocore_session=core, **credentials)


@cache
def _loader() -> Any:
    import botocore.session

    return botocore.session.Session().get_component("data_loader")


@cache
def reading() -> Config:
    """Return the configuration of clients that read: botocore's standard retries, four attempts."""
    from botocore.config import Config

    return Config(
        retries={"mode": "standard", "total_max_attempts": 4},
        connect_timeout=5,
        read_timeout=20,
        user_agent_extra="firebreak",
    )


@cache
def writing() -> Config:
    """Return the configuration of clients that write: one attempt, never a second by itself."""
    from botocore.config import Config

    return Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=40,
        user_agent_extra="firebreak",
    )
