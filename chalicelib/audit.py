"""The audit trail: records chained by hash, so that none can be changed or dropped unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chalicelib.effect import canonical, canonical_text

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Record:
    """Say who did what, when and why; `hash` covers everything, and the record before it.

    chain: a remediation's id, or a decision's own. seq: from 1. kind: what happened, such as
    `admitted`, `intent`, `outcome`. who: function, request, principal, playbook and its version.
    """

    chain: str
    seq: int
    at: str
    kind: str
    who: Mapping[str, Any]
    what: Mapping[str, Any]
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold what a record will say before it has its place in a chain."""

    chain: str
    kind: str
    who: Mapping[str, Any]
    what: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say whether a chain holds, and if not, where it breaks and how."""

    valid: bool
    records: int
    seq: int | None = None
    reason: str = ""

    def __str__(self) -> str:
        return "valid" if self.valid else f"broken at {self.seq}: {self.reason}"


def seal(entry: Entry, after: Record | None, at: str) -> Record:
    """Return the record that follows `after` (None: the first of its chain)."""
    fields = {
        "chain": entry.chain,
        "seq": after.seq + 1 if after else 1,
        "at": at,
        "kind": entry.kind,
        "who": _as_read_again(entry.who),
        "what": _as_read_again(entry.what),
        "prev_hash": after.hash if after else GENESIS,
    }
    return Record(**fields, hash=digest(fields))


def _as_read_again(value: Mapping[str, Any]) -> Any:
    """Return the value as it is once stored: two surrogates side by side are read as one letter."""
    return json.loads(json.dumps(canonical(value)))


def digest(fields: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a record's canonical text, its own hash left out."""
    covered = {name: value for name, value in fields.items() if name != "hash"}
    return hashlib.sha256(canonical_text(covered).encode("utf-8", "surrogatepass")).hexdigest()


def verify(records: Iterable[Record], chain: str = "") -> Verdict:
    """Say whether records, in order, are one unbroken chain from its first record on.

    chain: whose records they have to be, where that is known.
    """
    previous: Record | None = None
    count = 0
    for record in records:
        wrong = _wrong(record, previous, chain or record.chain)
        if wrong:
            return Verdict(False, count, record.seq, wrong)
        previous, count = record, count + 1
    if not count:
        return Verdict(False, 0, None, "the chain has no record")
    return Verdict(True, count)


def _wrong(record: Record, previous: Record | None, chain: str) -> str:
    expected = previous.seq + 1 if previous else 1
    if record.seq != expected:
        return f"record {expected} is missing"
    if record.chain != (previous.chain if previous else chain):
        return "the record is of another chain"
    if record.prev_hash != (previous.hash if previous else GENESIS):
        return "it does not follow the record before it"
    if record.hash != digest(asdict(record)):
        return "the record was altered"
    return ""
