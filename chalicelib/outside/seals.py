"""A seal: the last records of the chains that grew, under one signed root, after the seal before.

What is signed is short and of fixed shape, so that KMS takes it whole; the root stands in it for
the heads. A seal without heads says that nothing was new, and that sealing works.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chalicelib.audit import GENESIS
from chalicelib.effect import canonical_text
from chalicelib.errors import Corrupt
from chalicelib.outside import merkle
from chalicelib.outside.vault import SEALS, is_time

ALGORITHM = "ECDSA_SHA_256"
NAME = re.compile(rf"{SEALS}([0-9]{{10}})(-[0-9]{{1,2}})?\.json")
TYPES: Mapping[str, type] = {
    "number": int,
    "at": str,
    "previous": str,
    "heads": dict,
    "size": int,
    "root": str,
    "key": str,
    "signature": str,
}


@dataclass(frozen=True, slots=True)
class Seal:
    """Hold a seal.

    number: from 1. at: when what is new was listed. previous: hash of the seal before. heads: per
    chain, as keys name it, number and hash of its last record. key: the key's ARN. signature: hex.
    """

    number: int
    at: str
    previous: str
    heads: Mapping[str, tuple[int, str]]
    size: int
    root: str
    key: str
    signature: str = ""

    @property
    def signed(self) -> bytes:
        """Return what the signature is of."""
        covered = {k: v for k, v in asdict(self).items() if k not in ("heads", "signature")}
        return canonical_text({**covered, "algorithm": ALGORITHM}).encode("ascii", "replace")

    @property
    def hash(self) -> str:
        """Return the hash by which the next seal names this one."""
        return hashlib.sha256(self.signed).hexdigest()


def root_of(heads: Mapping[str, tuple[int, str]]) -> str:
    """Return the root over heads, sorted by chain."""
    entries = [canonical_text([chain, *heads[chain]]) for chain in sorted(heads)]
    return merkle.root([entry.encode() for entry in entries])


def following(last: Seal | None, at: str, heads: Mapping[str, tuple[int, str]], key: str) -> Seal:
    """Return the seal that follows the last one, still unsigned."""
    number, previous = (last.number + 1, last.hash) if last else (1, GENESIS)
    return Seal(number, at, previous, heads, len(heads), root_of(heads), key)


def names(number: int, count: int = 1) -> Iterator[str]:
    """Yield the keys that a seal may have, the first one first."""
    yield f"{SEALS}{number:010d}.json"
    for each in range(1, count):
        yield f"{SEALS}{number:010d}-{each}.json"


def number_of(key: str) -> int | None:
    """Return the number of the seal that a key is to hold, or None."""
    found = NAME.fullmatch(key)
    return int(found[1]) if found else None


def written(seal: Seal) -> str:
    """Return a seal as canonical JSON."""
    return canonical_text(asdict(seal))


def read(text: str | bytes) -> Seal:
    """Return a seal that was written. Raise Corrupt where it is none."""
    try:
        said = json.loads(text)
        heads = {chain: (seq, each) for chain, (seq, each) in said["heads"].items()}
        if {name: type(value) for name, value in said.items()} != TYPES or not _right(heads):
            raise Corrupt("its members are not those of a seal")
        if not is_time(said["at"]):
            raise Corrupt("its time is none")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as wrong:
        raise Corrupt(f"{type(wrong).__name__}: {wrong}") from wrong
    return Seal(**{**said, "heads": heads})


def _right(heads: Mapping[str, Any]) -> bool:
    return all(type(seq) is int and type(each) is str for seq, each in heads.values())


def wrong(seal: Seal, before: Seal | None) -> str:
    """Return what is wrong with a seal after the one before it, but for its signature; or ""."""
    if seal.number != (before.number + 1 if before else 1):
        return f"seal {before.number + 1 if before else 1} is missing"
    if seal.previous != (before.hash if before else GENESIS):
        return "it does not follow the seal before it"
    if seal.root != root_of(seal.heads) or seal.size != len(seal.heads):
        return "its root is not that of its heads"
    return "" if before is None or before.at <= seal.at else "it is older than the seal before it"
