"""What waits for a token that nobody sent: decisions, steps, waits that ran out."""

from __future__ import annotations

from chalicelib import halting, lifecycle, tokens
from chalicelib.reconciling import Run
from chalicelib.store import Remediation

ORDER = 30
PERMISSIONS: tuple[str, ...] = ()
AFTER = 300  # seconds after which a wait that ran out should have ended by itself


def find(run: Run) -> None:
    """Send what was decided again, wake what waits though nothing is halted, end old waits."""

    def answered(head: Remediation) -> None:
        if lifecycle.resend(run.desk, head):
            run.found.append(f"{head.id}: its decision was sent again")
        elif head.phase == "wait" and head.token and 0 < head.waits_until < run.now - AFTER:
            _ended(run, head)
        elif head.undo.get("asked") and halting.wake_one(run.desk, head.id, run.by):
            run.found.append(f"{head.id}: woken, to be taken back as a person asked")

    run.each(run.open(), "answer", answered)
    run.each(["parked"], "wake", lambda _what: _woken(run))


def _woken(run: Run) -> None:
    count = halting.wake(run.desk, run.by, lambda: run.over)
    run.found.extend([f"{count} waiting steps woken"] if count else [])


def _ended(run: Run, head: Remediation) -> None:
    """Let a wait that ran out end as such; the machine then closes the remediation."""
    if tokens.fail(run.desk, head.token, "States.Timeout", "nobody decided in time"):
        run.found.append(f"{head.id}: its wait was over")
