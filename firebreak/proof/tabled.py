"""The chains of the audit table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chalicelib.audit import Verdict
from chalicelib.errors import Corrupt
from chalicelib.table import Tables
from firebreak.proof.trail import Chain, chain_of


def chains(tables: Tables, named: Iterable[str] = ()) -> Iterator[Chain]:
    """Yield the chains that are named, or all of the table; each is read whole."""
    for name in tuple(named) or tables.chains():
        try:
            yield chain_of(name, tables.records(name))
        except (Corrupt, RecursionError) as wrong:
            yield Chain(name, Verdict(False, 0, None, str(wrong)), readable=False)
