"""API clients of an embedded AWS, each made once: that costs more than a call."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import boto3

from firebreak.cloud import Cloud

_CLIENTS: WeakKeyDictionary[boto3.Session, dict[str, Any]] = WeakKeyDictionary()


def client(cloud: Cloud, account: str, region: str, service: str) -> Any:
    """Return an administrator's client of a service in an account and region."""
    session = cloud.session(account, region)
    clients = _CLIENTS.setdefault(session, {})
    if service not in clients:
        clients[service] = session.client(service)  # type: ignore[call-overload]  # named by the caller
    return clients[service]
