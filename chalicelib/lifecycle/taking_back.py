"""The undo pass: what a remediation changed is taken back, the last made first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from chalicelib import halting
from chalicelib.actions import actions
from chalicelib.effect import JSON, canonical_text
from chalicelib.errors import Failed, Halted, Outcome
from chalicelib.lifecycle.heads import DONE_WITH, head_of, leased, move
from chalicelib.runner import settling, undoing
from chalicelib.runner.calling import shown
from chalicelib.runner.releasing import (
    ALREADY_BACK,
    BLOCKED,
    CONFLICT,
    FAILED,
    GONE,
    HELD,
    KEPT,
    RESTORED,
    TOO_EARLY,
    TakenBack,
)
from chalicelib.runner.work import Desk, Work
from chalicelib.store import Effect, Remediation, effects

MARGIN = 75.0  # seconds before a lease's end in which no further change is taken back
ROWS = 500  # that a head lists; the effects tell of each
LONGEST = 1_000  # characters of a value in a row
OPEN = (CONFLICT, TOO_EARLY, FAILED, BLOCKED)
LET_GO = (RESTORED, ALREADY_BACK, GONE, HELD)
Row = dict[str, JSON]


def undo(desk: Desk, identity: str, owner: str, until: int) -> bool:
    """Take back what can be, last made first; return True where time ran out before the end.

    Raise Failed where nothing was applied yet, Halted under the kill switch where no person asked
    for it, Transient for what is to be tried again.
    """
    head = move(desk, identity, "undo_begun", _into_undo, _by(owner))
    _may_act(desk, head)
    with leased(desk, head, "undo", owner, until) as work:
        settling.quiet(work)
        return _all(work)


def begin_asked(desk: Desk, identity: str, owner: str) -> bool:
    """Begin the undo pass that a person asked for while the steps waited; say whether one did."""
    head = head_of(desk, identity)
    if head.phase != "apply" or not head.undo.get("asked"):
        return False
    move(desk, identity, "undo_begun", _into_undo, _by(owner))
    return True


def _by(owner: str) -> dict[str, JSON]:
    return {"function": "run_step", "request": owner}


def _into_undo(head: Remediation) -> Remediation | None:
    if head.phase == "undo":
        return None
    if head.phase not in ("apply", "closed"):
        raise Failed(f"remediation {head.id} is in its {head.phase} phase: nothing to take back")
    told = {name: value for name, value in head.undo.items() if name != "asked"}
    if head.phase == "apply" and not head.undo.get("asked"):
        told |= {"by": "on_failure", "unattended": True}
    return replace(head, phase="undo", undo={**told, "results": []})


def _may_act(desk: Desk, head: Remediation) -> None:
    """Raise Halted under the kill switch, unless a person takes the remediation back."""
    if not head.undo.get("unattended"):
        return
    switch = halting.state(desk.tables)
    if switch.halted:
        raise Halted(switch.reason or "halted")


def _all(work: Work) -> bool:
    """Take back one element after another; what a run before this one did is in the records."""
    made, wanted = effects(work.desk.tables, work.remediation.id), work.remediation.undo
    found = _known(work, made)
    seen = {(row["step"], row["index"], row["key"]) for row in found}
    groups = undoing.groups(each for each in made if each.state not in DONE_WITH)
    standing = [group[-1] for group in groups if group[-1].kind == "change"]
    for group in groups:
        last = group[-1]
        if (last.step, last.index, last.key) in seen or wanted.get("step") not in (None, last.step):
            continue
        if work.desk.clock.seconds() > work.lease.until - MARGIN:
            _note(work, found)
            return True
        _may_act(work.desk, work.remediation)
        result = _taken_back(work, group, wanted, standing)
        found.append(asdict(result))
        if result.result in LET_GO:
            standing = [each for each in standing if each is not last]
    _note(work, found)
    return False


def _known(work: Work, made: list[Effect]) -> list[Row]:
    """Return how elements fared that were let go of already in this roll-back."""
    found: list[Row] = list(work.remediation.undo.get("results", []))
    seen = {(row["step"], row["index"], row["key"]) for row in found}
    number = int(work.remediation.undo.get("number", 0))
    for group in undoing.groups(e for e in made if e.state == "undone" and e.undone_in == number):
        first, last = group[0], group[-1]
        row = TakenBack(last.step, last.index, last.key, last.result, first.before, last.after)
        if (last.step, last.index, last.key) not in seen:
            found.append(asdict(row))
    return found


def _taken_back(
    work: Work, group: Sequence[Effect], wanted: Mapping[str, JSON], standing: Sequence[Effect]
) -> TakenBack:
    last = group[-1]
    left_alone = untouched(last, wanted, standing)
    try:
        if left_alone:
            return undoing.keep(work, group) if left_alone.result == KEPT else left_alone
        return undoing.take_back(work, group, force=last.key in wanted.get("force", ()))
    except Outcome as failed:
        return TakenBack(last.step, last.index, last.key, FAILED, reason=str(failed))


def untouched(
    last: Effect, wanted: Mapping[str, JSON], standing: Sequence[Effect]
) -> TakenBack | None:
    """Return the result of what is not looked at: kept as decided, or another is to go before it.

    wanted: what the roll-back was told. standing: the changes that are still in place.
    """
    if last.key in wanted.get("keep", ()):
        return TakenBack(last.step, last.index, last.key, KEPT, reason="as decided")
    first = None if last.key in wanted.get("force", ()) else _first(last, standing)
    if first is None:
        return None
    reason = f"{first.key} ({first.action}) must be taken back before it"
    return TakenBack(last.step, last.index, last.key, BLOCKED, reason=reason)


def _first(effect: Effect, standing: Sequence[Effect]) -> Effect | None:
    """Return a change that still stands and must be taken back before this one."""
    known = actions()
    after = known[effect.action].undo_after if effect.action in known else ()
    mine = {(k, canonical_text(v)) for k, v in effect.params.items()}
    for each in standing:
        if each.action in after and mine & {(k, canonical_text(v)) for k, v in each.params.items()}:
            return each
    return None


def _note(work: Work, found: list[Row]) -> None:
    rows = [{name: shown(value, LONGEST) for name, value in row.items()} for row in _listed(found)]
    move(
        work.desk,
        work.remediation.id,
        "undo_results",
        lambda head: replace(head, undo={**head.undo, "results": rows}),
        work.who,
    )


def _listed(found: list[Row]) -> list[Row]:
    """Return the rows that a head has room for: those that a person must see before the others."""
    open_first = sorted(found, key=lambda row: row["result"] not in OPEN)[:ROWS]
    return [row for row in found if row in open_first] if len(found) > ROWS else found
