"""One element put where it is to be: intent, call, a look until it shows, outcome."""

from __future__ import annotations

from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.effect import JSON, from_document
from chalicelib.errors import Busy, Failed, Refused, Transient
from chalicelib.runner import holding
from chalicelib.runner.calling import perform, sort_error
from chalicelib.runner.judging import Case, Way
from chalicelib.runner.reading import PATIENCE, look_until, recorded_probe
from chalicelib.runner.releasing import FAILED, TakenBack, release, write
from chalicelib.runner.work import RACES, maker


def let_go(case: Case, result: TakenBack) -> TakenBack | None:
    """Record the result and let go of the hold as it is; None where it changed meanwhile."""
    hold = case.hold if case.stored else None
    return result if release(case.work, case.group, hold, result) else None


def put(case: Case, way: Way, result: TakenBack) -> TakenBack | None:
    """Intent, call, read until it shows, outcome; None where the hold changed before."""
    work, lock = case.work, holding.lock(case.hold, case.wisher, case.work.lease.until)
    undoing = [replace(effect, state="undoing") for effect in case.group]
    if not write(work, "undo_intent", result, undoing, case.stored, lock if case.stored else None):
        return None
    try:
        live = _called(case, way)
    except (Failed, Refused) as failed:
        _unlock(case, replace(result, result=FAILED, reason=str(failed)))
        raise
    result = replace(result, live=live)
    for _ in range(RACES):
        hold = work.hold(case.last.key)
        if release(work, undoing, replace(hold, standing=live) if hold else None, result):
            return result
    raise Busy(f"{case.last.key} is held and let go by others all the time")


def _called(case: Case, way: Way) -> JSON:
    """Make the call and return what shows then. Raise Failed where it is refused or does not."""
    last, problem = case.last, None
    try:
        perform(from_document(way.do), case.work.reader_by(way.by or maker(last), last.step))
    except (ClientError, BotoCoreError) as error:
        problem = sort_error(error)
        if isinstance(problem, Transient):
            raise problem from error
    live = look_until(
        case.work.reader_by(maker(last), last.step),
        recorded_probe(last.probe),
        way.reached,
        last.settles + (0.0 if problem else PATIENCE),
    )
    if not way.reached(live):
        raise problem or Failed(f"{last.key}: shows {live!r} after it was put back")
    return live


def _unlock(case: Case, result: TakenBack) -> None:
    """Record that an element could not be put where it is to be; others need not wait for it."""
    hold = case.work.hold(case.last.key)
    ours = hold if hold and hold.lock == case.wisher else None
    write(case.work, "undo_failed", result, [], ours, holding.unlocked(ours) if ours else None)
