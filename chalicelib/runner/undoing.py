"""Recorded effects taken back in reverse: only what is as it was left, and nobody else holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.effect import JSON, canonical_text, satisfies
from chalicelib.errors import Busy, NotApplicable
from chalicelib.runner import holding
from chalicelib.runner.calling import sort_error
from chalicelib.runner.reading import LiveReader, look_until, recorded_probe
from chalicelib.runner.releasing import (
    ALREADY_BACK,
    CONFLICT,
    GONE,
    HELD,
    IRREVERSIBLE,
    KEPT,
    RESTORED,
    TOO_EARLY,
    TakenBack,
    release,
    write,
)
from chalicelib.runner.restoring import Case, Way, let_go, put
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


def _listed(work: Work, effect: Effect, *, force: bool) -> TakenBack | None:
    """Return the result of what is never taken back, or not yet; None for all else."""
    made = TakenBack(effect.step, effect.index, effect.key, KEPT, effect.before, effect.after)
    if effect.kind != "change":
        return replace(made, reason=f"{effect.kind} is not taken back")
    if effect.final is not None:
        return replace(made, result=IRREVERSIBLE, reason=effect.final)
    if effect.not_before > work.desk.clock.seconds() and not force:
        return replace(made, result=TOO_EARLY, reason="taking it back now would end the protection")
    return None


def _tried(work: Work, group: Sequence[Effect], *, force: bool) -> TakenBack | None:
    """Return how it ended, or None where the hold changed meanwhile and all must be read again."""
    last = group[-1]
    stored = work.hold(last.key)
    try:
        live = _live(work.reader_by(maker(last), last.step), group)
        return _decided(_case(work, group, stored, live), force=force)
    except NotApplicable as gone:
        result = TakenBack(last.step, last.index, last.key, GONE, reason=str(gone))
        return result if release(work, group, work.hold(last.key), result) else None
    except (ClientError, BotoCoreError) as error:
        raise sort_error(error) from error


def _live(reader: LiveReader, group: Sequence[Effect]) -> JSON:
    """Return what the probe reads; a change that was cut off gets the time it takes to show."""
    cut_off = [effect.before for effect in group if effect.state == "intent"]
    return look_until(
        reader,
        recorded_probe(group[-1].probe),
        lambda live: not any(_same(live, before) for before in cut_off),
        float(group[-1].settles),
    )


def _case(work: Work, group: Sequence[Effect], stored: Hold | None, live: JSON) -> Case:
    first, last = group[0], group[-1]
    hold = stored or Hold(
        last.key, first.before, first.undo, undo_by=maker(first), standing=last.after
    )
    if any(_same(live, each.want) for each in group if each.state == "intent"):
        hold = replace(hold, standing=live)  # it was made; the record of it was cut off
    return Case(work, group, stored, hold, live)


def _decided(case: Case, *, force: bool) -> TakenBack | None:
    hold = case.hold
    holding.locked(hold, case.wisher, case.work.desk.clock.seconds())
    rest = holding.strongest(holding.without(hold, case.wisher))
    if rest is not None:
        return _handed_over(case, rest)
    if _same(case.live, hold.baseline):
        put_back = any(effect.state == "undoing" for effect in case.group)
        return let_go(case, case.result(RESTORED if put_back else ALREADY_BACK))
    if hold.undo is None:
        return let_go(case, case.result(ALREADY_BACK, "nothing was changed"))
    if not force and not _ours(case):
        conflict = case.result(CONFLICT, "changed by somebody else since")
        write(case.work, "undo_conflict", conflict, [], None, None)
        return conflict
    way = Way(hold.undo, hold.undo_by, lambda live: _same(live, hold.baseline))
    return put(case, way, case.result(RESTORED))


def _handed_over(case: Case, rest: Mapping[str, JSON]) -> TakenBack | None:
    """Let go of what others still hold; what they want is put in place again where it is not."""

    def reached(live: JSON) -> bool:
        return satisfies(str(rest["order"]), live, rest["want"])

    if reached(case.live):
        return let_go(case, case.result(HELD))
    return put(case, Way(rest["do"], rest["by"], reached), case.result(HELD))


def _ours(case: Case) -> bool:
    """Say whether live state is what Firebreak left, or was making when it was cut off."""
    wanted = [
        each.want for each in case.group if each.state in ("intent", "undoing") or not each.verified
    ]
    return any(_same(case.live, each) for each in (case.hold.standing, *wanted))


def _same(one: JSON, other: JSON) -> bool:
    return canonical_text(one) == canonical_text(other)
