"""Lists: what is to be found without reading the whole table, one partition each."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.effect import JSON
from chalicelib.table import Delete, Item, Put, Tables

OPEN = "open"  # remediations that are not closed, or are being taken back; key: their id
STANDING = "standing"  # closed remediations whose changes are in place; key: their id
DUE = "due"  # what is to be done later; key: when, what, of which remediation
UNTOLD = "untold"  # messages that could not be sent; key: a hash of the message
PARKED = "parked"  # steps that wait beside themselves; key: remediation, step, index


def place(name: str, key: str) -> tuple[str, str]:
    """Return the key of an entry's item."""
    return f"LIST#{name}", key


def put(name: str, key: str, data: Mapping[str, JSON] | None = None) -> Put:
    """Return the write that enters a key into a list, or replaces what it says."""
    return Put(Item(*place(name, key), data or {}))


def drop(name: str, key: str) -> Delete:
    """Return the write that takes a key off a list, where it is on it."""
    return Delete(*place(name, key))


def entries(tables: Tables, name: str, upto: str = "") -> list[Item]:
    """Return a list's entries by key, or those whose key is not above `upto`.

    One that cannot be read has its key and no data.
    """
    return tables.entries(f"LIST#{name}", upto=upto)
