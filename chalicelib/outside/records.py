"""Records as the vault holds them: a record proves itself, by the hash that its name says."""

from __future__ import annotations

import json
from dataclasses import asdict

from botocore.exceptions import ClientError

from chalicelib.audit import GENESIS, Record, digest
from chalicelib.gone import is_code
from chalicelib.outside.vault import RECORDS, Place, Vault, chain_name, place_name
from chalicelib.table.items import stored_text

ABSENT = frozenset({"NoSuchKey", "NoSuchVersion", "MethodNotAllowed"})  # the last: a delete marker


def key_of(place: Place) -> str:
    """Return the key of the record at a place."""
    return f"{RECORDS}{place.chain}/{place.seq:010d}-{place.hash}.json"


def written(record: Record) -> bytes:
    """Return a record as it is kept."""
    return stored_text(asdict(record)).encode()


def read(text: bytes, place: Place) -> Record | None:
    """Return the record of a place, or None where the text is another or none."""
    try:
        record = Record(**json.loads(text))
        if type(record.seq) is not int or not isinstance(record.chain, str):
            return None
        named = chain_name(record.chain), record.seq, record.hash
        right = (
            named == (place.chain, place.seq, place.hash) == (*named[:2], digest(asdict(record)))
        )
    except (ValueError, TypeError, RecursionError):
        return None
    return record if right else None


def kept(safe: Vault, place: Place) -> Record | None:
    """Return the record that is kept at a place, whatever lies over it, or None."""
    try:
        found = read(safe.read(key_of(place)), place)
    except ClientError as error:
        if not is_code(error, *ABSENT):
            raise
        found = None
    if found:
        return found
    bodies = safe.bodies(safe.under(key_of(place)))
    return next((record for body in bodies if (record := read(body, place))), None)


def before(record: Record) -> Place | None:
    """Return the place of the record before one, or None where it is a chain's first."""
    if record.seq == 1:
        return None
    return Place(chain_name(record.chain), record.seq - 1, record.prev_hash)


def follows(safe: Vault, record: Record) -> bool:
    """Say whether the record before one is kept too, as it names it."""
    last = before(record)
    return record.prev_hash == GENESIS if last is None else kept(safe, last) is not None


def place(record: Record) -> Place:
    """Return the place of a record."""
    return Place(chain_name(record.chain), record.seq, record.hash)


def name(record: Record) -> str:
    """Return the part of a key that names a record."""
    return place_name(record.chain, record.seq, record.hash)
