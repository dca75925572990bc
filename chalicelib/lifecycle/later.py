"""What is to be done later with what stands: asked about, warned of, taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from chalicelib.effect import JSON
from chalicelib.lifecycle.conclusion import PARTLY_ROLLED_BACK, ROLLED_BACK
from chalicelib.lifecycle.heads import DONE_WITH, move
from chalicelib.playbook import from_document
from chalicelib.playbook.values import HOUR, Guardrails
from chalicelib.runner.work import Desk
from chalicelib.store import Effect, Remediation, listing
from chalicelib.table import Operation

REVIEW, WARN, EXPIRE = "review", "warn", "expire"
DAY = 24 * HOUR  # after which is asked about what a roll-back left, where no playbook says
BACK = (ROLLED_BACK, PARTLY_ROLLED_BACK)
Due = Mapping[str, int]


def standing(head: Remediation, made: Iterable[Effect]) -> list[Effect]:
    """Return the changes of a remediation that are in place.

    After a roll-back there is nothing more to ask about what cannot be taken back, nor about what
    a person decided to keep.
    """
    changes = [each for each in made if each.kind == "change" and each.state not in DONE_WITH]
    if head.status not in BACK:
        return changes
    kept = head.undo.get("keep", ())
    return [each for each in changes if each.final is None and each.key not in kept]


def guardrails_of(head: Remediation) -> Guardrails:
    """Return the guardrails that a remediation began with. Raise Corrupt where they are none."""
    return from_document(head.playbook).guardrails


def at_close(head: Remediation, phase: str, now: float) -> Due:
    """Return what is due of a remediation that something is left of, closed after a phase.

    After a roll-back what was due stays; what is left when nothing is due is asked about.
    """
    if phase == "undo":
        kept = {what: at for what, at in head.due.items() if at > now}
        return kept or {REVIEW: int(now) + (guardrails_of(head).review_after or DAY)}
    guardrails = guardrails_of(head)
    review = {REVIEW: int(now) + guardrails.review_after} if guardrails.review_after else {}
    return review | expiring(guardrails.expires_after or 0, now)


def expiring(window: int, now: float) -> dict[str, int]:
    """Return when what expires after a window is warned of and taken back; nothing for none.

    The warning goes out a tenth of the window before, a day at most.
    """
    if not window:
        return {}
    end = int(now) + window
    return {WARN: end - min(DAY, window // 10), EXPIRE: end}


def operations(before: Due, after: Remediation) -> list[Operation]:
    """Return what brings the list of what is due in line with a remediation's new head."""
    old, new = keys(after.id, before), keys(after.id, after.due)
    dropped: list[Operation] = [listing.drop(listing.DUE, key) for key in old if key not in new]
    return dropped + [
        listing.put(listing.DUE, key, entry) for key, entry in new.items() if key not in old
    ]


def keys(identity: str, due: Due) -> dict[str, dict[str, JSON]]:
    """Return the entries of what is due, by their keys, which sort by time."""
    return {
        f"{at:012d}#{what}#{identity}": {"remediation": identity, "what": what, "at": at}
        for what, at in due.items()
    }


def listed(head: Remediation, made: Iterable[Effect]) -> Operation:
    """Return what puts a closed remediation on the list of what stands, or takes it off."""
    if standing(head, made):
        return listing.put(listing.STANDING, head.id, {"playbook": str(head.playbook["name"])})
    return listing.drop(listing.STANDING, head.id)


def reschedule(
    desk: Desk,
    identity: str,
    kind: str,
    by: Mapping[str, JSON],
    change: Callable[[Remediation], Due | None],
) -> Remediation:
    """Change what is due of a remediation, with its record; `change` returns None to leave it."""
    before: dict[str, int] = {}

    def changed(head: Remediation) -> Remediation | None:
        due = change(head)
        if due is None or due == head.due:
            return None
        before.clear()
        before.update(head.due)
        return replace(head, due=dict(due))

    return move(desk, identity, kind, changed, by, lambda after: operations(before, after))
