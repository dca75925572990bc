"""Recorded effects taken back in reverse: only what still is as it was left, and nobody else holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.actions import actions
from chalicelib.effect import JSON, canonical_text, from_document, probe_from_document, satisfies
from chalicelib.errors import Busy, Failed, NotApplicable
from chalicelib.runner import holding
from chalicelib.runner.calling import perform, sort_error
from chalicelib.runner.reading import LiveReader
from chalicelib.runner.work import Work
from chalicelib.store import Effect, Hold, effect_item, hold_item, hold_key
from chalicelib.table import SAME_OR_ABSENT, SAME_VERSION, ConditionFailed, Delete, Operation, Put

RACES = 10
PATIENCE = 10.0

# How taking back one change ended.
RESTORED = "restored"  # as it was before the first holder
ALREADY_BACK = "already_back"  # somebody had put it back
CONFLICT = "conflict"  # it is neither as left nor as before: nothing touched, a person decides
GONE = "gone"  # what it was part of no longer exists
HELD = "held"  # let go; others still hold it
KEPT = "kept"  # evidence and messages are not taken back
IRREVERSIBLE = "irreversible"  # its action says why
TOO_EARLY = "too_early"  # taking it back now would end the protection itself
OPEN_RESULTS = (CONFLICT, TOO_EARLY)


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
    reader = _reader(work, last)
    for _ in range(RACES):
        hold = work.hold(last.key)
        try:
            live = reader.look(probe_from_document(last.probe or {}))
        except NotApplicable as gone:
            result = TakenBack(last.step, last.index, last.key, GONE, reason=str(gone))
            if _release(work, group, hold, result):
                return result
            continue
        except (ClientError, BotoCoreError) as error:
            raise sort_error(error) from error
        result = _decide(work, reader, group, hold, live, force=force)
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


def _reader(work: Work, effect: Effect) -> LiveReader:
    action = actions()[effect.action]
    return work.reader(action, effect.params, effect.account, effect.region, effect.step)


def _decide(
    work: Work,
    reader: LiveReader,
    group: Sequence[Effect],
    hold: Hold | None,
    live: JSON,
    *,
    force: bool,
) -> TakenBack | None:
    """Return how it ended, or None where the hold changed meanwhile and all must be read again."""
    last = group[-1]
    wisher = work.wisher(last.step, last.index)
    hold = hold or Hold(last.key, last.before, last.undo, last.after)
    holding.locked(hold, wisher, work.desk.clock.seconds())
    result = TakenBack(last.step, last.index, last.key, HELD, hold.baseline, hold.standing, live)
    rest = holding.strongest(holding.without(hold, wisher))
    if rest is not None:
        if not satisfies(str(rest["order"]), live, rest["want"]):
            _perform(reader, rest["do"])
        return result if _release(work, group, hold, result) else None
    if _same(live, hold.baseline):
        put_back = any(effect.state == "undoing" for effect in group)
        result = replace(result, result=RESTORED if put_back else ALREADY_BACK)
        return result if _release(work, group, hold, result) else None
    if not force and not _ours(live, group, hold):
        result = replace(result, result=CONFLICT, reason="changed by somebody else since")
        work.commit("undo_conflict", _said(result), lambda _seq: [])
        return result
    return _restore(work, reader, group, hold, replace(result, result=RESTORED))


def _ours(live: JSON, group: Sequence[Effect], hold: Hold) -> bool:
    """Say whether live state is what Firebreak left, or was making when it was cut off."""
    left = [hold.standing, *(e.want for e in group if e.state in ("intent", "undoing"))]
    return any(_same(live, each) for each in left)


def _restore(
    work: Work, reader: LiveReader, group: Sequence[Effect], hold: Hold, result: TakenBack
) -> TakenBack | None:
    """Put the baseline back: intent, call, read until it shows, outcome."""
    wisher = work.wisher(group[-1].step, group[-1].index)
    locked = replace(hold, lock=wisher, locked_until=work.lease.until)
    undoing = [replace(effect, state="undoing") for effect in group]
    if not _write(work, "undo_intent", result, undoing, hold, locked):
        return None
    hold = replace(locked, version=hold.version + 1)
    undo = hold.undo or group[0].undo
    if undo is None:
        raise Failed(f"{hold.key}: no way back is on record")
    _perform(reader, undo)
    live = _until(work, reader, group[-1], hold.baseline)
    result = replace(result, live=live)
    if not _same(live, hold.baseline):
        raise Failed(f"{hold.key}: shows {live!r} after it was put back to {hold.baseline!r}")
    return result if _release(work, undoing, hold, result) else None


def _until(work: Work, reader: LiveReader, effect: Effect, wanted: JSON) -> JSON:
    probe = probe_from_document(effect.probe or {})
    pause, waited = 0.2, 0.0
    live = reader.look(probe)
    while not _same(live, wanted) and waited < effect.settles + PATIENCE:
        work.desk.clock.sleep(pause)
        waited, pause = waited + pause, min(pause * 1.6, 3.0)
        live = reader.look(probe)
    return live


def _perform(reader: LiveReader, do: Mapping[str, JSON]) -> None:
    try:
        perform(from_document(do), reader)
    except (ClientError, BotoCoreError) as error:
        raise sort_error(error) from error


def _release(work: Work, group: Sequence[Effect], hold: Hold | None, result: TakenBack) -> bool:
    """Record the result and let go of the hold; return False where it changed meanwhile."""
    wisher = work.wisher(group[-1].step, group[-1].index)
    undone = [replace(effect, state="undone", result=result.result) for effect in group]
    left = holding.without(hold, wisher) if hold else None
    return _write(work, "undo_outcome", result, undone, hold, left)


def _write(
    work: Work,
    kind: str,
    result: TakenBack,
    effects: Sequence[Effect],
    hold: Hold | None,
    after: Hold | None,
) -> bool:
    puts: list[Operation] = [Put(effect_item(work.remediation.id, each)) for each in effects]
    if after:
        puts += hold_operations(hold, after)
    try:
        work.commit(kind, _said(result), lambda _seq: puts)
    except ConditionFailed:
        return False
    return True


def hold_operations(before: Hold | None, after: Hold) -> list[Operation]:
    """Return the write of a hold, or its removal where nobody wishes any more."""
    version = before.version if before else 0
    if after.wishes:
        return [Put(hold_item(after), SAME_OR_ABSENT, {"version": version})]
    pk, sk = hold_key(after.key)
    return [Delete(pk, sk, SAME_VERSION, {"version": version})] if version else []


def give_back(work: Work, effect: Effect) -> None:
    """Record an effect that failed for good, and take its wish off the hold.

    A way to it that was made already is taken back first, so that no waypoint is left standing.
    """
    for _ in range(RACES):
        hold = work.hold(effect.key) if effect.kind == "change" else None
        left = _before_wish(hold, work.wisher(effect.step, effect.index), effect) if hold else None
        result = TakenBack(effect.step, effect.index, effect.key, "failed", reason=effect.result)
        if _write(work, "failed", result, [effect], hold, left):
            return
    raise Busy(f"{effect.key} is held and let go by others all the time")


def _before_wish(hold: Hold, wisher: str, effect: Effect) -> Hold:
    """Return the hold without a failed wish; the wish of a waypoint before it stays."""
    if effect.n == 0:
        return holding.without(hold, wisher)
    return replace(hold, lock="", locked_until=0)


def _same(one: JSON, other: JSON) -> bool:
    return canonical_text(one) == canonical_text(other)


def _said(result: TakenBack) -> dict[str, JSON]:
    return {
        "step": result.step,
        "index": result.index,
        "key": result.key,
        "result": result.result,
        "before": result.before,
        "left": result.left,
        "live": result.live,
        "reason": result.reason,
    }
