"""Documents of any size, compressed and in parts: findings, and events that are kept."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from chalicelib.effect import JSON, canonical_text
from chalicelib.errors import Corrupt
from chalicelib.store.items import partition
from chalicelib.store.values import Remediation
from chalicelib.table import Item, Tables

CHUNK = 300_000  # characters; an item holds at most 400 KB, its keys and attributes included


def pack(document: JSON) -> list[str]:
    """Return a JSON value, compressed, as texts that each fit an item."""
    packed = zlib.compress(canonical_text(document).encode("utf-8", "surrogatepass"), 6)
    encoded = base64.b85encode(packed).decode()
    return [encoded[at : at + CHUNK] for at in range(0, len(encoded), CHUNK)]


def unpack(parts: list[str]) -> JSON:
    """Return the JSON value that `pack` made texts of. Raise Corrupt for anything else."""
    try:
        packed = base64.b85decode("".join(parts))
        return json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))
    except (ValueError, zlib.error) as wrong:
        raise Corrupt(f"stored document: {wrong}") from wrong


def part_key(remediation: str, part: int) -> tuple[str, str]:
    """Return the key of one part of a remediation's finding."""
    return partition(remediation), f"FINDING#{part:03d}"


def finding_items(remediation: str, document: JSON) -> list[Item]:
    """Return a finding's parts as items, to be written in one transaction with the head."""
    return [
        Item(*part_key(remediation, number), {"part": part})
        for number, part in enumerate(pack(document))
    ]


def put_finding(tables: Tables, remediation: str, document: JSON) -> int:
    """Write a finding's parts by themselves; return how many."""
    items = finding_items(remediation, document)
    for item in items:
        tables.put(item)
    return len(items)


def get_finding(tables: Tables, remediation: Remediation) -> Mapping[str, Any]:
    """Return the finding's document. Raise Corrupt where a part is missing."""
    keys = [part_key(remediation.id, number) for number in range(remediation.finding_parts)]
    items = tables.get(*keys)
    missing = [key[1] for key, item in zip(keys, items, strict=True) if item is None]
    if missing:
        raise Corrupt(f"remediation {remediation.id}: {', '.join(missing)} is missing")
    try:
        stored = unpack([str(item.data.get("part")) for item in items if item])
    except Corrupt as wrong:
        raise Corrupt(f"remediation {remediation.id}: {wrong}") from wrong
    if not isinstance(stored, dict):
        raise Corrupt(f"remediation {remediation.id}: the stored finding is no object")
    return stored


def keep_event(tables: Tables, identity: str, event: JSON) -> None:
    """Keep an event that was not acted on, under its decision's id."""
    for number, part in enumerate(pack(event)):
        tables.put(Item(f"EVENT#{identity}", f"PART#{number:03d}", {"part": part}))


def get_event(tables: Tables, identity: str) -> JSON:
    """Return an event that was kept, None where none is. Raise Corrupt where it was altered."""
    items = tables.query(f"EVENT#{identity}", "PART#")
    return unpack([str(item.data.get("part")) for item in items]) if items else None
