"""What is read for a list: one thing that cannot be read is named, and hides no other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chalicelib.errors import Corrupt
from chalicelib.store import Remediation, load, partition
from chalicelib.table import Tables

Read = tuple[list[Remediation], list[Corrupt]]


def heads(tables: Tables, identities: Iterable[str]) -> Read:
    """Return the heads of remediations, where there are any, and what cannot be read of them."""
    return _heads(tables, [(partition(identity), "META") for identity in identities])


def _heads(tables: Tables, keys: Sequence[tuple[str, str]]) -> Read:
    """Read all together; where one of them is damaged, read each half by itself."""
    if not keys:
        return [], []
    try:
        return [load(Remediation, item) for item in tables.get(*keys) if item], []
    except Corrupt as damaged:
        if len(keys) == 1:
            return [], [damaged]
    halves = [_heads(tables, half) for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :])]
    return [head for found, _ in halves for head in found], [
        w for _, wrong in halves for w in wrong
    ]


def say(wrong: Iterable[Corrupt]) -> None:
    """Raise Corrupt for what could not be read, after all else was shown."""
    if said := "\n".join(map(str, wrong)):
        raise Corrupt(said)
