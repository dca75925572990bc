"""The fault points of a case, generated from the calls of its run without a fault."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from chalicelib import store
from chalicelib.effect import canonical_text
from firebreak.cloud import CallInfo
from tests.actions.dump import Dumped, masked
from tests.faults import driving, looking
from tests.faults.fields import Case, Field, prepared
from tests.faults.kinds import ENGINE, kinds_of

APPLY, UNDO = "apply", "undo"


@dataclass(frozen=True, slots=True)
class Point:
    """One call of a run, by its number, and one way in which it fails."""

    case: Case
    run: str
    call: int
    api: str
    kind: str

    def __str__(self) -> str:
        return (
            f"--playbook {self.case.playbook} --event {self.case.event} --call {self.call} "
            f"--fault {self.kind} ({self.run}: {self.api})"
        )


@dataclass(frozen=True, slots=True)
class Whole:
    """What a run without a fault came to: what any other run is compared with.

    first: the number of the first call of the roll-back.
    """

    before: str
    contained: str
    statuses: dict[str, str]
    first: int
    calls: tuple[tuple[int, str, tuple[str, ...]], ...]
    counted: Counter[tuple[str, str]]
    after: str
    kept: dict[str, list[str]]
    undone: dict[str, str]


def whole(field: Field, before: str) -> Whole:
    """Run a case without a fault, and its roll-back."""
    calls = field.stage.cloud.calls
    begin = len(calls)
    contained, statuses = up_to_roll_back(field)
    first = len(calls)
    driving.roll_back(field)
    made = [call for call in calls[begin:] if _faulty(field, call)]
    return Whole(
        before=before,
        contained=contained,
        statuses=statuses,
        first=first,
        calls=tuple((c.sequence, looking.api(c), kinds_of(c)) for c in made),
        counted=looking.counted(looking.took_effect(made)),
        after=canonical_text(looking.live(field)),
        kept=evidence(field),
        undone={head.id: head.status for head in driving.heads(field)},
    )


def warmed(case: Case) -> None:
    """Let this process load what a case needs, so that its copies need not."""
    with prepared(case) as field:
        whole(field, "")


def up_to_roll_back(field: Field) -> tuple[str, dict[str, str]]:
    """Apply a case without a fault, and wait; return what is there then, and how it ended."""
    driving.apply(field)
    contained = masked_text(field)
    statuses = {head.id: head.status for head in driving.heads(field)}
    driving.wait(field)
    return contained, statuses


def masked_text(field: Field) -> str:
    """Return live state without what differs between any two runs."""
    return canonical_text({k: _masked(v) for k, v in looking.live(field).items()})


def _masked(live: Dumped) -> Dumped:
    """Return a dump without cut-off moments and without the ids of Firebreak's own groups."""
    own = [g for groups in live["interfaces"].values() for g in groups if g not in live["groups"]]
    text = json.dumps(masked(live))
    for group in own:
        text = text.replace(group, "<fixture>")
    result: Dumped = json.loads(text)
    return result


def _faulty(field: Field, call: CallInfo) -> bool:
    """Say whether a call is made by Firebreak, by Step Functions for it, or by a person with it."""
    engine = (call.service, call.operation) == ENGINE
    return bool(call.function) or engine or call.sequence in field.desk


def evidence(field: Field) -> dict[str, list[str]]:
    """Return what every remediation keeps, by its keys."""
    tables = field.stage.desk.tables
    return {
        head.id: sorted(e.key for e in store.effects(tables, head.id) if e.kind == "evidence")
        for head in driving.heads(field)
    }


def points(case: Case, run: Whole) -> list[Point]:
    """Return every fault point of a case."""
    return [
        Point(case, UNDO if number >= run.first else APPLY, number, api, kind)
        for number, api, kinds in run.calls
        for kind in kinds
    ]
