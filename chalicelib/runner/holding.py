"""Who wants what of one element: joining a hold, and letting go of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.effect import JSON, canonical_text, satisfies
from chalicelib.errors import Busy, Refused
from chalicelib.store import Hold


@dataclass(frozen=True, slots=True)
class Wish:
    """Hold what one step of one remediation wants of an element, and by whom it is called."""

    wisher: str
    key: str
    want: JSON
    order: str
    do: Mapping[str, JSON] | None
    undo: Mapping[str, JSON] | None
    by: Mapping[str, JSON]

    def document(self) -> dict[str, JSON]:
        """Return the wish as a hold keeps it."""
        return {"want": self.want, "order": self.order, "do": self.do, "by": self.by}


def take(hold: Hold | None, wish: Wish, live: JSON, now: float, until: int) -> tuple[Hold, bool]:
    """Return the hold with the wish on it, and whether a change must be made.

    The first change made under a hold sets its baseline and the way back. Versions of a hold made
    anew go on from the time, so that it is never taken for one that was let go of. Raise Busy while
    another's wish is being worked on, Refused `held_otherwise` where the wish contradicts others.
    """
    hold = hold or Hold(wish.key, baseline=live, standing=live, version=int(now * 1_000))
    locked(hold, wish.wisher, now)
    _agree(hold, wish)
    act = not satisfies(wish.order, live, wish.want)
    if act and hold.undo is None:
        hold = replace(hold, baseline=live, undo=wish.undo, undo_by=wish.by)
    wished = replace(hold, wishes={**hold.wishes, wish.wisher: wish.document()})
    return lock(wished, wish.wisher, until) if act else unlocked(wished), act


def lock(hold: Hold, wisher: str, until: int) -> Hold:
    """Return the hold with a wish being worked on."""
    return replace(hold, lock=wisher, locked_until=until)


def unlocked(hold: Hold) -> Hold:
    """Return the hold with no wish being worked on."""
    return replace(hold, lock="", locked_until=0)


def locked(hold: Hold, wisher: str, now: float) -> None:
    """Raise Busy while somebody else works on the element."""
    if hold.lock not in ("", wisher) and hold.locked_until >= now:
        raise Busy(f"{hold.key} is being changed by {hold.lock}")


def _agree(hold: Hold, wish: Wish) -> None:
    """Raise Refused where neither of two wishes fulfils the other."""
    for other, theirs in hold.wishes.items():
        ours_do = satisfies(wish.order, wish.want, theirs["want"])
        theirs_do = satisfies(str(theirs["order"]), theirs["want"], wish.want)
        if other != wish.wisher and not ours_do and not theirs_do:
            raise Refused(
                "held_otherwise",
                f"{hold.key} is held at {canonical_text(theirs['want'])} by {other}; "
                f"{canonical_text(wish.want)} was asked for",
            )


def settled(hold: Hold, wisher: str, live: JSON) -> Hold | None:
    """Return the hold after its change was seen in place; None where another took it over."""
    if hold.lock not in ("", wisher):
        return None
    return replace(unlocked(hold), standing=live)


def without(hold: Hold, wisher: str) -> Hold:
    """Return the hold after one wisher let go: its wish gone, its lock too."""
    wishes = {name: wish for name, wish in hold.wishes.items() if name != wisher}
    left = replace(hold, wishes=wishes)
    return unlocked(left) if hold.lock == wisher else left


def strongest(hold: Hold) -> Mapping[str, JSON] | None:
    """Return the wish that fulfils all others, or None where nobody wishes."""
    best: Mapping[str, JSON] | None = None
    for wish in hold.wishes.values():
        if best is None or satisfies(str(wish["order"]), wish["want"], best["want"]):
            best = wish
    return best
