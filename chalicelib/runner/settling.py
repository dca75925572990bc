"""What steps left half-way when they were cut off: workers awaited, intents settled, ways back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.effect import canonical_text
from chalicelib.errors import Busy, NotApplicable, Outcome, Transient
from chalicelib.runner import making, undoing
from chalicelib.runner.calling import sort_error
from chalicelib.runner.releasing import ALREADY_BACK, GONE, HELD, RESTORED, give_back
from chalicelib.runner.work import Work, maker
from chalicelib.store import Effect, effects, partition
from chalicelib.table import NOBODY

PAUSE = 5.0  # seconds between two looks at whether a worker is through
MARGIN = 40.0  # seconds before a lease's end, which is past its function's, to wait no more
CHANGING = ("STEP#apply#", "STEP#undo")  # whose leases are those of workers that change things
TAKEN_BACK = (RESTORED, ALREADY_BACK, GONE, HELD)


def quiet(work: Work) -> None:
    """Wait until no other worker changes anything. Raise Busy where that takes too long.

    A worker outlives its execution when that is stopped; what it is at must not change unseen.
    """
    while _at_work(work):
        if work.desk.clock.seconds() > work.lease.until - MARGIN:
            raise Busy(f"a step of {work.remediation.id} is still at work")
        work.desk.clock.sleep(PAUSE)


def _at_work(work: Work) -> bool:
    now = work.desk.clock.seconds()
    return any(
        item.owner != NOBODY and item.expires >= now and item.sk != work.lease.sk
        for item in work.desk.tables.query(partition(work.remediation.id), "STEP#")
        if item.sk.startswith(CHANGING)
    )


def settle(work: Work) -> list[str]:
    """Record what became of every open intent, by what shows; return what cannot be told.

    Nothing is called: what was not made is given up. Raise Transient for what may pass.
    """
    made = effects(work.desk.tables, work.remediation.id)
    found = [_settled(work, effect) for effect in made if effect.state == "intent"]
    return [problem for problem in found if problem]


def _settled(work: Work, effect: Effect) -> str:
    cut_off = replace(effect, state="failed", result="not made: the step was cut off")
    if effect.kind == "message":
        give_back(work, replace(cut_off, result="cut off: it may have been sent"))
        return ""
    try:
        reader = work.reader_by(maker(effect), effect.step)
        live = making.shows(reader, effect, float(effect.settles))
    except NotApplicable as gone:
        give_back(work, replace(cut_off, result=str(gone)))
    except Outcome as unknown:
        return f"{effect.key}: {unknown}"
    except (ClientError, BotoCoreError) as error:
        problem = sort_error(error)
        if isinstance(problem, Transient):
            raise problem from error
        return f"{effect.key}: {problem}"
    else:
        _noted(work, effect, cut_off, live)
    return ""


def _noted(work: Work, effect: Effect, cut_off: Effect, live: object) -> None:
    if making.fulfils(effect, live):
        called = replace(effect, call=effect.call or effect.do)
        making.outcome(work, called, live, verified=True)
    elif effect.kind == "evidence" or canonical_text(live) == canonical_text(effect.before):
        give_back(work, cut_off)
    else:
        making.outcome(work, effect, live, verified=False)


def sweep(work: Work, step: str = "", index: int | None = None) -> list[str]:
    """Take back waypoints that nothing followed; return what still stands, and why."""
    made = effects(work.desk.tables, work.remediation.id, step)
    mine = [each for each in made if index in (None, each.index)]
    found = [_swept(work, group) for group in _waypoints(mine)]
    return [problem for problem in found if problem]


def _waypoints(made: Iterable[Effect]) -> list[list[Effect]]:
    standing = [each for each in made if each.state in ("done", "undoing")]
    return [group for group in undoing.groups(standing) if group[-1].waypoint]


def _swept(work: Work, group: list[Effect]) -> str:
    try:
        result = undoing.take_back(work, group, force=True)
    except Outcome as failed:
        return f"{group[-1].key} is left half-way: {failed}"
    if result.result in TAKEN_BACK:
        return ""
    return f"{group[-1].key} is left half-way: {result.reason}"
