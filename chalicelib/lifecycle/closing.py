"""The end of a remediation: nothing half-way left, its status on record, its gate told."""

from __future__ import annotations

from dataclasses import replace

from chalicelib import gates, telling
from chalicelib.errors import Busy
from chalicelib.lifecycle import later
from chalicelib.lifecycle.conclusion import (
    EXPIRED,
    FAILED,
    PARTLY,
    PARTLY_ROLLED_BACK,
    conclude,
)
from chalicelib.lifecycle.heads import head_of, leased, move
from chalicelib.runner import settling
from chalicelib.runner.work import Desk, Work
from chalicelib.store import Effect, Remediation, effects, listing
from chalicelib.table import Operation
from chalicelib.text import shortened

LONGEST = 10_000  # characters of a reason; the steps' results have theirs in full
TOLD = (FAILED, PARTLY, PARTLY_ROLLED_BACK, EXPIRED)


def close(desk: Desk, identity: str, owner: str, until: int) -> str:
    """Close a remediation: nothing half-way left, its status on record, its gate told, people told.

    Return the status; closing what is closed changes nothing. Raise Transient for what is to be
    tried again.
    """
    head = head_of(desk, identity)
    if head.phase == "closed":
        return head.status
    with leased(desk, head, "close", owner, until) as work:
        settling.quiet(work)
        problems = [*settling.settle(work), *settling.sweep(work)]
        return _closed(work, *conclude(work, problems)).status


def _closed(work: Work, status: str, reason: str) -> Remediation:
    desk, head = work.desk, work.remediation
    made, seconds = effects(desk.tables, head.id), desk.clock.seconds()

    def closed(now: Remediation) -> Remediation | None:
        if now.phase == "closed":
            return None
        if now.phase != head.phase:
            raise Busy(f"remediation {now.id} moved on to its {now.phase} phase")
        if now.phase == "apply" and now.undo.get("asked"):
            raise Busy(f"remediation {now.id} is to be taken back first")
        why = shortened(reason, LONGEST)
        shut = replace(now, phase="closed", status=status, reason=why, token="")
        stands = later.standing(shut, made)
        return replace(shut, due=later.at_close(shut, head.phase, seconds) if stands else {})

    if status in TOLD:
        telling.closed(desk, head, status, reason)
    return move(
        desk, head.id, "closed", closed, work.who, lambda after: _lists(desk, head, after, made)
    )


def _lists(
    desk: Desk, before: Remediation, after: Remediation, made: list[Effect]
) -> list[Operation]:
    """Return what closing does besides: gate, and the lists that a remediation is on."""
    return [
        *gates.closing(desk, after),
        listing.drop(listing.OPEN, after.id),
        later.listed(after, made),
        *later.operations(before.due, after),
    ]
