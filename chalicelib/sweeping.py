"""Review and expiry: who contained something is asked whether it stays; blocks are taken back.

A review asks and never ends anything. Only what the playbook lets expire is taken back unasked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from chalicelib import durations, halting, lifecycle, publishing, telling
from chalicelib.audit import Entry
from chalicelib.effect import JSON
from chalicelib.errors import Failed, Invalid, Transient
from chalicelib.lifecycle import later
from chalicelib.lifecycle.later import DAY, EXPIRE, REVIEW, WARN, Due
from chalicelib.log import note
from chalicelib.runner.calling import PROBLEMS
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation, effects, listing, meta_item
from chalicelib.table import SAME_VERSION, Delete, Item, Operation, Put

DONE, LATER, STALE = "done", "later", "stale"
UNATTENDED: Mapping[str, JSON] = {"by": "sweep", "unattended": True}
WINDOW = 3 * DAY  # that `keep` gives where neither the person nor the playbook says


def sweep(desk: Desk, owner: str, until: float) -> dict[str, Any]:
    """Do what is due; return how often each thing was done, and what could not be.

    until: when to stop; the rest is done by the next sweep. What fails stays due, and holds up
    nothing else.
    """
    done: dict[str, int] = {}
    failed: list[str] = []
    now = int(desk.clock.seconds())
    for item in listing.entries(desk.tables, listing.DUE, f"{now:012d}~"):
        if desk.clock.seconds() > until:
            note("not_reached", item.sk)
            break
        try:
            name = _done(desk, item, owner)
        except PROBLEMS as problem:
            failed.append(f"{item.sk}: {type(problem).__name__}: {problem}")
            continue
        done[name] = done.get(name, 0) + 1
    return {"done": done, "told_late": _told_late(desk, owner, until, failed), "failed": failed}


def _told_late(desk: Desk, owner: str, until: float, failed: list[str]) -> int:
    """Send messages that could not be sent, until one still cannot; return how many were."""
    count = 0
    for item in listing.entries(desk.tables, listing.UNTOLD):
        if desk.clock.seconds() > until:
            break
        try:
            if not publishing.send_late(desk, item, owner):
                break
        except PROBLEMS as problem:
            failed.append(f"message {item.sk}: {type(problem).__name__}: {problem}")
            continue
        count += 1
    return count


def _done(desk: Desk, item: Item, owner: str) -> str:
    """Do what one entry asks for; return what that was, `later` or `stale`."""
    identity, what, at = _read(item)
    head = lifecycle.head_of(desk, identity)
    if head.due.get(what) != at:
        _drop(desk, item, identity, owner)
        return STALE
    if head.phase != "closed" and what != EXPIRE:
        return LATER  # it is being taken back; closing says what is due then
    return what if DOING[what](desk, head, owner) else LATER


def _read(item: Item) -> tuple[str, str, int]:
    identity, what, at = (item.data.get(name) for name in ("remediation", "what", "at"))
    if not isinstance(identity, str) or what not in DOING or not isinstance(at, int):
        raise Failed("the entry is none")
    return identity, str(what), at


def _drop(desk: Desk, item: Item, identity: str, owner: str) -> None:
    gone = Delete(item.pk, item.sk)
    desk.tables.commit(Entry(identity, "not_due", _by(owner), dict(item.data)), lambda _seq: [gone])


def _by(owner: str) -> dict[str, JSON]:
    return {"function": "sweep", "request": owner}


# --- asked, warned of, taken back -----------------------------------------------------------------


def _review(desk: Desk, head: Remediation, owner: str) -> bool:
    """Ask whether what stands is still needed, and have it asked again. Raise Transient unheard."""
    stands = later.standing(head, effects(desk.tables, head.id))
    after = later.guardrails_of(head).review_after or DAY
    if stands and not telling.review(desk, head, len(stands), after):
        raise Transient("nobody could be asked")
    at = int(desk.clock.seconds()) + after

    def asked(now: Remediation) -> Due | None:
        if now.due.get(REVIEW) != head.due[REVIEW]:
            return None
        return {**now.due, REVIEW: at} if stands else {}

    kind = "review_asked" if stands else "nothing_stands"
    later.reschedule(desk, head.id, kind, _by(owner), asked)
    return True


def _warn(desk: Desk, head: Remediation, owner: str) -> bool:
    """Tell that a block expires. Raise Transient where nobody could be told.

    Between warning and end there is as much time as planned, however late the warning goes out.
    """
    planned = head.due.get(EXPIRE, head.due[WARN])
    end = max(planned, int(desk.clock.seconds()) + planned - head.due[WARN])
    if not telling.expiry(desk, head, end):
        raise Transient("nobody could be told")

    def warned(now: Remediation) -> Due | None:
        if now.due != head.due:
            return None
        return {what: at for what, at in now.due.items() if what != WARN} | {EXPIRE: end}

    later.reschedule(desk, head.id, "expiry_warned", _by(owner), warned)
    return True


def _expire(desk: Desk, head: Remediation, _owner: str) -> bool:
    """Begin to take back what expired; return False where it has to wait, or is under way.

    Under the kill switch nothing is begun, and a warning that nobody could be given goes first.
    """
    if halting.is_halted(desk) or WARN in head.due:
        return False
    if head.phase == "closed":
        lifecycle.start_undo(desk, head.id, UNATTENDED)
        return True
    died = head.undo.get("by") == UNATTENDED["by"] and not lifecycle.execution_status(desk, head)
    if died:
        lifecycle.start_execution(desk, head)
    return died


DOING: Mapping[str, Callable[[Desk, Remediation, str], bool]] = {
    REVIEW: _review,
    WARN: _warn,
    EXPIRE: _expire,
}


# --- kept -----------------------------------------------------------------------------------------


def renewals(head: Remediation, now: float) -> tuple[Remediation, list[Operation]]:
    """Return a remediation whose expiry begins anew after a repeat, and the writes of it.

    Only what expires is renewed: a review that repeats put off would never be asked.
    """
    if head.phase != "closed" or EXPIRE not in head.due:
        return head, []
    window = later.guardrails_of(head).expires_after or 0
    due = {what: at for what, at in head.due.items() if what not in (WARN, EXPIRE)}
    renewed = due | later.expiring(window, now)
    if renewed[EXPIRE] <= head.due[EXPIRE]:
        return head, []
    after = replace(head, due=renewed, version=head.version + 1)
    put = Put(meta_item(after), SAME_VERSION, {"version": head.version})
    return after, [put, *later.operations(head.due, after)]


def keep(desk: Desk, identity: str, window: int | None, by: str) -> Remediation:
    """Keep a containment: put off its expiry, or else its next review, by a window in seconds.

    Return the head as it is then. Raise Invalid for no time at all, Failed where nothing stands.
    """
    if window is not None and window <= 0:
        raise Invalid(f"0s is no time to keep anything: write {durations.WANTED}")
    head = lifecycle.head_of(desk, identity)
    now = desk.clock.seconds()
    stands = later.standing(head, effects(desk.tables, identity))

    def kept(current: Remediation) -> Due:
        _may_keep(current, len(stands), now)
        guardrails = later.guardrails_of(current)
        if EXPIRE in current.due:
            review = {what: at for what, at in current.due.items() if what == REVIEW}
            return review | later.expiring(window or guardrails.expires_after or WINDOW, now)
        return {REVIEW: int(now) + (window or guardrails.review_after or WINDOW)}

    return later.reschedule(desk, identity, "kept", {"principal": by}, kept)


def _may_keep(head: Remediation, stands: int, now: float) -> None:
    if head.phase != "closed":
        raise Failed(f"remediation {head.id} is in its {head.phase} phase: nothing to keep yet")
    if not stands:
        raise Failed(f"remediation {head.id} ({head.status}): nothing of it stands")
    if head.due.get(EXPIRE, now + 1) <= now and WARN not in head.due:
        raise Failed(f"remediation {head.id} has expired: it is about to be taken back")
