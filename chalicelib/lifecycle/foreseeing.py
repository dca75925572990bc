"""What a roll-back would come to now: live state read, the same judgement, nothing written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chalicelib.effect import JSON
from chalicelib.errors import Busy, Outcome
from chalicelib.lifecycle.heads import DONE_WITH
from chalicelib.lifecycle.taking_back import LET_GO, untouched
from chalicelib.runner import undoing
from chalicelib.runner.releasing import FAILED, TakenBack
from chalicelib.runner.work import Desk, Lease, Work
from chalicelib.store import Effect, Remediation, effects, get_finding

BUSY = "busy"  # another is working on it at this moment
NO_LEASE = Lease("STEP#foresee", "", 0)  # nobody has it: what would be written with it is fenced


def foresee(desk: Desk, head: Remediation, told: Mapping[str, JSON]) -> list[TakenBack]:
    """Return what would become of each change, the last made first, as things are now.

    told: `step`, `keep` and `force`, as for `start_undo`. What was taken back already is listed as
    it ended. Raise Transient for what is to be tried again.
    """
    work = Work(desk, head, get_finding(desk.tables, head), NO_LEASE, {})
    made = [each for each in effects(desk.tables, head.id) if each.state != "failed"]
    mine = [each for each in made if told.get("step") in (None, each.step)]
    left: dict[str, undoing.Left] = {}
    standing = _standing(made)
    found = []
    for group in undoing.groups(mine):
        row = _row(work, group, told, standing, left)
        found.append(row)
        if row.result in LET_GO:
            standing = [each for each in standing if each is not group[-1]]
    return found


def _standing(made: Sequence[Effect]) -> list[Effect]:
    """Return the changes that are still in place, as an undo pass would begin with."""
    standing = undoing.groups(each for each in made if each.state not in DONE_WITH)
    return [group[-1] for group in standing if group[-1].kind == "change"]


def _row(
    work: Work,
    group: Sequence[Effect],
    told: Mapping[str, JSON],
    standing: Sequence[Effect],
    left: dict[str, undoing.Left],
) -> TakenBack:
    last = group[-1]
    plain = TakenBack(last.step, last.index, last.key, last.result, group[0].before, last.after)
    if last.state == "undone":
        return replace(plain, reason="taken back already")
    left_alone = untouched(last, told, standing)
    if left_alone:
        return left_alone
    try:
        return undoing.foresee(work, group, left, force=last.key in told.get("force", ()))
    except Busy as busy:
        return replace(plain, result=BUSY, reason=str(busy))
    except Outcome as failed:
        return replace(plain, result=FAILED, reason=str(failed))
