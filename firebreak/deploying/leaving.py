"""A stage destroyed: the steps backwards; the data stays unless it is told to go.

What is removed is looked up anew, so that a run that died half-way is finished by another.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from botocore.exceptions import ClientError

from chalicelib.errors import Failed
from chalicelib.gone import is_code
from chalicelib.store import listing
from firebreak.deploying import noting
from firebreak.deploying.going import Done, held, told
from firebreak.deploying.lease import Lease
from firebreak.deploying.run import Run
from firebreak.deploying.steps import name_of, steps
from firebreak.deploying.steps.data import NAME as DATA


def standing(run: Run, *, data: bool) -> list[Done]:
    """Return what there is of each step that goes, in the order in which it goes."""
    found = []
    for step in _going(data=data):
        with told(name_of(step)):
            found.append(Done(name_of(step), tuple(step.standing(run))))
    return [each for each in found if each.differences]


def contained(run: Run) -> list[str]:
    """Return the remediations that are open, or whose changes are in place."""
    lists = (listing.OPEN, listing.STANDING)
    try:
        return sorted({e.sk for name in lists for e in listing.entries(run.desk.tables, name)})
    except ClientError as error:
        if is_code(error, "ResourceNotFoundException"):
            return []
        raise


def check(run: Run, *, force: bool) -> None:
    """Raise Failed where something is contained that could not be taken back any more."""
    found = contained(run)
    if found and not force:
        shown = ", ".join(found[:5]) + ("…" if len(found) > 5 else "")
        raise Failed(
            f"{len(found)} remediations are open or in place ({shown}): once the stage is gone, "
            "nothing takes them back. Roll them back (firebreak status, firebreak rollback), or "
            "give --force to leave them as they are"
        )


def destroy(run: Run, *, data: bool) -> Iterator[Done]:
    """Yield what each step removed."""
    lease = Lease(run)
    with held(lease):
        lease.hold()
        _note(run, data=data)
        for step in _going(data=data):
            if name_of(step) == DATA:
                lease.forget()
            else:
                lease.hold()
            with told(name_of(step)):
                done = Done(name_of(step), tuple(step.remove(run)))
            yield done


def _going(*, data: bool) -> list[ModuleType]:
    return [step for step in reversed(steps()) if data or name_of(step) != DATA]


def _note(run: Run, *, data: bool) -> None:
    try:
        noting.note(run, "destroyed", {"data": data})
    except ClientError as error:
        if not is_code(error, "ResourceNotFoundException"):
            raise
