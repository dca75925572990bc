"""Who wants what of one element: joining a hold, and letting go of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.effect import JSON, canonical_text, satisfies
from chalicelib.errors import Busy, Refused
from chalicelib.store import Hold


@dataclass(frozen=True, slots=True)
class Wish:
    """Hold what one step of one remediation wants of an element."""

    wisher: str
    key: str
    want: JSON
    order: str
    do: Mapping[str, JSON] | None
    undo: Mapping[str, JSON] | None


def take(hold: Hold | None, wish: Wish, live: JSON, now: float, until: int) -> tuple[Hold, bool]:
    """Return the hold with the wish on it, and whether a change must be made.

    Raise Busy while another's wish is being worked on, Refused `held_otherwise` where the wish
    contradicts what others hold.
    """
    hold = hold or Hold(wish.key, baseline=live, standing=live)
    locked(hold, wish.wisher, now)
    act = not satisfies(wish.order, live, wish.want)
    if act:
        _agree(hold, wish)
    wishes = {**hold.wishes, wish.wisher: {"want": wish.want, "order": wish.order, "do": wish.do}}
    return (
        replace(
            hold,
            wishes=wishes,
            undo=hold.undo or (wish.undo if act else None),
            standing=live,
            lock=wish.wisher if act else "",
            locked_until=until if act else 0,
        ),
        act,
    )


def locked(hold: Hold, wisher: str, now: float) -> None:
    """Raise Busy while somebody else works on the element."""
    if hold.lock and hold.lock != wisher and hold.locked_until > now:
        raise Busy(f"{hold.key} is being changed by {hold.lock}")


def _agree(hold: Hold, wish: Wish) -> None:
    for other, theirs in hold.wishes.items():
        if other != wish.wisher and not satisfies(wish.order, wish.want, theirs["want"]):
            raise Refused(
                "held_otherwise",
                f"{hold.key} is held at {canonical_text(theirs['want'])} by {other}; "
                f"{canonical_text(wish.want)} was asked for",
            )


def settled(hold: Hold, live: JSON) -> Hold:
    """Return the hold after its change was seen in place: unlocked, with what stands there now."""
    return replace(hold, standing=live, lock="", locked_until=0)


def without(hold: Hold, wisher: str) -> Hold:
    """Return the hold after one wisher let go: unlocked, its wish gone."""
    wishes = {name: wish for name, wish in hold.wishes.items() if name != wisher}
    return replace(hold, wishes=wishes, lock="", locked_until=0)


def strongest(hold: Hold) -> Mapping[str, JSON] | None:
    """Return the wish that fulfils all others, or None where nobody wishes."""
    best: Mapping[str, JSON] | None = None
    for wish in hold.wishes.values():
        if best is None or satisfies(str(wish["order"]), wish["want"], best["want"]):
            best = wish
    return best
