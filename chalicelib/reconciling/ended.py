"""Executions that ended without closing their remediation, or were never begun: they are closed.

A remediation whose execution runs is never touched.
"""

from __future__ import annotations

from datetime import datetime

from chalicelib import gates, lifecycle
from chalicelib.audit import Entry
from chalicelib.reconciling import Run
from chalicelib.store import Remediation, listing, partition
from chalicelib.table import SAME_VERSION, Check

ORDER = 20
PERMISSIONS: tuple[str, ...] = ()
AFTER = 180  # seconds that an execution may take to be started, and to show
AT_WORK = 100  # seconds to wait for a step that outlived its execution


def find(run: Run) -> None:
    """Close what ended; begin the roll-back that died before it began; mend gates."""

    def mended(head: Remediation) -> None:
        said = _mended(run, head)
        run.found.extend([f"{head.id}: {said}"] if said else [])

    run.each(run.open(), "close", mended)


def _mended(run: Run, head: Remediation) -> str:
    if head.phase == "closed":
        return _delisted(run, head)
    if not head.started and head.phase != "undo":
        return ""  # that is for `unstarted`
    status = lifecycle.execution_status(run.desk, head)
    if status == "RUNNING" or (not status and _fresh(run, head)):
        return ""
    if not status and head.phase == "undo" and head.undo.get("number"):
        lifecycle.start_execution(run.desk, head)
        return "its roll-back started"
    return _closed(run, head, status)


def _closed(run: Run, head: Remediation, status: str) -> str:
    """Close what an execution left open, unless another has taken over meanwhile."""
    name = str(head.undo.get("execution", head.id))
    if not lifecycle.concerns(run.desk, head.id, name):
        return ""
    if lifecycle.take_up(run.desk, head.id, run.by):
        return "its roll-back started"
    closed = lifecycle.close(run.desk, head.id, run.owner, int(run.now) + AT_WORK)
    return f"closed as {closed}: its execution {status.lower() or 'is gone'}"


def _fresh(run: Run, head: Remediation) -> bool:
    """Say whether an execution may only not show yet: Step Functions' reads lag behind."""
    begun = str(head.undo.get("at", head.created_at))
    return run.now < datetime.fromisoformat(begun).timestamp() + AFTER


def _delisted(run: Run, head: Remediation) -> str:
    """Take what is closed off the list of what is open, and shut or open its gate."""
    gate = gates.get(run.desk.tables, head.gate)
    stuck = gate.state == gates.OPEN and gate.remediation == head.id
    same = Check(partition(head.id), "META", SAME_VERSION, {"version": head.version})
    operations = [
        same,
        listing.drop(listing.OPEN, head.id),
        *(gates.closing(run.desk, head) if stuck else ()),
    ]
    entry = Entry(head.id, "repaired", run.by, {"gate": gate.state if stuck else "", "list": True})
    run.desk.tables.commit(entry, lambda _seq: operations)
    return "its gate was still open" if stuck else "was listed as open"
