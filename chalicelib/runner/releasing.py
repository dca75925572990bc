"""Letting go of an element, on record: taken back, handed over, given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from chalicelib.effect import JSON
from chalicelib.errors import Busy
from chalicelib.runner import holding
from chalicelib.runner.work import RACES, Work, hold_writes, maker
from chalicelib.store import Effect, Hold, effect_item, effects
from chalicelib.table import ConditionFailed, Operation, Put

# How taking back one change ended.
RESTORED = "restored"  # as it was before the first holder
ALREADY_BACK = "already_back"  # somebody had put it back, or nothing was changed
CONFLICT = "conflict"  # it is neither as left nor as before: nothing touched, a person decides
GONE = "gone"  # what it was part of no longer exists
HELD = "held"  # let go; others still hold it
KEPT = "kept"  # evidence and messages are not taken back
IRREVERSIBLE = "irreversible"  # its action says why
TOO_EARLY = "too_early"  # taking it back now would end the protection itself
FAILED = "failed"  # AWS refuses it, or it does not show
BLOCKED = "blocked"  # what must be taken back before it still stands


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Say how one element fared: what was there before, what was left, what is there now."""

    step: str
    index: int
    key: str
    result: str
    before: JSON = None
    left: JSON = None
    live: JSON = None
    reason: str = ""


def release(work: Work, group: Sequence[Effect], hold: Hold | None, result: TakenBack) -> bool:
    """Record the result and let go of the hold; return False where it changed meanwhile."""
    wisher = work.wisher(group[-1].step, group[-1].index)
    number = int(work.remediation.undo.get("number", 0))
    undone = [
        replace(effect, state="undone", result=result.result, undone_in=number) for effect in group
    ]
    left = holding.without(hold, wisher) if hold else None
    return write(work, "undo_outcome", result, undone, hold, left)


def write(
    work: Work,
    kind: str,
    result: TakenBack,
    changed: Sequence[Effect],
    hold: Hold | None,
    after: Hold | None,
) -> bool:
    """Write effects and their hold with a record; return False where the hold changed meanwhile."""
    puts: list[Operation] = [Put(effect_item(work.remediation.id, each)) for each in changed]
    puts += hold_writes(hold, after)
    try:
        work.commit(kind, asdict(result), lambda _seq: puts)
    except ConditionFailed:
        return False
    return True


def give_back(work: Work, effect: Effect) -> None:
    """Record an effect that failed for good, and take its wish off the hold.

    An earlier change of the element by the same step keeps its own wish, until it is taken back.
    """
    result = TakenBack(effect.step, effect.index, effect.key, "failed", reason=effect.result)
    for _ in range(RACES):
        hold = work.hold(effect.key) if effect.kind == "change" else None
        left = _without(work, hold, effect) if hold else None
        if write(work, "failed", result, [effect], hold, left):
            return
    raise Busy(f"{effect.key} is held and let go by others all the time")


def _without(work: Work, hold: Hold, effect: Effect) -> Hold:
    wisher = work.wisher(effect.step, effect.index)
    left = holding.without(hold, wisher)
    before = [e for e in _earlier(work, effect) if e.state == "done"] if effect.n else []
    if not before:
        return left
    last = before[-1]
    wish = {"want": last.want, "order": last.order, "do": last.do, "by": maker(last)}
    return replace(left, wishes={**left.wishes, wisher: wish})


def _earlier(work: Work, effect: Effect) -> list[Effect]:
    """Return the changes of the same element that the same step made before."""
    mine = effects(work.desk.tables, work.remediation.id, effect.step)
    same = [e for e in mine if (e.index, e.key) == (effect.index, effect.key)]
    return sorted((e for e in same if e.n < effect.n), key=lambda e: e.n)
