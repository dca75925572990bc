"""One effect made: its intent on record, its call, a look until it shows, its outcome on record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.effect import JSON, canonical_text, from_document, satisfies
from chalicelib.errors import Busy, Failed, NotApplicable, Outcome, Transient
from chalicelib.runner import holding
from chalicelib.runner.calling import described, perform, sort_error
from chalicelib.runner.reading import PATIENCE, LiveReader, look_until, recorded_probe
from chalicelib.runner.releasing import give_back
from chalicelib.runner.work import RACES, StepWork, Work, hold_writes, maker
from chalicelib.store import Effect, Hold, effect_item
from chalicelib.table import ConditionFailed, Operation, Put


def ensure(step: StepWork, record: Effect, seen: Mapping[str, JSON]) -> Effect:
    """Make an effect that is not on record yet; return it as it is recorded then.

    seen: what elements were when the action looked at them, which its ways back build on.
    """
    if record.kind == "change":
        intent, act = intend(step, record, seen)
        return make(step, intent) if act else intent
    intent = replace(record, seq=_commit(step, "intent", record, None, None))
    return send_message(step, intent) if record.kind == "message" else make(step, intent)


def settle(step: StepWork, effect: Effect) -> Effect:
    """Return an effect on record with what was left open finished: as it shows, else made again.

    Raise Failed where a change that did not show then does not show now.
    """
    if effect.state not in ("intent", "done") or (effect.state == "done" and effect.verified):
        return effect
    if effect.kind == "message":
        return send_message(step, effect)
    open_ = effect.state == "intent"
    try:
        live = shows(step.live, effect, effect.settles + (0.0 if open_ else PATIENCE))
    except NotApplicable as gone:
        give_back(step, replace(effect, state="failed", result=str(gone)))
        raise
    if fulfils(effect, live):
        return outcome(step, replace(effect, call=effect.call or effect.do), live, verified=True)
    if not open_:
        raise _unverified(effect, live)
    return make(step, effect) if effect.kind == "evidence" else ensure(step, effect, {})


def intend(step: StepWork, record: Effect, seen: Mapping[str, JSON]) -> tuple[Effect, bool]:
    """Write the intent and the wish on its hold together; return them, and whether to act.

    Raise Transient where its way back would lead to something else than what is there now.
    """
    wisher = step.wisher(step.step, step.index)
    wish = holding.Wish(
        wisher, record.key, record.want, record.order, record.do, record.undo, maker(record)
    )
    for _ in range(RACES):
        hold = step.hold(record.key)
        live = step.live.look(recorded_probe(record.probe))
        held, act = holding.take(hold, wish, live, step.desk.clock.seconds(), step.lease.until)
        first = act and (hold is None or hold.undo is None)
        if first and not _same(seen.get(record.key, live), live):
            raise Transient(f"{record.key} changed since the action looked at it")
        state = {"state": "intent"} if act else {"state": "done", "after": live, "verified": True}
        intent = replace(record, before=record.before if record.seq else live, **state)
        try:
            seq = _commit(step, "intent" if act else "joined", intent, hold, held)
        except ConditionFailed:
            continue
        return replace(intent, seq=seq), act
    raise Busy(f"{record.key} is held and let go by others all the time")


def make(step: StepWork, effect: Effect) -> Effect:
    """Call, read until it shows, record. Raise Failed where it is refused or does not show."""
    try:
        call = perform(from_document(effect.do or {}), step.live)
    except Outcome as final:
        raise _given_up(step, effect, final) from final
    except (ClientError, BotoCoreError) as error:
        return _refused(step, effect, error)
    called = replace(effect, call=described(call) if call else None)
    try:
        live = shows(step.live, called, effect.settles + PATIENCE)
    except NotApplicable as gone:
        raise _given_up(step, called, gone) from gone
    verified = fulfils(called, live)
    made = outcome(step, called, live, verified=verified)
    if not verified:
        raise _unverified(effect, live)
    return made


def _unverified(effect: Effect, live: JSON) -> Failed:
    return Failed(f"{effect.key}: not verified: it shows {live!r} after {effect.want!r} was set")


def _refused(step: StepWork, effect: Effect, error: ClientError | BotoCoreError) -> Effect:
    """Record a change that is there all the same; else give the wish up and raise."""
    problem = sort_error(error)
    if isinstance(problem, Transient):
        raise problem from error
    try:
        live = shows(step.live, effect, float(effect.settles))
    except Outcome as gone:
        raise _given_up(step, effect, gone) from error
    except (ClientError, BotoCoreError) as unseen:
        if isinstance(sort_error(unseen), Transient):
            raise sort_error(unseen) from unseen
        raise _given_up(step, effect, Failed(str(problem))) from error
    if fulfils(effect, live):
        return outcome(step, effect, live, verified=True)
    raise _given_up(step, effect, Failed(str(problem))) from error


def _given_up(step: StepWork, effect: Effect, why: Outcome) -> Outcome:
    """Take an effect's wish back, which is not to be; return why."""
    give_back(step, replace(effect, state="failed", result=str(why)))
    return why


def _same(one: JSON, other: JSON) -> bool:
    return canonical_text(one) == canonical_text(other)


def fulfils(effect: Effect, live: JSON) -> bool:
    """Say whether what an effect's probe reads is what the effect is for."""
    if effect.kind == "evidence":
        return live is not None
    return satisfies(effect.order, live, effect.want)


def shows(reader: LiveReader, effect: Effect, patience: float) -> JSON:
    """Return what an effect's probe reads, read again until it is as wanted."""
    probe = recorded_probe(effect.probe)
    return look_until(reader, probe, lambda live: fulfils(effect, live), patience)


def outcome(work: Work, effect: Effect, live: JSON, *, verified: bool) -> Effect:
    """Record an effect as made, and unlock its hold where the lock is its own.

    What shows is taken for what Firebreak left there only where it is as wanted.
    """
    wisher = work.wisher(effect.step, effect.index)
    done = replace(effect, state="done", after=live, verified=verified)
    for _ in range(RACES):
        hold = work.hold(effect.key) if effect.kind == "change" else None
        standing = live if verified or hold is None else hold.standing
        held = holding.settled(hold, wisher, standing) if hold else None
        try:
            _commit(work, "outcome", done, hold, held)
        except ConditionFailed:
            continue
        return done
    raise Busy(f"{effect.key} is held and let go by others all the time")


def send_message(step: StepWork, effect: Effect) -> Effect:
    """Send a message and record it; one that is refused for good is recorded as failed."""
    try:
        perform(from_document(effect.do or {}), step.live)
    except (ClientError, BotoCoreError) as error:
        problem = sort_error(error)
        if isinstance(problem, Transient):
            raise problem from error
        raise _given_up(step, effect, Failed(str(problem))) from error
    return outcome(step, effect, True, verified=True)


def _commit(work: Work, kind: str, effect: Effect, hold: Hold | None, held: Hold | None) -> int:
    """Write an effect (numbered where it is new) with its hold; return its number."""

    def build(seq: int) -> list[Operation]:
        numbered = replace(effect, seq=effect.seq or seq)
        return [Put(effect_item(work.remediation.id, numbered)), *hold_writes(hold, held)]

    record = work.commit(kind, said(effect), build)
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
