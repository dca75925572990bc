"""An action's effects made, exactly once: what is on record is read, what is new is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, replace

from chalicelib.effect import JSON, Change, Evidence, Fixture, Message, canonical
from chalicelib.runner import fixing, making
from chalicelib.runner.reading import ActionReader
from chalicelib.runner.work import StepWork
from chalicelib.store import Effect, effects

Wanted = Change | Evidence | Message


def run(step: StepWork) -> dict[str, JSON]:
    """Make what the action yields and return its facts.

    Effects on record are taken as made; what was left open is settled first. Raise the action's own
    Outcome, Failed for a final error, Transient for what Step Functions should try again.
    """
    recorded = effects(step.desk.tables, step.remediation.id, step.step)
    made = {each.sk: making.settle(step, each) for each in recorded if each.index == step.index}
    counts: Counter[str] = Counter()
    fixtures: dict[str, JSON] = {}
    reader = ActionReader(**{f.name: getattr(step.live, f.name) for f in fields(step.live)})
    generator = step.action.run(reader, **step.params)
    value: JSON = None
    while True:
        try:
            wanted = generator.send(value)
        except StopIteration as stop:
            return stop.value or {}
        if isinstance(wanted, Fixture):
            value = _fixture(step, wanted, fixtures)
        else:
            record = _numbered(_record(step, wanted), counts, made)
            value = _effect(step, record, made, reader.seen)


def _fixture(step: StepWork, wanted: Fixture, fixtures: dict[str, JSON]) -> JSON:
    key = step.live.key(wanted)
    if key not in fixtures:
        fixtures[key] = fixing.fix(step, wanted, key)
    return fixtures[key]


def _effect(
    step: StepWork, record: Effect, made: dict[str, Effect], seen: Mapping[str, JSON]
) -> JSON:
    """Return what the effect's probe shows, having made the effect where it is not on record."""
    known = made.get(record.sk)
    if known is None or known.state != "done":
        made[record.sk] = making.ensure(step, _with_first_way_back(record, made), seen)
    return made[record.sk].after


def _with_first_way_back(record: Effect, made: Mapping[str, Effect]) -> Effect:
    """Return a further change of an element with the way back to before the step's first."""
    first = made.get(replace(record, n=0).sk)
    return replace(record, undo=first.undo) if first and record.undo and first.undo else record


def _numbered(record: Effect, counts: Counter[str], made: Mapping[str, Effect]) -> Effect:
    """Return a record with its number among those of its key in the step.

    A waypoint that was made already, and that a second run has no need of, is passed over.
    """
    while True:
        numbered = replace(record, n=counts[record.key])
        counts[record.key] += 1
        known = made.get(numbered.sk)
        if known is None or not known.waypoint or record.waypoint:
            return numbered


def _record(step: StepWork, wanted: Wanted) -> Effect:
    """Return an effect as it is recorded before anything is known of live state."""
    record = Effect(
        kind=type(wanted).__name__.lower(),
        key=wanted.key if isinstance(wanted, Message) else step.live.key(wanted.probe),
        step=step.step,
        index=step.index,
        n=0,
        seq=0,
        state="intent",
        action=step.action.name,
        do=wanted.do.document(),
        account=step.live.account,
        region=step.live.region,
        params=canonical(step.params),
    )
    if isinstance(wanted, Message):
        return record
    probe = wanted.probe
    record = replace(record, probe=probe.document(), order=probe.order, settles=probe.settles)
    return _with_way_back(step, record, wanted) if isinstance(wanted, Change) else record


def _with_way_back(step: StepWork, record: Effect, change: Change) -> Effect:
    later = change.not_undone_before
    return replace(
        record,
        want=canonical(change.want),
        undo=change.undo.document() if change.undo else None,
        final=change.final,
        not_before=step.desk.clock.seconds() + later if later else 0.0,
        waypoint=change.waypoint,
    )
