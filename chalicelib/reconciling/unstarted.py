"""Remediations that were admitted, but whose execution was never started: they are started."""

from __future__ import annotations

from datetime import datetime

from chalicelib import guardrails, lifecycle
from chalicelib.reconciling import Run
from chalicelib.store import Remediation

ORDER = 10
PERMISSIONS: tuple[str, ...] = ()
AFTER = 180  # seconds in which the event's own delivery may still be at it


def find(run: Run) -> None:
    """Start what was admitted a while ago; its name makes it one execution however often."""

    def started(head: Remediation) -> None:
        admitted = datetime.fromisoformat(head.created_at).timestamp()
        if head.started or head.phase in ("closed", "undo") or run.now < admitted + AFTER:
            return
        guardrails.sound(run.desk, guardrails.tripped_by(run.desk.tables, head.id), run.owner)
        lifecycle.start(run.desk, head, run.by)
        run.found.append(f"{head.id}: started")

    run.each(run.open(), "start", started)
