"""The readers that actions get: of live state, or of live state as a plan would leave it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.aws import Access, Place
from chalicelib.clock import Clock
from chalicelib.effect import (
    JSON,
    REGISTRY,
    Fixture,
    Probe,
    canonical,
    holds_placeholder,
    placeholder,
    probe_from_document,
)
from chalicelib.errors import Failed

PATIENCE = 10.0  # seconds that a change may take to show, beyond its declared settling time


class Depends(Exception):
    """A plan cannot say more: a read needs a value that only an earlier step's change gives."""


@dataclass(frozen=True)
class LiveReader:
    """Read live state in one place, on behalf of one step."""

    access: Access
    place: Place
    clock: Clock
    partition: str
    finding: Mapping[str, Any]
    remediation: str
    playbook: str
    step: str
    topic_arn: str
    stage: str
    responders: tuple[str, ...]
    own_networks: tuple[str, ...] = ()

    @property
    def account(self) -> str:
        """Return the account that is read."""
        return self.place.account

    @property
    def region(self) -> str:
        """Return the region that is read."""
        return self.place.region

    def now(self) -> str:
        """Return this moment, UTC, to the second."""
        return self.clock.now()[:19] + "Z"

    def read(self, service: str, operation: str, /, **params: JSON) -> dict[str, Any]:
        """Return the response of one read-only API call."""
        client = self.access.client(self.place, service)
        answer: dict[str, Any] = getattr(client, operation)(**params)
        return answer

    def pages(
        self, service: str, operation: str, key: str, /, **params: JSON
    ) -> list[dict[str, Any]]:
        """Return the items under `key` from every page of a read-only API call."""
        client = self.access.client(self.place, service)
        if not client.can_paginate(operation):
            return list(self.read(service, operation, **params)[key])
        pages = client.get_paginator(operation).paginate(**params)
        return [item for page in pages for item in page.get(key, [])]

    def look(self, probe: Probe) -> JSON:
        """Return what a probe reads now, canonical."""
        return canonical(REGISTRY.probes[probe.name](self, **probe.args))

    def key(self, element: Probe | Fixture) -> str:
        """Return a state-key with the account and, unless it is global, the region it is of."""
        region = self.region if element.scope == "region" else "-"
        return f"{self.account}/{region}/{element.key}"


@dataclass(frozen=True)
class ActionReader(LiveReader):
    """Read live state for an action, and keep what its probes showed it."""

    seen: dict[str, JSON] = field(default_factory=dict)

    def look(self, probe: Probe) -> JSON:
        """Return what a probe reads now; the way back that the action names builds on it."""
        value = super().look(probe)
        self.seen[self.key(probe)] = value
        return value


@dataclass(frozen=True)
class PlanReader(LiveReader):
    """Read state as it would be after the earlier steps of the plan; send no placeholder."""

    planned: Mapping[str, JSON] = field(default_factory=dict)

    def now(self) -> str:
        """Return a stand-in: when the plan is applied is not known."""
        return placeholder("now")

    def read(self, service: str, operation: str, /, **params: JSON) -> dict[str, Any]:
        """Return the response of a read. Raise Depends where it would hold a placeholder."""
        self._known(service, operation, params)
        return super().read(service, operation, **params)

    def pages(
        self, service: str, operation: str, key: str, /, **params: JSON
    ) -> list[dict[str, Any]]:
        """Return all items of a read. Raise Depends where it would hold a placeholder."""
        self._known(service, operation, params)
        return super().pages(service, operation, key, **params)

    def look(self, probe: Probe) -> JSON:
        """Return what an earlier step of the plan wants of an element, else what is there now."""
        key = self.key(probe)
        return self.planned[key] if key in self.planned else super().look(probe)

    def _known(self, service: str, operation: str, params: Mapping[str, JSON]) -> None:
        if holds_placeholder(params):
            raise Depends(f"{service}.{operation} needs a value that an earlier change gives")


def recorded_probe(document: Mapping[str, JSON] | None) -> Probe:
    """Return the probe of a record. Raise Failed where this version of Firebreak has none such."""
    try:
        return probe_from_document(document or {})
    except (KeyError, TypeError) as lost:
        name = (document or {}).get("name")
        raise Failed(f"probe {name} is not known to this version of Firebreak") from lost


def look_until(
    reader: LiveReader, probe: Probe, reached: Callable[[JSON], bool], patience: float
) -> JSON:
    """Return what a probe reads, read again until it is as wanted or patience runs out."""
    pause, waited = 0.2, 0.0
    live = reader.look(probe)
    while not reached(live) and waited < patience:
        reader.clock.sleep(pause)
        waited, pause = waited + pause, min(pause * 1.6, 3.0)
        live = reader.look(probe)
    return live
