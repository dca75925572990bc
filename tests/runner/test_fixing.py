"""Firebreak's own things: made once, under a lock, mended, refused where they differ, kept."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from chalicelib.effect import REGISTRY, FixtureState
from chalicelib.errors import Busy, Transient
from chalicelib.store import short_hash
from firebreak.cloud import CallInfo, ProcessKilled
from tests.runner.bench import (
    LAG,
    Bench,
    Fault,
    changed,
    commits,
    key_of,
    put,
    read,
    refused,
    running,
    writes,
    wrote,
)

OWN = "it/own"


def using(bench: Bench) -> str:
    """Record a remediation whose step needs a fixture; return its id."""
    return bench.admit({"action": "use_own", "with": {"name": "it"}})


def lock(bench: Bench) -> Any:
    """Return the owner of the fixture's lock."""
    (item,) = bench.desk.tables.get((f"FIXTURE#{short_hash(key_of(OWN, 'own'))}", "FIXTURE"))
    return item and item.owner


def test_a_fixture_is_made_before_it_is_used(bench: Bench) -> None:
    """What is missing is made, in the order that its calls can be made in, and looked at again."""
    identity = using(bench)

    assert "done" == bench.step(identity)
    made = ["PutParameter it/own half", "PutParameter it/own whole", "PutParameter it/a it/own"]
    assert made == bench.written()
    assert {"own": [OWN, OWN]} == bench.result(identity).facts
    assert "-" == lock(bench)


def test_a_fixture_that_stands_is_used_without_a_lock(bench: Bench) -> None:
    """Nothing is locked, called or recorded for what is right already."""
    bench.set(OWN, "whole")
    identity = using(bench)

    assert "done" == bench.step(identity)
    assert ["PutParameter it/a it/own"] == bench.written()
    assert lock(bench) is None


def test_a_fixture_is_mended(bench: Bench) -> None:
    """What is half made is made whole."""
    bench.set(OWN, "half")

    assert "done" == bench.step(using(bench))
    assert "whole" == bench.get(OWN)


def test_a_fixture_that_differs_is_refused(bench: Bench) -> None:
    """What is not Firebreak's is not touched, and nothing that needs it is done."""
    bench.set(OWN, "theirs")
    identity = using(bench)

    assert "stopped" == bench.step(identity)
    assert "fixture_differs" in bench.result(identity).reason
    assert [] == bench.written()


def test_a_fixture_is_never_taken_back(bench: Bench) -> None:
    """Undo takes back what was changed, and leaves what is Firebreak's own."""
    identity = using(bench)
    bench.step(identity)

    assert {"it/a": "restored"} == bench.undo(identity)
    assert {OWN: "whole"} == bench.everything()


def test_two_who_need_the_same_fixture_make_one(bench: Bench) -> None:
    """The second is busy while the first makes it, and then finds it made."""
    first, second = using(bench), using(bench)
    tried = False

    def beside(call: CallInfo) -> None:
        nonlocal tried
        if wrote(call) and not tried:
            tried = True
            with pytest.raises(Busy, match="being made"):
                bench.step(second)

    with bench.injecting(beside):
        assert "done" == bench.step(first)
    assert tried
    assert "done" == bench.step(second)
    assert 1 == bench.written().count("PutParameter it/own half")


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_a_fixture_that_cannot_be_made_is_free_for_others(bench: Bench, code: str) -> None:
    """Refused or cut short, a step lets go of the lock at once."""
    identity = using(bench)

    with bench.injecting(Fault(0, refused(code), about=writes)):
        if code == "ThrottlingException":
            with pytest.raises(Transient):
                bench.step(identity)
        else:
            assert "stopped" == bench.step(identity)
            assert code in bench.result(identity).reason

    assert "-" == lock(bench)
    assert "done" == bench.step(using(bench))


def test_a_fixture_that_does_not_show_yet_is_not_made_again(bench: Bench) -> None:
    """Eventually consistent, what was made is waited for before it is looked on as missing."""
    identity = using(bench)

    def lag(call: CallInfo) -> None:
        if wrote(call) and call.params.get("Value") == "half":
            LAG[OWN] = [None] * 4

    with bench.injecting(lag):
        assert "done" == bench.step(identity)
    assert 1 == bench.written().count("PutParameter it/own half")


def test_what_exists_already_and_does_not_show_is_waited_for(bench: Bench) -> None:
    """An error that says that it exists is no failure once it shows."""
    identity = using(bench)

    def exists(call: CallInfo) -> None:
        if writes(call) and call.phase == "before" and call.params.get("Value") == "half":
            bench.set(OWN, "half")
            LAG[OWN] = [None] * 4
            raise refused("ParameterAlreadyExists")(call)

    with bench.injecting(exists):
        assert "done" == bench.step(identity)


def test_a_fixture_that_never_gets_right_fails(bench: Bench) -> None:
    """Somebody undoes each mending: after some rounds the step has failed, the lock is free."""

    def stubborn(aws: Any, *, name: str) -> FixtureState:
        found = read(aws, name)
        return FixtureState(None, (put(name, int(found or 0) + 1),))

    REGISTRY.fixtures["bench.own"] = stubborn
    identity = using(bench)

    assert "stopped" == bench.step(identity)
    assert "is not as it must be" in bench.result(identity).reason
    assert "-" == lock(bench)


def test_killed_around_any_call_a_retry_makes_the_fixture_once() -> None:
    """Killed after any call that writes, a retry finds what was made; nothing is unforeseen."""
    for kill in itertools.count():
        with running() as bench:
            identity = using(bench)
            fault = Fault(
                kill,
                about=changed,
                watched=lambda: bench.foreseen(identity),  # noqa: B023
            )
            try:
                with bench.injecting(fault):
                    bench.step(identity)
                break
            except ProcessKilled:
                bench.later()
            fault.at = -1
            with bench.injecting(fault):
                assert "done" == bench.step(identity)

            assert {"it/a": OWN, OWN: "whole"} == bench.everything()
            assert ({1}, []) == (set(fault.effective.values()), fault.unforeseen)
            assert "step_ended" == bench.kinds(identity)[-1]
    assert kill > 5


def test_the_lock_of_one_who_was_killed_runs_out(bench: Bench) -> None:
    """Another waits for a lock that nobody will let go of, until it has run out."""
    first, second = using(bench), using(bench)
    with bench.injecting(Fault(0, about=commits("fixture_lock"))), pytest.raises(ProcessKilled):
        bench.step(first)

    with pytest.raises(Busy):
        bench.step(second)
    bench.later()
    assert "done" == bench.step(second)
