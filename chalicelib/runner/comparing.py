"""Whether a step would still do what the plan says that a person was shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.effect import JSON
from chalicelib.errors import Busy, PlanChanged
from chalicelib.runner import planning
from chalicelib.runner.work import StepWork, Work
from chalicelib.store import (
    Remediation,
    StepResult,
    effects,
    load,
    meta_item,
    partition,
    pass_name,
    results,
    step_sk,
)
from chalicelib.table import SAME_VERSION, ConditionFailed, Put


def earlier(work: Work) -> dict[str, JSON]:
    """Return what the steps planned so far want of each element."""
    wanted: dict[str, JSON] = {}
    head = work.remediation
    for result in results(work.desk.tables, head.id, pass_name(head, "plan")):
        for item in result.items:
            if item["kind"] == "identity":
                wanted |= item["wanted"]
    return wanted


def compare(ours: StepWork) -> None:
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
    unasked = replace(head, decision={}, token="", waits_until=0)
    again = replace(unasked, phase="plan", plan={}, plans=head.plans + 1)
    _change_head(ours, again, "plan_changed", {"step": ours.step, "shown": shown, "now": rows})
    raise PlanChanged(f"{ours.step} would do something else than was shown")


def _shown(ours: StepWork) -> list[JSON]:
    """Return what the plan that was shown says of this step; nothing where it planned nothing."""
    head = ours.remediation
    sk = step_sk(pass_name(head, "plan"), ours.step, ours.index)
    (item,) = ours.desk.tables.get((partition(head.id), sk))
    return rows_of(load(StepResult, item)) if item and item.data.get("status") else []


def rows_of(result: StepResult) -> list[JSON]:
    """Return what a planned step is compared by."""
    return next((list(item["rows"]) for item in result.items if item["kind"] == "identity"), [])


def _within(rows: list[Any], shown: list[Any]) -> bool:
    return all(row in shown or row[1] == "none" for row in rows)


def _change_head(work: Work, head: Remediation, kind: str, what: Mapping[str, JSON]) -> None:
    """Write a remediation's head on the version it was read at. Raise Busy where it moved on."""
    put = Put(
        meta_item(replace(head, version=head.version + 1)), SAME_VERSION, {"version": head.version}
    )
    try:
        work.commit(kind, what, lambda _seq: [put])
    except ConditionFailed as failed:
        raise Busy(str(failed)) from failed
