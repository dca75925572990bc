"""What the bucket keeps, read by its versions, and what it should not hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.outside import records, seals
from chalicelib.outside.vault import (
    ALARMS,
    RECORDS,
    SEALS,
    Kept,
    Place,
    Vault,
    arrival_of,
    chain_name,
    place_of,
)
from firebreak.proof.trail import Finding

UNLOCKED = "ObjectLockConfigurationNotFoundError"


@dataclass(slots=True)
class Bucket:
    """What a listing showed: copies of records, announcements of them, and what is wrong."""

    kept: dict[str, dict[int, dict[str, str]]] = field(default_factory=dict)
    arrivals: list[tuple[Place, Kept]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def wrong(self, where: str, what: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(where, what))

    def holds(self, place: Place) -> bool:
        """Say whether a record is kept under its name."""
        return place.hash in self.kept.get(place.chain, {}).get(place.seq, {})


def read(safe: Vault, chains: Iterable[str], *, whole: bool, before: str) -> Bucket:
    """Return what the bucket holds, of all chains or of those named.

    whole: read each record, else believe its name. before: what was announced by then is kept.
    """
    found = Bucket()
    named = tuple(chains)
    prefixes = [f"{RECORDS}{chain_name(each)}/" for each in named] + [SEALS] if named else [""]
    for prefix in prefixes:
        for kept in safe.kept(prefix):
            _take(safe, found, kept, whole)
    for place, kept in found.arrivals:
        if not found.holds(place) and kept.at < before:
            found.wrong(kept.key, "the record that it announces was not kept")
    return found


def _take(safe: Vault, found: Bucket, kept: Kept, whole: bool) -> None:  # noqa: FBT001
    key, place = kept.key, place_of(kept.key)
    if kept.markers:
        found.wrong(key, f"was hidden by a delete marker, {_times(kept.markers)}")
    if len(kept.versions) > 1:
        found.wrong(key, f"was written over, {_times(len(kept.versions) - 1)}")
    if not kept.versions:
        return
    if key.startswith(ALARMS):
        found.wrong(key, f"an alarm: {_alarm(safe, kept)}")
    elif place and key == records.key_of(place):
        if whole and not is_record(safe, place):
            found.wrong(key, "this is not the record of that name")
        else:
            copies = found.kept.setdefault(place.chain, {}).setdefault(place.seq, {})
            copies[place.hash] = kept.at
    elif arrival := arrival_of(key):
        found.arrivals.append((arrival[1], kept))
    elif seals.number_of(key) is None:
        found.wrong(key, "nothing of that name belongs here")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def is_record(safe: Vault, place: Place) -> bool:
    """Say whether the object of a record's name is that record."""
    return records.kept(safe, place) is not None


def _alarm(safe: Vault, kept: Kept) -> str:
    try:
        said: Any = json.loads(next(safe.bodies(kept)))
        return f"{said['what']}, at {said['at']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return f"at {kept.at}"


def unlocked(safe: Vault) -> Iterator[Finding]:
    """Yield what is wrong with the lock that new objects get."""
    try:
        answer = safe.client.get_object_lock_configuration(**safe.named)
        rule = answer["ObjectLockConfiguration"].get("Rule", {}).get("DefaultRetention", {})
    except ClientError as error:
        if error.response["Error"]["Code"] != UNLOCKED:
            raise
        rule = {}
    if rule.get("Mode") != "COMPLIANCE":
        yield Finding(safe.bucket, "new objects are not locked in compliance mode")
