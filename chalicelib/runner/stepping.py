"""One step of one pass: its lease, its parameters, its result on record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import halting
from chalicelib.actions import actions
from chalicelib.effect import JSON, canonical, canonical_text
from chalicelib.errors import (
    Busy,
    Failed,
    FirebreakError,
    Halted,
    Outcome,
    PlanChanged,
    Refused,
    StepFailed,
    Transient,
)
from chalicelib.halting import Switch
from chalicelib.playbook import Playbook, Step, from_document
from chalicelib.runner import applying, comparing, planning, resolving, settling
from chalicelib.runner.calling import sort_error
from chalicelib.runner.work import Desk, Lease, StepWork, Work, action_of
from chalicelib.store import (
    HALT,
    Remediation,
    StepResult,
    get_finding,
    load,
    partition,
    pass_name,
    result_item,
    step_sk,
)
from chalicelib.table import LEASE_FREE, LEASED, NOBODY, Item, Put

FAILURES = ("failed", "refused")
LARGEST = 350_000  # bytes of a result; DynamoDB's items hold 400 KB, and its record is one too


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
    Transient for what is to be tried again. A plan only reads: it is made under the switch too.
    """
    head, ended, switch = _load(desk, remediation, phase, name, index)
    if ended:
        return _status(head, ended, phase)
    if phase == "apply":
        _may_act(head, switch)
    work = _leased(desk, head, phase, name, index, owner, until)
    return _ended(work, phase, lambda: _result(work, name, index, phase))


def _may_act(head: Remediation, switch: Switch) -> None:
    """Raise StepFailed where a person takes the remediation back, Halted under the kill switch."""
    if head.undo.get("asked"):
        raise StepFailed(f"{head.id} is to be taken back: no step of it is begun")
    if switch.halted:
        raise Halted(switch.reason or "halted")


def count(desk: Desk, remediation: str, phase: str, name: str, owner: str, until: int) -> list[int]:
    """Return the indices of the items that a step with for_each runs for.

    Raise StepFailed where there are too many and the playbook must not go on; it is on record.
    """
    head, ended, _ = _load(desk, remediation, phase, name, 0)
    step = _step_of(head, name)
    document = resolving.document_of(desk, head, get_finding(desk.tables, head), step, phase)
    try:
        return list(range(len(resolving.items(step, document))))
    except Refused as refused:
        result = StepResult(name, 0, step.action, refused.status, str(refused))
    if ended is None:
        work = _leased(desk, head, phase, name, 0, owner, until)
        _ended(work, phase, lambda: result)
    _status(head, result, phase)
    return []


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
) -> tuple[Remediation, StepResult | None, Switch]:
    """Return the head, the step's result where it is on record, and the kill switch.

    A step that was applied is not planned again.
    """
    pk = partition(remediation)
    meta, held, halt = desk.tables.get((pk, "META"), (pk, step_sk("apply", name, index)), HALT)
    if meta is None:
        raise Failed(f"there is no remediation {remediation}")
    head = load(Remediation, meta)
    if head.phase == "plan" and phase == "apply":
        raise PlanChanged(f"{remediation}: its plan is being made again")
    if head.phase != phase:
        raise Failed(f"{remediation} is in its {head.phase} phase, not in {phase}")
    if phase == "plan" and not (held and held.data.get("status")):
        (held,) = desk.tables.get((pk, step_sk(pass_name(head, phase), name, index)))
    ended = load(StepResult, held) if held and held.data.get("status") else None
    return head, ended, halting.read(halt)


def _leased(
    desk: Desk, head: Remediation, phase: str, name: str, index: int, owner: str, until: int
) -> Work:
    """Take the step's lease. Raise Busy while another worker has it."""
    finding, whose = get_finding(desk.tables, head), who(head, owner)
    sk = step_sk(pass_name(head, phase), name, index)
    item = Item(partition(head.id), sk, {"step": name}, owner=owner, expires=until)
    values: dict[str, str | int] = {
        "owner": owner,
        "nobody": NOBODY,
        "now": int(desk.clock.seconds()),
        "ended": "ended",
    }
    if not desk.tables.put_where(item, f"({LEASE_FREE}) AND NOT phase = :ended", values):
        raise Busy(f"step {name} of {head.id} is being run by another worker")
    return Work(desk, head, finding, Lease(sk, owner, until), whose)


def _ended(work: Work, phase: str, result_of: Callable[[], StepResult]) -> str:
    """Record how a step ended, and let go of its lease where it did not."""
    try:
        result = _fitting(result_of())
        _record(work, phase, result)
    except (FirebreakError, ClientError, BotoCoreError):
        work.end()
        raise
    return _status(work.remediation, result, phase)


def _fitting(result: StepResult) -> StepResult:
    """Return a result that fits an item; what is too large to be on record has failed."""
    size = len(canonical_text(asdict(result)).encode("utf-8", "surrogatepass"))
    if size <= LARGEST:
        return result
    reason = f"its result has {size} bytes: too large to be recorded"
    return replace(result, status="failed", reason=reason, facts={}, items=())


def _record(work: Work, phase: str, result: StepResult) -> None:
    """Write the step's result, which ends its lease. Raise Fenced where it is ours no longer."""
    head = work.remediation
    item = replace(result_item(head.id, pass_name(head, phase), result), phase="ended")
    what = {name: value for name, value in asdict(result).items() if value not in ("", (), {})}
    put = Put(item, LEASED, {"owner": work.lease.owner})
    work.commit(f"step_{'planned' if phase == 'plan' else 'ended'}", what, lambda _seq: [put])


def _status(head: Remediation, result: StepResult, phase: str) -> str:
    """Return a step's status. Raise StepFailed where its playbook must not go on."""
    step = _step_of(head, result.step)
    if phase == "apply" and result.status in FAILURES and step.on_error == "stop":
        raise StepFailed(f"{result.step}: {result.reason}")
    return result.status


def _step_of(head: Remediation, name: str) -> Step:
    playbook = playbook_of(head)
    if name not in [step.name for step in playbook.all_steps()]:
        raise Failed(f"playbook {playbook.name} has no step {name}")
    return playbook.step(name)


def _result(work: Work, name: str, index: int, phase: str) -> StepResult:
    """Return how the step ended; only what Step Functions must see is raised.

    What it left half-way is taken back: a waypoint is never left standing.
    """
    step = _step_of(work.remediation, name)
    ended = StepResult(name, index, step.action, "done")
    try:
        return _tried(work, step, ended, phase)
    except Outcome as outcome:
        ended = replace(ended, status=outcome.status, reason=str(outcome))
    except (ClientError, BotoCoreError) as error:
        problem = sort_error(error)
        if isinstance(problem, Transient):
            raise problem from error
        ended = replace(ended, status="failed", reason=str(problem))
    problems = settling.sweep(work, name, index) if phase == "apply" else []
    if problems:
        reason = "; ".join([ended.reason, *problems])
        return replace(ended, status="failed", reason=reason)
    return ended


def _tried(work: Work, step: Step, ended: StepResult, phase: str) -> StepResult:
    head, action = work.remediation, action_of(step.action)
    document = resolving.document_of(work.desk, head, work.finding, step, phase)
    if step.for_each is not None:
        document["item"] = resolving.item(step, document, ended.index)
    params = resolving.parameters(step, action, document, planning=phase == "plan")
    if params is None:
        return replace(ended, status="skipped", reason="its `when` does not hold")
    live = work.reader(action, params, head.account, head.region, step.name)
    if phase == "plan":
        made = planning.plan(action, params, live, comparing.earlier(work))
        return replace(ended, status="planned", facts=made.facts, items=_items(made))
    fields = {name: getattr(work, name) for name in Work.__dataclass_fields__}
    ours = StepWork(
        **fields, step=step.name, index=ended.index, action=action, params=params, live=live
    )
    comparing.compare(ours)
    return replace(ended, facts=canonical(applying.run(ours)))


def _items(made: planning.Plan) -> tuple[Mapping[str, JSON], ...]:
    """Return what a plan shows, and what it is compared by."""
    rows = planning.identity(made.items, made.stands_for)
    return (*made.items, {"kind": "identity", "rows": rows, "wanted": made.wanted})
