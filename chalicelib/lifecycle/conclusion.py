"""How a remediation ended, from its records alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.actions import actions
from chalicelib.lifecycle.answering import said_of
from chalicelib.lifecycle.heads import DONE_WITH
from chalicelib.playbook import Parallel, Playbook, Step
from chalicelib.runner import resolving, undoing
from chalicelib.runner.stepping import FAILURES, playbook_of
from chalicelib.runner.work import Work
from chalicelib.store import Remediation, StepResult, effects, pass_name, results

CONTAINED = "contained"
PARTLY = "partly_contained"
FAILED = "failed"
NOTHING = "not_applicable"
PLANNED = "planned"
DENIED = "denied"
EXPIRED = "expired"
ROLLED_BACK = "rolled_back"
PARTLY_ROLLED_BACK = "partly_rolled_back"


@dataclass(frozen=True, slots=True)
class Ended:
    """Say how a step ended: its results, how many there should be, and what went wrong."""

    step: Step
    results: Sequence[StepResult]
    expected: int

    @property
    def wrong(self) -> list[str]:
        """Return what went wrong, in words."""
        said = [f"{_name(r)}: {r.status}: {r.reason}" for r in self.results if _bad(r)]
        missing = self.expected - len(self.results)
        items = f" ({missing} of {self.expected} items)" if self.step.for_each else ""
        return [*said, f"{self.step.name}: interrupted{items}"] if missing > 0 else said


def conclude(work: Work, problems: Sequence[str]) -> tuple[str, str]:
    """Return how a remediation ended, and why.

    problems: what could not be settled, and therefore still stands or may stand.
    """
    head = work.remediation
    if head.phase == "undo":
        return _rolled_back(work, problems)
    if head.phase == "apply":
        return _applied(_ended(work), problems)
    status, reason = _unapplied(work, head)
    made = effects(work.desk.tables, head.id)
    stands = dict.fromkeys(e.step for e in made if e.kind == "change" and e.state not in DONE_WITH)
    if not stands and not problems:
        return status, reason
    return PARTLY, "; ".join([f"applied: {', '.join(stands)}", f"the rest: {reason}", *problems])


def _unapplied(work: Work, head: Remediation) -> tuple[str, str]:
    """Return how a remediation ended whose plan, or the rest of it, was not applied."""
    if head.phase == "wait":
        denied = head.decision.get("decision") == "denied"
        return (DENIED, said_of(head.decision)) if denied else (EXPIRED, "nobody decided in time")
    planned = results(work.desk.tables, head.id, pass_name(head, "plan"))
    wrong = [f"{_name(r)}: {r.status}: {r.reason}" for r in planned if _bad(r)]
    if not head.plan:
        return FAILED, "; ".join(["the plan was not finished", *wrong])
    return PLANNED, "; ".join([*([head.why] if head.why else []), *wrong])


def _rolled_back(work: Work, problems: Sequence[str]) -> tuple[str, str]:
    undo = work.remediation.undo
    rows = {(row["step"], row["index"], row["key"]): row for row in undo.get("results", [])}
    made = effects(work.desk.tables, work.remediation.id)
    standing = undoing.groups(
        each
        for each in made
        if each.kind == "change"
        and each.final is None
        and each.state not in DONE_WITH
        and each.key not in undo.get("keep", ())
    )
    left, others = list(problems), []
    for last in (group[-1] for group in standing):
        row: Mapping[str, str] = rows.get((last.step, last.index, last.key), {})
        if undo.get("step") in (None, last.step):
            left.append(f"{last.key}: {row.get('result', 'not reached')}")
        else:
            others.append(last.step)
    if others:
        left.append(f"not asked for, in place: {', '.join(dict.fromkeys(others))}")
    return (PARTLY_ROLLED_BACK, "; ".join(left)) if left else (ROLLED_BACK, "taken back")


def _ended(work: Work) -> list[list[Ended]]:
    """Return how the steps ended, entry by entry of the playbook."""
    head, playbook = work.remediation, playbook_of(work.remediation)
    by_step: dict[str, list[StepResult]] = {}
    for result in results(work.desk.tables, head.id, "apply"):
        by_step.setdefault(result.step, []).append(result)

    def ended(step: Step) -> Ended:
        document = resolving.document_of(work.desk, head, work.finding, step, "apply")
        return Ended(step, by_step.get(step.name, []), resolving.expected(step, document))

    return [[ended(step) for step in entry] for entry in _entries(playbook)]


def _entries(playbook: Playbook) -> Iterable[Sequence[Step]]:
    for entry in playbook.steps:
        yield entry.steps if isinstance(entry, Parallel) else [entry]


def _applied(entries: list[list[Ended]], problems: Sequence[str]) -> tuple[str, str]:
    reached = _reached(entries)
    wrong = [said for each in reached for said in each.wrong]
    if any(_stops(each) for each in reached):
        return FAILED, "; ".join([*wrong, *problems])
    ended = [result for each in reached for result in each.results]
    if wrong and not any(result.status == "done" for result in _containing(ended)):
        return FAILED, "; ".join([*wrong, *problems])
    if wrong or problems:
        return PARTLY, "; ".join([*wrong, *problems])
    if any(result.status == "done" for result in _containing(ended)):
        return CONTAINED, ""
    reasons = [f"{_name(r)}: {r.reason}" for r in ended if r.status == NOTHING]
    return NOTHING, "; ".join(reasons) or "no step applied"


def _containing(ended: list[StepResult]) -> list[StepResult]:
    """Return the results of steps that contain; all of them where the playbook only tells."""
    known = actions()
    return [r for r in ended if r.action in known and known[r.action].contains] or ended


def _reached(entries: list[list[Ended]]) -> list[Ended]:
    """Return the steps that began or should have: none after one that stopped the playbook."""
    last = max((n for n, entry in enumerate(entries) if any(e.results for e in entry)), default=-1)
    begun = [each for entry in entries[: last + 1] for each in entry]
    if any(_stops(each) for each in begun):
        return begun
    return [each for entry in entries for each in entry]


def _stops(ended: Ended) -> bool:
    return ended.step.on_error == "stop" and bool(ended.wrong)


def _bad(result: StepResult) -> bool:
    return result.status in FAILURES


def _name(result: StepResult) -> str:
    return f"{result.step}[{result.index}]" if result.index else result.step
