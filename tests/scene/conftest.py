"""An empty embedded AWS for each scene, and the findings of our own events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib import sources
from chalicelib.errors import Rejected
from chalicelib.finding import Finding, Resource
from firebreak.cloud import Cloud

EVENTS = Path(__file__).parents[1] / "events"
ACCOUNT, REGION = "111122223333", "us-east-1"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """Start an empty world for one test."""
    with Cloud() as world:
        yield world


def findings() -> Iterator[tuple[str, Finding]]:
    """Yield every finding of our events, with the event's name."""
    for path in sorted(EVENTS.glob("*/*.json")):
        try:
            reading = sources.read(json.loads(path.read_text("utf-8")))
        except Rejected:
            continue  # a log record, or what carries several
        for finding in reading.findings:
            yield f"{path.parent.name}/{path.stem}", finding


def finding_of(event: str) -> Finding:
    """Return the one finding of an event."""
    path = EVENTS / f"{event}.json"
    (finding,) = sources.read(json.loads(path.read_text("utf-8"))).findings
    return finding


def about(kind: str, id_: str, **attributes: Any) -> Finding:
    """Return a finding about one resource."""
    resource = Resource(kind, id_, None, attributes)
    return replace(
        finding_of("guardduty/crypto_currency_ec2"), resource=resource, resources=(resource,)
    )


def client(cloud: Cloud, service: str) -> Any:
    """Return an administrator's client in the events' account."""
    return cloud.session(ACCOUNT, REGION).client(service)  # type: ignore[call-overload]  # named by the test
