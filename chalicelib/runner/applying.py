"""An action's effects made, exactly once: intent, call, read until it shows, outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.effect import (
    JSON,
    REGISTRY,
    Call,
    Evidence,
    Fixture,
    Message,
    canonical,
    from_document,
    holds_placeholder,
    probe_from_document,
    satisfies,
)
from chalicelib.errors import Busy, Failed, Transient
from chalicelib.runner import holding
from chalicelib.runner.calling import perform, send, sort_error
from chalicelib.runner.undoing import give_back
from chalicelib.runner.work import StepWork
from chalicelib.store import Effect, Hold, effect_item, effects, hold_item, short_hash
from chalicelib.table import LEASE_FREE, SAME_OR_ABSENT, ConditionFailed, Item, Operation, Put

RACES = 10  # times a hold is read again when somebody else wrote it meanwhile
ROUNDS = 6  # times a fixture is read and mended
PATIENCE = 10.0  # seconds that a change may take to show, beyond its declared settling time


def run(step: StepWork) -> dict[str, JSON]:
    """Make what the action yields and return its facts.

    Effects on record are taken as made; open intents are settled first. Raise the action's own
    Outcome, Failed for a final error, Transient for what Step Functions should try again.
    """
    recorded = effects(step.desk.tables, step.remediation.id, step.step)
    made = {each.sk: _settle(step, each) for each in recorded if each.index == step.index}
    counts: Counter[str] = Counter()
    fixtures: dict[str, JSON] = {}
    generator = step.action.run(step.live, **step.params)
    value: JSON = None
    while True:
        try:
            wanted = generator.send(value)
        except StopIteration as stop:
            return stop.value or {}
        if isinstance(wanted, Fixture):
            key = step.live.key(wanted)
            if key not in fixtures:
                fixtures[key] = _fixture(step, wanted, key)
            value = fixtures[key]
        else:
            value = _ensure(step, _record(step, wanted, counts), made)


def _record(step: StepWork, wanted: Any, counts: Counter[str]) -> Effect:
    """Return an effect as it is recorded before anything is known of live state."""
    kind = type(wanted).__name__.lower()
    key = wanted.key if isinstance(wanted, Message) else step.live.key(wanted.probe)
    counts[key] += 1
    record = Effect(
        kind=kind,
        key=key,
        step=step.step,
        index=step.index,
        n=counts[key] - 1,
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
    if isinstance(wanted, Evidence):
        return record
    later = step.desk.clock.seconds() + wanted.not_undone_before if wanted.not_undone_before else 0
    return replace(
        record,
        want=canonical(wanted.want),
        undo=wanted.undo.document() if wanted.undo else None,
        final=wanted.final,
        not_before=float(later),
        waypoint=wanted.waypoint,
    )


def _ensure(step: StepWork, record: Effect, made: Mapping[str, Effect]) -> JSON:
    """Return what the effect's probe shows, having made the effect where it is not on record."""
    before = made.get(record.sk)
    if before and before.state == "done":
        return before.after
    if record.kind == "change":
        intent, act = _intend_change(step, record)
        return _make(step, intent).after if act else intent.after
    intent = _intend(step, record)
    if intent.kind == "message":
        return _send_message(step, intent).after
    return _make(step, intent).after


def _intend_change(step: StepWork, record: Effect) -> tuple[Effect, bool]:
    """Write the intent and the wish on its hold together; return them, and whether to act."""
    wisher = step.wisher(step.step, step.index)
    wish = holding.Wish(wisher, record.key, record.want, record.order, record.do, record.undo)
    for _ in range(RACES):
        hold = step.hold(record.key)
        live = step.live.look(probe_from_document(record.probe or {}))
        now = step.desk.clock.seconds()
        held, act = holding.take(hold, wish, live, now, step.lease.until)
        state = {"state": "intent"} if act else {"state": "done", "after": live, "verified": True}
        intent = replace(record, before=live, **state)
        try:
            seq = _commit_effect(step, "intent" if act else "joined", intent, hold, held)
        except ConditionFailed:
            continue
        return replace(intent, seq=seq), act
    raise Busy(f"{record.key} is held and let go by others all the time")


def _intend(step: StepWork, record: Effect) -> Effect:
    seq = _commit_effect(step, "intent", record, None, None)
    return replace(record, seq=seq)


def _commit_effect(
    step: StepWork, kind: str, effect: Effect, hold: Hold | None, held: Hold | None
) -> int:
    """Write an effect (numbered where it is new) with its hold; return its number."""

    def build(seq: int) -> list[Operation]:
        numbered = replace(effect, seq=effect.seq or seq)
        operations: list[Operation] = [Put(effect_item(step.remediation.id, numbered))]
        if held:
            version = hold.version if hold else 0
            operations.append(Put(hold_item(held), SAME_OR_ABSENT, {"version": version}))
        return operations

    record = step.commit(kind, said(effect), build)
    return effect.seq or record.seq


def said(effect: Effect) -> dict[str, JSON]:
    """Return what the audit says of an effect."""
    what: dict[str, JSON] = {
        "step": effect.step,
        "index": effect.index,
        "action": effect.action,
        "effect": effect.kind,
        "key": effect.key,
        "do": effect.call or effect.do,
        "before": effect.before,
        "want": effect.want,
    }
    if effect.kind == "message":
        what["do"] = {k: v for k, v in (effect.do or {}).items() if k != "params"}
    if effect.state != "intent":
        what |= {"state": effect.state, "after": effect.after, "verified": effect.verified}
    return what | ({"result": effect.result} if effect.result else {})


def _settle(step: StepWork, effect: Effect) -> Effect:
    """Return an effect with its open intent finished: as live state shows it, else made again."""
    if effect.state != "intent":
        return effect
    if effect.kind == "message":
        return _send_message(step, effect)
    live = _shows(step, effect, patience=float(effect.settles))
    if _done(effect, live):
        return _outcome(step, effect, live, verified=True)
    return _make(step, effect)


def _done(effect: Effect, live: JSON) -> bool:
    if effect.kind == "evidence":
        return live is not None
    return satisfies(effect.order, live, effect.want)


def _make(step: StepWork, effect: Effect) -> Effect:
    """Call, read until it shows, record. Raise Failed where it is refused or does not show."""
    try:
        call = perform(from_document(effect.do or {}), step.live)
    except (ClientError, BotoCoreError) as error:
        live = _refused(step, effect, error)
        return _outcome(step, effect, live, verified=True)
    called = replace(effect, call=call.document() if call else None)
    live = _shows(step, called, patience=effect.settles + PATIENCE)
    if not _done(effect, live):
        _outcome(step, called, live, verified=False)
        raise Failed(f"{effect.key}: not verified: it shows {live!r} after {effect.want!r} was set")
    return _outcome(step, called, live, verified=True)


def _refused(step: StepWork, effect: Effect, error: ClientError | BotoCoreError) -> JSON:
    """Return live state where the change is there all the same; else give the wish up and raise."""
    sorted_error = sort_error(error)
    if isinstance(sorted_error, Transient):
        raise sorted_error from error
    live = step.live.look(probe_from_document(effect.probe or {}))
    if _done(effect, live):
        return live
    give_back(step, replace(effect, state="failed", result=str(sorted_error)))
    raise sorted_error from error


def _shows(step: StepWork, effect: Effect, patience: float) -> JSON:
    """Return what the probe reads, read again until it is as wanted or patience runs out."""
    probe = probe_from_document(effect.probe or {})
    pause, waited = 0.2, 0.0
    live = step.live.look(probe)
    while not _done(effect, live) and waited < patience:
        step.desk.clock.sleep(pause)
        waited, pause = waited + pause, min(pause * 1.6, 3.0)
        live = step.live.look(probe)
    return live


def _outcome(step: StepWork, effect: Effect, live: JSON, *, verified: bool) -> Effect:
    """Record an effect as made, and unlock its hold."""
    done = replace(effect, state="done", after=live, verified=verified)
    for _ in range(RACES):
        hold = step.hold(effect.key) if effect.kind == "change" else None
        held = holding.settled(hold, live) if hold else None
        try:
            _commit_effect(step, "outcome", done, hold, held)
        except ConditionFailed:
            continue
        return done
    raise Busy(f"{effect.key} is held and let go by others all the time")


def _send_message(step: StepWork, effect: Effect) -> Effect:
    """Send a message and record it; one that is refused for good is recorded as failed."""
    try:
        perform(from_document(effect.do or {}), step.live)
    except (ClientError, BotoCoreError) as error:
        sorted_error = sort_error(error)
        if isinstance(sorted_error, Transient):
            raise sorted_error from error
        failed = replace(effect, state="failed", result=str(sorted_error))
        _commit_effect(step, "outcome", failed, None, None)
        raise sorted_error from error
    done = replace(effect, state="done", after=True, verified=True)
    _commit_effect(step, "outcome", done, None, None)
    return done


def _fixture(step: StepWork, wanted: Fixture, key: str) -> JSON:
    """Return a fixture's value, having made or mended it under its lock."""
    function = REGISTRY.fixtures[wanted.name]
    state = function(step.live, **wanted.args)
    if not state.calls:
        return state.value
    lock = _lock_fixture(step, key)
    for _ in range(ROUNDS):
        state = function(step.live, **wanted.args)
        if not state.calls:
            _lock_fixture(step, key, release=lock)
            return state.value
        _mend(step, key, [call for call in state.calls if not holds_placeholder(call.params)])
    raise Failed(f"fixture {key} is not as it must be after {ROUNDS} attempts to mend it")


def _mend(step: StepWork, key: str, calls: list[Call]) -> None:
    what = {"fixture": key, "step": step.step, "do": [call.document() for call in calls]}
    step.commit("fixture", what, lambda _seq: [])
    for call in calls:
        try:
            send(call, step.live)
        except (ClientError, BotoCoreError) as error:
            raise sort_error(error) from error


def _lock_fixture(step: StepWork, key: str, *, release: str = "") -> str:
    """Take a fixture's lock, or let go of it. Raise Busy where it is somebody else's."""
    owner = f"{step.lease.owner}/{step.step}#{step.index}"
    now = int(step.desk.clock.seconds())
    item = Item(
        f"FIXTURE#{short_hash(key)}",
        "FIXTURE",
        {"key": key},
        owner="-" if release else owner,
        expires=0 if release else step.lease.until,
    )
    values = {"owner": owner, "nobody": "-", "now": now}
    what = {"fixture": key, "step": step.step, "lock": not release}
    try:
        step.commit("fixture_lock", what, lambda _seq: [Put(item, LEASE_FREE, values)])
    except ConditionFailed as failed:
        raise Busy(f"fixture {key} is being made by another step") from failed
    return owner
