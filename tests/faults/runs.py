"""One run with one fault, and what did not hold of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults import driving, invariants, looking
from tests.faults.fields import Field
from tests.faults.kinds import KINDS, Fault
from tests.faults.points import APPLY, Point, Whole


@dataclass(frozen=True, slots=True)
class Result:
    """Say what did not hold at a fault point; nothing where all did."""

    point: Point
    problems: tuple[str, ...]
    status: str = ""


def run(field: Field, whole: Whole, point: Point) -> Result:
    """Run a case with a fault from where it stands: before its event, or before its roll-back."""
    fault = Fault(point.call, KINDS[point.kind], field.stage.desk.clock.sleep)
    problems = dict.fromkeys(_problems(field, point, whole, fault))
    status = ",".join(head.status for head in driving.heads(field))
    return Result(point, tuple(problems), status)


def _problems(field: Field, point: Point, whole: Whole, fault: Fault) -> Iterator[str]:
    cloud = field.stage.cloud
    begin, kept = len(cloud.calls), len(cloud.failed_deliveries)
    cloud.inject = fault
    said = driving.apply(field) if point.run == APPLY else driving.roll_back(field)
    cloud.inject = None
    if fault.met is None:
        yield "the call was not made"
        return
    if looking.api(fault.met) != point.api:
        yield f"it met {looking.api(fault.met)}: the run has other calls than without a fault"
    yield from invariants.kept_and_told(field, fault, begin, kept, said)
    driving.deliver_again(field)
    if point.run == APPLY:
        yield from invariants.ended(field, whole)
        yield from invariants.counted(field, whole)
    driving.wait(field)
    driving.roll_back(field)
    yield from invariants.restored(field, whole)
    yield from invariants.intended(field, fault)
    yield from invariants.once(field, fault, whole)
    yield from invariants.audited(field)
