"""A remediation from phase to phase: its plan sealed, asked about, taken back, closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace

from chalicelib import gates, telling
from chalicelib.actions import actions
from chalicelib.audit import Entry
from chalicelib.effect import JSON, canonical_text
from chalicelib.errors import Busy, Failed
from chalicelib.playbook import Playbook, Step
from chalicelib.runner import undoing
from chalicelib.runner.planning import plan_hash
from chalicelib.runner.stepping import FAILURES, playbook_of, rows_of, who
from chalicelib.runner.work import Desk, Lease, Work
from chalicelib.store import (
    Effect,
    Remediation,
    StepResult,
    effects,
    get_finding,
    get_remediation,
    meta_item,
    partition,
    pass_name,
    results,
)
from chalicelib.table import (
    LEASE_FREE,
    LEASED,
    NOBODY,
    SAME_VERSION,
    ConditionFailed,
    Item,
    Operation,
    Put,
)

RACES = 10
MARGIN = 45.0  # seconds before a function's end in which no further change is taken back
DONE_WITH = ("undone", "failed")

# How a remediation is closed.
CONTAINED = "contained"
PARTLY = "partly_contained"
FAILED = "failed"
NOTHING = "not_applicable"
PLANNED = "planned"
DENIED = "denied"
EXPIRED = "expired"
ROLLED_BACK = "rolled_back"
PARTLY_ROLLED_BACK = "partly_rolled_back"


def head_of(desk: Desk, identity: str) -> Remediation:
    """Return a remediation's head. Raise Failed where there is none of that id."""
    head = get_remediation(desk.tables, identity)
    if head is None:
        raise Failed(f"there is no remediation {identity}")
    return head


def move(
    desk: Desk,
    identity: str,
    kind: str,
    change: Callable[[Remediation], Remediation | None],
    by: Mapping[str, JSON],
    more: Callable[[Remediation], Iterable[Operation]] = lambda _head: (),
) -> Remediation:
    """Change a remediation's head on the version it was read at, with its audit record.

    `change` returns the new head, or None where nothing is left to do. Return the head as it is
    then. Raise Busy where others keep changing it.
    """
    for _ in range(RACES):
        head = head_of(desk, identity)
        changed = change(head)
        if changed is None:
            return head
        changed = replace(changed, version=head.version + 1)
        put = Put(meta_item(changed), SAME_VERSION, {"version": head.version})
        what = _difference(head, changed)
        operations = [put, *more(changed)]
        try:
            desk.tables.commit(Entry(identity, kind, by, what), lambda _seq, o=operations: o)  # type: ignore[misc]
        except ConditionFailed:
            continue
        return changed
    raise Busy(f"remediation {identity} is being changed by others")


def _difference(before: Remediation, after: Remediation) -> dict[str, JSON]:
    old, new = asdict(before), asdict(after)
    hidden = (
        "version",
        "token",
    )  # a task token is a secret: whoever has it can answer for a person
    return {name: new[name] for name in new if new[name] != old[name] and name not in hidden}


# --- plan and approval ----------------------------------------------------------------------------


def seal(desk: Desk, identity: str, owner: str) -> str:
    """Close the plan pass: hash what was planned; return `close`, `ask` or `apply`."""
    head = head_of(desk, identity)
    planned = results(desk.tables, identity, pass_name(head, "plan"))
    rows = sorted([f"{r.step}#{r.index}", rows_of(r)] for r in planned)
    plan = {"hash": plan_hash(rows), "made_at": desk.clock.now()}
    following = {"observe": "close", "approve": "ask"}.get(head.mode, "apply")
    phase = {"close": "plan", "ask": "wait", "apply": "apply"}[following]

    def sealed(current: Remediation) -> Remediation | None:
        if current.phase != "plan" or current.plan:
            return None
        return replace(current, plan=plan, phase=phase)

    move(desk, identity, "plan_sealed", sealed, who(head, owner))
    return following


def ask(desk: Desk, identity: str, token: str, owner: str) -> None:
    """Keep the task token that a person's decision will be sent with, and tell that it is due."""
    head = head_of(desk, identity)
    within = playbook_of(head).guardrails.approve_within
    until = int(desk.clock.seconds()) + within
    telling.ask(desk, head, within)
    move(
        desk,
        identity,
        "approval_asked",
        lambda current: replace(current, token=token, waits_until=until),
        who(head, owner),
    )


def park(desk: Desk, identity: str, step: str, index: int, token: str, owner: str) -> None:
    """Keep the task token of a step that waits beside itself, for whoever wakes it."""
    head = head_of(desk, identity)
    item = Item(partition(identity), f"PARKED#{step}#{index:05d}", {"token": token, "step": step})
    entry = Entry(identity, "parked", who(head, owner), {"step": step, "index": index})
    desk.tables.commit(entry, lambda _seq: [Put(item)])


# --- taking back ----------------------------------------------------------------------------------


def start_undo(desk: Desk, identity: str, told: Mapping[str, JSON]) -> str:
    """Start the undo pass of a closed remediation; return the execution's ARN.

    told: `step`, `keep` and `force`, and `by` whom. Raise Failed where it is not closed.
    """
    head = head_of(desk, identity)
    if head.phase not in ("closed", "undo"):
        raise Failed(
            f"remediation {identity} is in its {head.phase} phase: it must be closed first"
        )
    number = int(head.undo.get("number", 0)) + 1

    def begun(now: Remediation) -> Remediation:
        return replace(now, phase="undo", undo={**told, "results": [], "number": number})

    move(desk, identity, "undo_begun", begun, {"by": told.get("by", "")})
    started = desk.access.home("stepfunctions").start_execution(
        stateMachineArn=desk.settings.state_machine_arn(str(head.playbook["name"])),
        name=f"{identity}-undo-{number}",
        input=canonical_text({"remediation": identity, "pass": "undo"}),
    )
    return str(started["executionArn"])


def undo(desk: Desk, identity: str, owner: str, until: int) -> bool:
    """Take back what can be, last made first; return True where time ran out before the end."""
    head = move(
        desk, identity, "undo_begun", _into_undo, {"function": "run_step", "request": owner}
    )
    work = _leased(desk, head, "undo", owner, until)
    try:
        return _undo_all(work, until)
    finally:
        _release(work)


def _into_undo(head: Remediation) -> Remediation | None:
    if head.phase == "undo":
        return None
    return replace(head, phase="undo", undo={**head.undo, "results": []})


def _undo_all(work: Work, until: int) -> bool:
    wanted = work.remediation.undo
    found: list[dict[str, JSON]] = list(wanted.get("results", []))
    seen = {(row["step"], row["index"], row["key"]) for row in found}
    for group in undoing.groups(_standing(work)):
        last = group[-1]
        if (last.step, last.index, last.key) in seen or wanted.get("step") not in (None, last.step):
            continue
        if work.desk.clock.seconds() > until - MARGIN:
            _note_results(work, found)
            return True
        found.append(asdict(_taken_back(work, group, wanted)))
    _note_results(work, found)
    return False


def _standing(work: Work) -> list[Effect]:
    made = effects(work.desk.tables, work.remediation.id)
    return [effect for effect in made if effect.state not in DONE_WITH]


def _taken_back(work: Work, group: list[Effect], wanted: Mapping[str, JSON]) -> undoing.TakenBack:
    last = group[-1]
    if last.key in wanted.get("keep", ()):
        return undoing.TakenBack(last.step, last.index, last.key, undoing.KEPT, reason="as decided")
    try:
        return undoing.take_back(work, group, force=last.key in wanted.get("force", ()))
    except Failed as failed:
        return undoing.TakenBack(last.step, last.index, last.key, "failed", reason=str(failed))


def _note_results(work: Work, found: list[dict[str, JSON]]) -> None:
    move(
        work.desk,
        work.remediation.id,
        "undo_results",
        lambda head: replace(head, undo={**head.undo, "results": found}),
        work.who,
    )


def _leased(desk: Desk, head: Remediation, name: str, owner: str, until: int) -> Work:
    """Return the right to write for a whole remediation. Raise Busy while another has it."""
    lease = Lease(f"STEP#{name}", owner, until)
    item = Item(partition(head.id), lease.sk, {}, owner=owner, expires=until)
    values: dict[str, str | int] = {
        "owner": owner,
        "nobody": NOBODY,
        "now": int(desk.clock.seconds()),
    }
    if not desk.tables.put_where(item, LEASE_FREE, values):
        raise Busy(f"the {name} of {head.id} is under way")
    return Work(desk, head, get_finding(desk.tables, head), lease, who(head, owner))


def _release(work: Work) -> None:
    item = Item(partition(work.remediation.id), work.lease.sk, {}, owner=NOBODY)
    work.desk.tables.put_where(item, LEASED, {"owner": work.lease.owner})


# --- closing --------------------------------------------------------------------------------------


def close(desk: Desk, identity: str, owner: str, until: int) -> str:
    """Close a remediation: nothing half-way left, its status on record, its gate told, people told.

    Return the status; closing what is closed changes nothing.
    """
    head = head_of(desk, identity)
    if head.phase == "closed":
        return head.status
    work = _leased(desk, head, "close", owner, until)
    try:
        _sweep_waypoints(work)
        status, reason = _conclusion(desk, head)
        if status in (FAILED, PARTLY, PARTLY_ROLLED_BACK, EXPIRED):
            telling.closed(desk, head, status, reason)
        closed = move(
            desk,
            identity,
            "closed",
            lambda now: (
                None
                if now.phase == "closed"
                else replace(now, phase="closed", status=status, reason=reason, token="")  # noqa: S106  # empties it
            ),
            who(head, owner),
            lambda after: gates.closing(desk, after),
        )
    finally:
        _release(work)
    return closed.status


def _sweep_waypoints(work: Work) -> None:
    if work.remediation.phase != "apply":
        return
    made = [each for each in effects(work.desk.tables, work.remediation.id) if each.state == "done"]
    for group in undoing.groups(made):
        if group[-1].waypoint:
            undoing.take_back(work, group, force=True)


def _conclusion(desk: Desk, head: Remediation) -> tuple[str, str]:
    """Return how a remediation ended, and why, from its records alone."""
    if head.phase == "plan":
        return PLANNED, head.why
    if head.phase == "wait":
        denied = head.decision.get("decision") == "denied"
        return (DENIED, "denied") if denied else (EXPIRED, "nobody decided in time")
    if head.phase == "undo":
        rows = head.undo.get("results", [])
        open_ = [r for r in rows if r["result"] in (*undoing.OPEN_RESULTS, "failed")]
        reason = "; ".join(f"{row['key']}: {row['result']}" for row in open_)
        return (PARTLY_ROLLED_BACK, reason) if open_ else (ROLLED_BACK, "taken back")
    return _applied(playbook_of(head), results(desk.tables, head.id, "apply"))


def _applied(playbook: Playbook, ended: list[StepResult]) -> tuple[str, str]:
    by_step: dict[str, list[StepResult]] = {}
    for result in ended:
        by_step.setdefault(result.step, []).append(result)
    wrong = [f"{r.step}: {r.status}: {r.reason}" for r in ended if r.status in FAILURES]
    reached = _reached(playbook, by_step)
    wrong += [f"{step.name}: interrupted" for step in reached if step.name not in by_step]
    stopped = any(step.on_error == "stop" and _went_wrong(step, by_step) for step in reached)
    if stopped:
        return FAILED, "; ".join(wrong)
    if wrong:
        return PARTLY, "; ".join(wrong)
    if not any(result.status == "done" for result in _containing(ended)):
        reasons = [f"{r.step}: {r.reason}" for r in ended if r.status == NOTHING]
        return NOTHING, "; ".join(reasons) or "no step applied"
    return CONTAINED, ""


def _containing(ended: list[StepResult]) -> list[StepResult]:
    """Return the results of steps that contain; all of them where the playbook only tells."""
    known = actions()
    containing = [r for r in ended if r.action in known and known[r.action].contains]
    return containing or ended


def _reached(playbook: Playbook, by_step: Mapping[str, list[StepResult]]) -> list[Step]:
    """Return the steps that began or should have: all up to the last with a result, and the next.

    Steps with for_each that found no item have no result, and are none the worse for it.
    """
    steps = list(playbook.all_steps())
    last = max((n for n, step in enumerate(steps) if step.name in by_step), default=-1)
    stopped = any(
        _went_wrong(step, by_step) and step.on_error == "stop" for step in steps[: last + 1]
    )
    reached = steps[: last + 1] if stopped else steps
    return [step for step in reached if step.for_each is None or step.name in by_step]


def _went_wrong(step: Step, by_step: Mapping[str, list[StepResult]]) -> bool:
    ended = by_step.get(step.name)
    if ended is None:
        return step.for_each is None
    return any(result.status in FAILURES for result in ended)
