"""Fixtures: things of Firebreak's own, made or mended under a lock, and never taken back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.effect import JSON, REGISTRY, Call, Fixture, FixtureState, holds_placeholder
from chalicelib.errors import Busy, Failed, FirebreakError, Transient
from chalicelib.log import note
from chalicelib.runner.calling import described, send, sort_error
from chalicelib.runner.reading import PATIENCE
from chalicelib.runner.work import StepWork
from chalicelib.store import short_hash
from chalicelib.table import LEASE_FREE, NOBODY, ConditionFailed, Item, Put

ROUNDS = 6  # times a fixture is read and mended
PAUSE = 1.0  # seconds between two looks at what was made


def fix(step: StepWork, wanted: Fixture, key: str) -> JSON:
    """Return a fixture's value, having made or mended it under its lock.

    Raise Busy while another step makes it, the fixture's own Refused where it cannot be mended.
    """
    state = _state(step, wanted)
    if not state.calls:
        return state.value
    with _locked(step, key):
        return _mended(step, wanted, key)


def _state(step: StepWork, wanted: Fixture) -> FixtureState:
    return REGISTRY.fixtures[wanted.name](step.live, **wanted.args)


def _mended(step: StepWork, wanted: Fixture, key: str) -> JSON:
    state = _state(step, wanted)
    for _ in range(ROUNDS):
        if not state.calls:
            return state.value
        problem = _mend(step, key, state.calls)
        after = _changed(step, wanted, state.calls)
        if problem and after.calls == state.calls:
            raise problem
        state = after
    raise Failed(f"fixture {key} is not as it must be after {ROUNDS} attempts to mend it")


def _changed(step: StepWork, wanted: Fixture, calls: Sequence[Call]) -> FixtureState:
    """Return what a fixture is after it was mended; what was made may take a while to show."""
    waited = 0.0
    state = _state(step, wanted)
    while state.calls == calls and waited < PATIENCE:
        step.desk.clock.sleep(PAUSE)
        waited += PAUSE
        state = _state(step, wanted)
    return state


def _mend(step: StepWork, key: str, calls: Sequence[Call]) -> FirebreakError | None:
    """Make the calls that hold no placeholder; return what the first that is refused says."""
    known = [call for call in calls if not holds_placeholder(call.params)]
    what = {"fixture": key, "step": step.step, "do": [described(call) for call in known]}
    step.commit("fixture", what, lambda _seq: [])
    for call in known:
        try:
            send(call, step.live)
        except (ClientError, BotoCoreError) as error:
            problem = sort_error(error)
            if isinstance(problem, Transient):
                raise problem from error
            return problem
    return None


@contextmanager
def _locked(step: StepWork, key: str) -> Iterator[None]:
    """Hold a fixture's lock. Raise Busy where it is somebody else's."""
    owner = f"{step.lease.owner}/{step.step}#{step.index}"
    try:
        _lock(step, key, owner, owner, step.lease.until)
    except ConditionFailed as failed:
        raise Busy(f"fixture {key} is being made by another step") from failed
    try:
        yield
    except (FirebreakError, ClientError, BotoCoreError):
        _unlock_quietly(step, key, owner)
        raise
    _lock(step, key, owner, NOBODY, 0)


def _unlock_quietly(step: StepWork, key: str, owner: str) -> None:
    try:
        _lock(step, key, owner, NOBODY, 0)
    except (FirebreakError, ConditionFailed, ClientError, BotoCoreError) as error:
        note("left_to_run_out", f"lock of fixture {key}: {error}")


def _lock(step: StepWork, key: str, owner: str, after: str, until: int) -> None:
    """Write a fixture's lock where it is free or its owner's."""
    item = Item(f"FIXTURE#{short_hash(key)}", "FIXTURE", {"key": key}, owner=after, expires=until)
    values: dict[str, str | int] = {
        "owner": owner,
        "nobody": NOBODY,
        "now": int(step.desk.clock.seconds()),
    }
    what = {"fixture": key, "step": step.step, "lock": after != NOBODY}
    step.commit("fixture_lock", what, lambda _seq: [Put(item, LEASE_FREE, values)])
