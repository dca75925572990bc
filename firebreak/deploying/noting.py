"""The audit trail of deployments: one chain, a record per change, beside the state it speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chalicelib.audit import Entry
from chalicelib.effect import JSON
from chalicelib.table import Operation
from firebreak.deploying.run import Run

CHAIN = "DEPLOYMENT"


def note(
    run: Run, kind: str, what: Mapping[str, JSON], operations: Sequence[Operation] = ()
) -> None:
    """Write a record of a change, in one transaction with what the functions read of it."""
    entry = Entry(CHAIN, kind, {"principal": run.by}, what)
    run.desk.tables.commit(entry, lambda _seq: operations)
