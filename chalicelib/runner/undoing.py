"""Recorded effects taken back in reverse: only what is as it was left, and nobody else holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.clock import text
from chalicelib.effect import JSON
from chalicelib.errors import Busy, NotApplicable
from chalicelib.runner import holding
from chalicelib.runner.calling import sort_error
from chalicelib.runner.judging import Case, Verdict, judge, same
from chalicelib.runner.reading import LiveReader, look_until, recorded_probe
from chalicelib.runner.releasing import (
    GONE,
    IRREVERSIBLE,
    KEPT,
    TOO_EARLY,
    TakenBack,
    release,
    write,
)
from chalicelib.runner.restoring import let_go, put
from chalicelib.runner.work import RACES, Work, maker
from chalicelib.store import Effect, Hold


def groups(effects: Iterable[Effect]) -> list[list[Effect]]:
    """Return effects by step and element, the last made first; waypoints stand with their end."""
    grouped: dict[tuple[str, int, str], list[Effect]] = {}
    for effect in sorted(effects, key=lambda each: (each.seq, each.n)):
        grouped.setdefault((effect.step, effect.index, effect.key), []).append(effect)
    return sorted(grouped.values(), key=lambda group: group[-1].seq, reverse=True)


def take_back(work: Work, group: Sequence[Effect], *, force: bool = False) -> TakenBack:
    """Take one element's changes back to the state before them, if it still is as they left it.

    Raise Transient for what may pass, Failed where AWS refuses; the records tell where it stands.
    """
    last = group[-1]
    listed = _listed(work, last, force=force)
    if listed:
        return listed
    for _ in range(RACES):
        result = _tried(work, group, force=force)
        if result:
            return result
    raise Busy(f"{last.key} is held and let go by others all the time")


def keep(work: Work, group: Sequence[Effect]) -> TakenBack:
    """Leave an element as it is, as a person decided; what somebody changed since is let go of.

    Else the next who holds it would put back what we wanted. Raise as `take_back` does.
    """
    last = group[-1]
    kept = TakenBack(last.step, last.index, last.key, KEPT, reason="as decided")
    if _listed(work, last, force=True):
        return kept
    for _ in range(RACES):
        stored = work.hold(last.key)
        try:
            case = _case(work, group, stored, _live(work, group))
        except NotApplicable:
            return kept
        except (ClientError, BotoCoreError) as error:
            raise sort_error(error) from error
        if judge(case, work.desk.clock.seconds(), force=False).lets_go:
            return kept
        if let_go(case, case.result(KEPT, "as decided, and let go of")):
            return case.result(KEPT, "as decided, and let go of")
    raise Busy(f"{last.key} is held and let go by others all the time")


def _listed(work: Work, effect: Effect, *, force: bool) -> TakenBack | None:
    """Return the result of what is never taken back, or not yet; None for all else."""
    made = TakenBack(effect.step, effect.index, effect.key, KEPT, effect.before, effect.after)
    if effect.kind != "change":
        return replace(made, reason=f"{effect.kind} is not taken back")
    if effect.final is not None:
        return replace(made, result=IRREVERSIBLE, reason=effect.final)
    if effect.not_before > work.desk.clock.seconds() and not force:
        until = text(effect.not_before)
        reason = f"taking it back before {until} would end the protection"
        return replace(made, result=TOO_EARLY, reason=reason)
    return None


def _tried(work: Work, group: Sequence[Effect], *, force: bool) -> TakenBack | None:
    """Return how it ended, or None where the hold changed meanwhile and all must be read again."""
    stored = work.hold(group[-1].key)
    try:
        case = _case(work, group, stored, _live(work, group))
        return _ended(case, judge(case, work.desk.clock.seconds(), force=force))
    except NotApplicable as gone:
        result = _gone(group[-1], gone)
        return result if release(work, group, work.hold(group[-1].key), result) else None
    except (ClientError, BotoCoreError) as error:
        raise sort_error(error) from error


def _gone(last: Effect, gone: NotApplicable) -> TakenBack:
    return TakenBack(last.step, last.index, last.key, GONE, reason=str(gone))


def _live(work: Work, group: Sequence[Effect]) -> JSON:
    """Return what the probe reads; a change that was cut off gets the time it takes to show."""
    last = group[-1]
    reader: LiveReader = work.reader_by(maker(last), last.step)
    cut_off = [effect.before for effect in group if effect.state == "intent"]
    return look_until(
        reader,
        recorded_probe(last.probe),
        lambda live: not any(same(live, before) for before in cut_off),
        float(last.settles),
    )


def _case(work: Work, group: Sequence[Effect], stored: Hold | None, live: JSON) -> Case:
    first, last = group[0], group[-1]
    hold = stored or Hold(
        last.key, first.before, first.undo, undo_by=maker(first), standing=last.after
    )
    if any(same(live, each.want) for each in group if each.state == "intent"):
        hold = replace(hold, standing=live)  # it was made; the record of it was cut off
    return Case(work, group, stored, hold, live)


def _ended(case: Case, verdict: Verdict) -> TakenBack | None:
    """Do what was decided; None where the hold changed meanwhile."""
    if not verdict.lets_go:
        return _left_alone(case, verdict.result)
    if verdict.way is None:
        return let_go(case, verdict.result)
    return put(case, verdict.way, verdict.result)


def _left_alone(case: Case, conflict: TakenBack) -> TakenBack | None:
    """Record a conflict; a lock that a roll-back cut off left of ours need not run out."""
    locked = case.stored if case.stored and case.stored.lock == case.wisher else None
    free = holding.unlocked(locked) if locked else None
    return conflict if write(case.work, "undo_conflict", conflict, [], locked, free) else None


# --- foreseen -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Left:
    """Hold what an element would be left as: its hold, None where nobody's, and what shows."""

    hold: Hold | None
    live: JSON


def foresee(
    work: Work, group: Sequence[Effect], left: dict[str, Left], *, force: bool = False
) -> TakenBack:
    """Return what `take_back` would come to now; nothing is written.

    left: what those that come before it would leave, by state-key; what this one would leave is
    entered. Raise as `take_back` does.
    """
    last = group[-1]
    listed = _listed(work, last, force=force)
    if listed:
        return listed
    try:
        case = _foreseen(work, group, left.get(last.key))
    except NotApplicable as gone:
        return _gone(last, gone)
    except (ClientError, BotoCoreError) as error:
        raise sort_error(error) from error
    verdict = judge(case, work.desk.clock.seconds(), force=force)
    if verdict.lets_go:
        left[last.key] = _left(case, verdict)
    return verdict.result


def _foreseen(work: Work, group: Sequence[Effect], left: Left | None) -> Case:
    if left is not None:
        return _case(work, group, left.hold, left.live)
    return _case(work, group, work.hold(group[-1].key), _live(work, group))


def _left(case: Case, verdict: Verdict) -> Left:
    live = verdict.way.to if verdict.way else case.live
    hold = replace(holding.without(case.hold, case.wisher), standing=live)
    return Left(hold if hold.wishes else None, live)
