"""One step of one pass: its lease, its parameters, its result on record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import paths
from chalicelib.actions import Action, actions
from chalicelib.effect import JSON, canonical
from chalicelib.errors import (
    Busy,
    Failed,
    FirebreakError,
    Halted,
    NotApplicable,
    Outcome,
    PlanChanged,
    StepFailed,
    Transient,
)
from chalicelib.pattern import EventPattern
from chalicelib.playbook import Playbook, Step, from_document
from chalicelib.runner import applying, planning, undoing
from chalicelib.runner.calling import sort_error
from chalicelib.runner.work import Desk, Lease, StepWork, Work
from chalicelib.store import (
    HALT,
    Remediation,
    StepResult,
    effects,
    get_finding,
    load,
    meta_item,
    partition,
    pass_name,
    result_item,
    results,
    step_sk,
)
from chalicelib.table import (
    LEASE_FREE,
    LEASED,
    NOBODY,
    SAME_VERSION,
    ConditionFailed,
    Item,
    Put,
)

ITEMS = 200  # a Map over more is refused: its history would outgrow an execution's
FAILURES = ("failed", "refused")


def playbook_of(remediation: Remediation) -> Playbook:
    """Return the playbook a remediation began with."""
    passed_over = [name for name, action in actions().items() if not action.contains]
    return from_document(remediation.playbook, passed_over)


def run(
    desk: Desk, remediation: str, phase: str, name: str, index: int, owner: str, until: int
) -> str:
    """Run one step in the plan or the apply pass; return its status.

    A step whose result is on record is not run again. Raise StepFailed where a failed step must
    stop the playbook, PlanChanged where the plan must be made again, Halted under the kill switch,
    Transient for what is to be tried again.
    """
    head, held = _load(desk, remediation, phase, name, index)
    if held and held.data.get("status"):
        return _status(head, load(StepResult, held), phase)
    lease = _lease(desk, head, phase, name, index, owner, until)
    work = Work(desk, head, get_finding(desk.tables, head), lease, who(head, owner))
    try:
        result = _result(work, name, index, phase)
        _record(work, phase, result)
    except FirebreakError:
        _release(desk, head, lease)
        raise
    return _status(head, result, phase)


def who(head: Remediation, owner: str) -> dict[str, JSON]:
    """Return whom the audit names for a step's records: function, request, playbook, version."""
    return {
        "function": "run_step",
        "request": owner,
        "playbook": head.playbook["name"],
        "version": playbook_of(head).version,
    }


def _load(
    desk: Desk, remediation: str, phase: str, name: str, index: int
) -> tuple[Remediation, Item | None]:
    """Return the head and the step's item, in one read with the kill switch."""
    pk = partition(remediation)
    meta, done, halt = desk.tables.get((pk, "META"), (pk, step_sk("apply", name, index)), HALT)
    if meta is None:
        raise Failed(f"there is no remediation {remediation}")
    head = load(Remediation, meta)
    held = done
    if phase == "plan" and not (done and done.data.get("status")):
        (held,) = desk.tables.get((pk, step_sk(pass_name(head, phase), name, index)))
    if head.phase == "plan" and phase == "apply":
        raise PlanChanged(f"{remediation}: its plan is being made again")
    if head.phase != phase:
        raise Failed(f"{remediation} is in its {head.phase} phase, not in {phase}")
    if halt and halt.data.get("halted"):
        raise Halted(str(halt.data.get("reason") or "halted"))
    return head, held


def _lease(
    desk: Desk, head: Remediation, phase: str, name: str, index: int, owner: str, until: int
) -> Lease:
    """Take the step's lease. Raise Busy while another worker has it."""
    sk = step_sk(pass_name(head, phase), name, index)
    item = Item(partition(head.id), sk, {"step": name}, owner=owner, expires=until)
    values = {"owner": owner, "nobody": NOBODY, "now": int(desk.clock.seconds())}
    if not desk.tables.put_where(
        item, f"({LEASE_FREE}) AND NOT phase = :ended", values | {"ended": "ended"}
    ):
        raise Busy(f"step {name} of {head.id} is being run by another worker")
    return Lease(sk, owner, until)


def _release(desk: Desk, head: Remediation, lease: Lease) -> None:
    item = Item(partition(head.id), lease.sk, {}, owner=NOBODY)
    desk.tables.put_where(item, LEASED, {"owner": lease.owner})


def _record(work: Work, phase: str, result: StepResult) -> None:
    """Write the step's result, which ends its lease."""
    head = work.remediation
    item = replace(result_item(head.id, pass_name(head, phase), result), phase="ended")
    what = {name: value for name, value in asdict(result).items() if value not in ("", (), {})}
    put = Put(item, LEASED, {"owner": work.lease.owner})
    try:
        work.commit(f"step_{'planned' if phase == 'plan' else 'ended'}", what, lambda _seq: [put])
    except ConditionFailed as failed:
        raise Busy(str(failed)) from failed


def _status(head: Remediation, result: StepResult, phase: str) -> str:
    """Return a step's status. Raise StepFailed where its playbook must not go on."""
    step = playbook_of(head).step(result.step)
    if phase == "apply" and result.status in FAILURES and step.on_error == "stop":
        raise StepFailed(f"{result.step}: {result.reason}")
    return result.status


def _result(work: Work, name: str, index: int, phase: str) -> StepResult:
    """Return how the step ended; only what Step Functions must see is raised."""
    step = playbook_of(work.remediation).step(name)
    action = actions()[step.action]
    ended = StepResult(name, index, action.name, "done")
    try:
        params = _params(work, step, action, index, phase)
        if params is None:
            return replace(ended, status="skipped", reason="its `when` does not hold")
        return _carried_out(work, step, action, params, ended, phase)
    except Outcome as outcome:
        _sweep(work, name, index)
        return replace(ended, status=outcome.status, reason=str(outcome))
    except (ClientError, BotoCoreError) as error:
        problem = sort_error(error)
        if isinstance(problem, Transient):
            raise problem from error
        return replace(ended, status="failed", reason=str(problem))


def _carried_out(
    work: Work,
    step: Step,
    action: Action,
    params: Mapping[str, JSON],
    ended: StepResult,
    phase: str,
) -> StepResult:
    head = work.remediation
    live = work.reader(action, params, head.account, head.region, step.name)
    if phase == "plan":
        made = planning.plan(action, params, live, _earlier(work))
        rows = planning.identity(made.items, made.stands_for)
        items = (*made.items, {"kind": "identity", "rows": rows, "wanted": made.wanted})
        return replace(ended, status="planned", facts=made.facts, items=items)
    ours = StepWork(
        **_fields(work), step=step.name, index=ended.index, action=action, params=params, live=live
    )
    _compare(ours)
    return replace(ended, facts=canonical(applying.run(ours)))


def _fields(work: Work) -> dict[str, Any]:
    return {name: getattr(work, name) for name in Work.__dataclass_fields__}


# --- parameters -----------------------------------------------------------------------------------


def _params(
    work: Work, step: Step, action: Action, index: int, phase: str
) -> dict[str, JSON] | None:
    """Return the step's parameters, resolved and checked; None where its `when` does not hold.

    Raise NotApplicable where a required one has no value, or one that cannot be right.
    """
    document = _document(work, step, index, phase)
    if step.when is not None and not EventPattern(step.when).matches(document):
        return None
    given = {name: paths.resolve_value(value, document) for name, value in step.params.items()}
    params = {}
    for name, schema in action.params.items():
        value = given.get(name)
        if value is None and "default" not in schema:
            raise NotApplicable(f"{name} has no value: {step.params.get(name)} is not in the event")
        params[name] = schema.get("default") if value is None else _checked(name, value, schema)
    return params


def _checked(name: str, value: JSON, schema: Mapping[str, Any]) -> JSON:
    from jsonschema import Draft202012Validator  # a tenth of a second, and not for every function

    error = next(Draft202012Validator(schema).iter_errors(value), None)
    if error is not None:
        wanted = schema.get("description", "what the action takes")
        raise NotApplicable(f"{name}: {value!r:.120} is not {wanted}")
    return value


def _document(work: Work, step: Step, index: int, phase: str) -> dict[str, Any]:
    """Return what a step's paths lead into."""
    head = work.remediation
    document: dict[str, Any] = {
        "finding": work.finding,
        "remediation": {"id": head.id, "playbook": head.playbook["name"]},
    }
    if _mentions(step, "$.steps", "steps"):
        ended = results(work.desk.tables, head.id, pass_name(head, phase))
        document["steps"] = {result.step: result.facts for result in ended}
    if step.for_each is not None:
        document["item"] = _items(step, document)[index]
    return document


def _mentions(step: Step, path: str, root: str) -> bool:
    return path in repr((step.params, step.for_each)) or root in (step.when or {})


def _items(step: Step, document: Mapping[str, Any]) -> list[JSON]:
    """Return what a step with for_each runs for. Raise NotApplicable for more than a Map takes."""
    found = paths.resolve_value(step.for_each, document)
    items = found if isinstance(found, list) else []
    if len(items) > ITEMS:
        raise NotApplicable(f"{step.for_each} holds {len(items)} items; at most {ITEMS} are run")
    return items


def count(desk: Desk, remediation: str, phase: str, name: str) -> list[int]:
    """Return the indices of the items that a step with for_each runs for."""
    head, _ = _load(desk, remediation, phase, name, 0)
    step = playbook_of(head).step(name)
    work = Work(desk, head, get_finding(desk.tables, head), Lease("", "", 0), {})
    document = _document(work, replace(step, for_each=None), 0, phase)
    return list(range(len(_items(step, document))))


# --- plans ----------------------------------------------------------------------------------------


def _earlier(work: Work) -> dict[str, JSON]:
    """Return what the steps planned so far want of each element."""
    wanted: dict[str, JSON] = {}
    head = work.remediation
    for result in results(work.desk.tables, head.id, pass_name(head, "plan")):
        for item in result.items:
            if item["kind"] == "identity":
                wanted |= item["wanted"]
    return wanted


def _compare(ours: StepWork) -> None:
    """Raise PlanChanged where the step would do something else than the plan that was shown.

    A step that was cut off after some effects may do less than planned, never more.
    """
    head = ours.remediation
    if not head.plan:
        return
    shown = _shown(ours)
    made = planning.plan(ours.action, ours.params, ours.live, {})
    rows = planning.identity(made.items, made.stands_for)
    begun = [e for e in effects(ours.desk.tables, head.id, ours.step) if e.index == ours.index]
    if rows == shown or (begun and _within(rows, shown)):
        return
    again = replace(head, phase="plan", plan={}, plans=head.plans + 1, version=head.version + 1)
    change_head(ours, again, "plan_changed", {"step": ours.step, "shown": shown, "now": rows})
    raise PlanChanged(f"{ours.step} would do something else than was shown")


def _shown(ours: StepWork) -> list[JSON]:
    """Return what the plan that was shown says of this step; nothing where it planned nothing."""
    head = ours.remediation
    sk = step_sk(pass_name(head, "plan"), ours.step, ours.index)
    (item,) = ours.desk.tables.get((partition(head.id), sk))
    return list(rows_of(load(StepResult, item))) if item else []


def rows_of(result: StepResult) -> list[JSON]:
    """Return what a planned step is compared by."""
    return next((item["rows"] for item in result.items if item["kind"] == "identity"), [])


def _within(rows: list[Any], shown: list[Any]) -> bool:
    return all(row in shown or row[1] == "none" for row in rows)


def change_head(work: Work, head: Remediation, kind: str, what: Mapping[str, JSON]) -> None:
    """Write a remediation's head on the version it was read at. Raise Busy where it moved on."""
    put = Put(meta_item(head), SAME_VERSION, {"version": head.version - 1})
    try:
        work.commit(kind, what, lambda _seq: [put])
    except ConditionFailed as failed:
        raise Busy(str(failed)) from failed


# --- waypoints ------------------------------------------------------------------------------------


def _sweep(work: Work, name: str, index: int) -> None:
    """Take back what this step left half-way: a waypoint is never left standing."""
    mine = [e for e in effects(work.desk.tables, work.remediation.id, name) if e.index == index]
    for group in undoing.groups(e for e in mine if e.state == "done"):
        if group[-1].waypoint:
            undoing.take_back(work, group, force=True)
