"""What is compared: chains as they are now, as they were kept, and as they were sealed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.audit import Record, Verdict, verify
from chalicelib.outside.seals import Seal
from chalicelib.outside.vault import chain_name

GRACE = 3_600  # seconds in which a record is kept; and, once kept, sealed by the next seal
STALE = 3 * 3_600  # seconds after which another seal is missed; one is made every hour


@dataclass(frozen=True, slots=True)
class Finding:
    """Say what is wrong, and where."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Chain:
    """Hold a chain of the table: its name, whether it holds, and hash and time per number.

    readable: False where the table holds what is no record, so that no number is known.
    """

    name: str
    verdict: Verdict
    places: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    readable: bool = True


Copies = Mapping[int, Mapping[str, str]]  # when it was kept, by number and hash


@dataclass(frozen=True, slots=True)
class Trail:
    """Hold an audit trail.

    chains, kept: by the chain's name in keys; kept: None where it is not known. only: what it is
    about, where that is not everything.
    """

    chains: Mapping[str, Chain]
    kept: Mapping[str, Copies] | None
    seals: tuple[Seal, ...]
    only: frozenset[str] = frozenset()

    @property
    def records(self) -> int:
        """Return how many records are in the table."""
        return sum(chain.verdict.records for chain in self.chains.values())


def chain_of(name: str, records: Iterable[Record]) -> Chain:
    """Return a chain of records in order, verified."""
    each = list(records)
    places = {record.seq: (str(record.hash), str(record.at)) for record in each}
    return Chain(name, verify(each, name), places)


def by_key(chains: Iterable[Chain]) -> dict[str, Chain]:
    """Return chains by the name that keys have for them."""
    return {chain_name(chain.name): chain for chain in chains}
