"""Effects are made exactly once, whatever is refused, lost or killed on the way."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.effect import Call, Change, Effects
from chalicelib.errors import Transient
from firebreak.cloud import CallInfo, ProcessKilled
from tests.runner.bench import (
    GONE,
    LAG,
    MADE,
    Bench,
    Fault,
    back,
    change,
    commits,
    key_of,
    put,
    refused,
    register,
    running,
    writes,
    wrote,
)

SCENES: dict[str, dict[str, Any]] = {
    "several": {},
    "by_way_of": {"way": "open", "end": "shut"},
    "add_entry": {"element": "mine"},
}


def after(call: CallInfo) -> bool:
    """Say whether this is the moment after a call, which is also the one before the next."""
    return call.phase == "after"


def ended(bench: Bench, identity: str) -> dict[str, Any]:
    """Return all that a run left, in AWS and on record."""
    return {**bench.ending(identity), "parameters": bench.everything()}


def killed(bench: Bench, identity: str, fault: Fault) -> bool:
    """Run a step that a fault kills; say whether it did."""
    with bench.injecting(fault):
        try:
            bench.step(identity)
        except ProcessKilled:
            return True
    return False


# --- killed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", SCENES)
def test_killed_around_any_call_a_retried_step_ends_like_an_unbroken_one(action: str) -> None:
    """Killed between any two AWS calls, the table's too, a retry makes what was not made."""
    step = {"action": action, "with": {"name": "it", **SCENES[action]}}
    with running() as bench:
        identity = bench.admit(step)
        bench.step(identity)
        whole = ended(bench, identity)

    for kill in itertools.count():
        with running() as bench:
            identity = bench.admit(step)
            fault = Fault(kill, about=after, watched=lambda: bench.foreseen(identity))  # noqa: B023
            if not killed(bench, identity, fault):
                break
            bench.later()
            fault.at = -1
            with bench.injecting(fault):
                bench.step(identity)

            assert whole == ended(bench, identity), fault.raised
            assert [] == fault.unforeseen
            assert [] == [call for call, n in fault.effective.items() if n > _most(call)]
            assert "step_ended" == bench.kinds(identity)[-1]
    assert kill > 10


def _most(call: str) -> int:
    """Return how often a call may take effect: a message is sent at least once."""
    return 2 if "/told" in call else 1


# --- verified -------------------------------------------------------------------------------------


def set_aside(aws: Any, name: str, want: Any) -> Effects:
    """Set another parameter than the one that is looked at."""
    yield Change(
        MADE.value(name=name), want=want, do=put(f"{name}/other", want), undo=back(name, None)
    )
    return {}


def set_shouting(aws: Any, name: str, want: Any) -> Effects:
    """Set a parameter of a service that writes it its own way."""
    yield Change(
        MADE.value(name=name), want=want, do=put(name, str(want).upper()), undo=back(name, None)
    )
    return {}


def test_a_change_that_does_not_show_fails_and_is_on_record(bench: Bench) -> None:
    """A call that succeeds and changes nothing is a failed step: recorded, not verified."""
    register(set_aside)

    identity = bench.apply("set_aside", name="a", want="shut")

    (effect,) = bench.effects(identity)
    assert "failed" == bench.result(identity).status
    assert "not verified" in bench.result(identity).reason
    assert ("done", False, None) == (effect.state, effect.verified, effect.after)
    assert {"a": "already_back"} == bench.undo(identity)


def test_a_change_that_shows_otherwise_is_a_persons_to_decide(bench: Bench) -> None:
    """What a service made of a wish looks like what another put there: it is forced, or kept."""
    register(set_shouting)

    identity = bench.apply("set_shouting", name="a", want="shut")

    assert ("SHUT", "failed") == (bench.get("a"), bench.result(identity).status)
    assert {"a": "conflict"} == bench.undo(identity)
    assert {"a": "restored"} == bench.undo(identity, force=[key_of("a")])
    assert bench.get("a") is None


def test_a_change_that_shows_too_late_can_be_undone(bench: Bench) -> None:
    """A change that showed only after the step had failed is Firebreak's doing all the same."""
    bench.set("a", "open")
    LAG["a"] = ["open"] * 40
    identity = bench.apply("set_value", name="a", want="shut")
    assert "failed" == bench.result(identity).status
    LAG.clear()

    assert {"a": "restored"} == bench.undo(identity)
    assert "open" == bench.get("a")


def test_a_change_that_shows_after_some_reads_is_made_once(bench: Bench) -> None:
    """An eventually consistent read is repeated, on the clock, until it shows."""
    bench.set("a", "open")
    LAG["a"] = ["open"] * 8

    identity = bench.apply("set_late", name="a", want="shut")

    assert "done" == bench.result(identity).status
    assert ["PutParameter a shut"] == bench.written()
    assert sum(bench.desk.clock.slept) > 1


def test_an_open_intent_is_given_the_time_to_show(bench: Bench) -> None:
    """A retry does not call again what took effect and does not show yet."""
    identity = bench.admit({"action": "set_late", "with": {"name": "a", "want": "shut"}})
    assert killed(bench, identity, Fault(0, about=wrote))
    bench.later()
    LAG["a"] = [None] * 6

    assert "done" == bench.step(identity)
    assert ["PutParameter a shut"] == bench.written()
    assert ["PutParameter a shut"] == [_call(each.call) for each in bench.effects(identity)]


def _call(document: Any) -> str:
    words = document["params"]
    return f"PutParameter {words['Name']} {words['Value']}"


def test_a_retried_intent_keeps_the_way_back_it_was_recorded_with(bench: Bench) -> None:
    """Changed by others between two attempts, an element goes back to where its record says."""
    bench.set("a", "open")
    identity = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})
    assert killed(bench, identity, Fault(0, about=commits("intent")))
    bench.later()
    bench.set("a", "theirs")

    assert "done" == bench.step(identity)

    (effect,) = bench.effects(identity)
    assert ("open", back("a", "open").document()) == (effect.before, effect.undo)
    assert {"a": "restored"} == bench.undo(identity)
    assert "open" == bench.get("a")


@pytest.mark.parametrize(("shows", "status"), [(True, "done"), (False, "stopped")])
def test_what_was_not_verified_is_looked_at_again(bench: Bench, shows: bool, status: str) -> None:
    """A retry of a step whose change did not show does not take it for done."""
    identity = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})
    LAG["a"] = [None] * 500
    assert killed(bench, identity, Fault(0, about=commits("outcome")))
    bench.later()
    LAG["a"] = [] if shows else [None] * 500

    assert status == bench.step(identity)
    assert [shows] == [effect.verified for effect in bench.effects(identity)]
    assert ["PutParameter a shut"] == bench.written()


# --- refused, lost, gone --------------------------------------------------------------------------


def lost(call: CallInfo) -> BaseException:
    """Return the error of a call whose answer does not come."""
    return ReadTimeoutError(endpoint_url="https://ssm")


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize(
    "error",
    [refused("ThrottlingException"), refused("InternalServerError", 500), lost],
    ids=["throttled", "broken", "lost"],
)
def test_a_passing_fault_is_raised_and_a_retry_settles_it(
    bench: Bench, error: Callable[[CallInfo], BaseException], phase: str
) -> None:
    """Throttled, broken or unanswered, a step is tried again at once, and its call made once."""
    identity = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})
    fault = Fault(0, error, about=lambda call: writes(call) and call.phase == phase)

    with bench.injecting(fault), pytest.raises(Transient):
        bench.step(identity)
    assert {"a#0": "intent"} == bench.states(identity)

    assert "done" == bench.step(identity)
    assert "shut" == bench.get("a")
    assert (2 if phase == "before" else 1) == len(bench.written())


def test_a_refused_call_fails_the_step_and_leaves_no_wish(bench: Bench) -> None:
    """AccessDenied is final: the step has failed, the element is held by nobody, all on record."""
    identity = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})

    with bench.injecting(Fault(0, refused("AccessDeniedException"), about=writes)):
        assert "stopped" == bench.step(identity)

    assert ("failed", {"a#0": "failed"}) == (bench.result(identity).status, bench.states(identity))
    assert "AccessDeniedException" in bench.effects(identity)[0].result
    assert bench.hold("a") is None
    assert ["admitted", "intent", "failed", "step_ended"] == bench.kinds(identity)
    assert {} == bench.undo(identity)


def test_an_error_does_not_count_where_all_is_as_wanted(bench: Bench) -> None:
    """A call that fails because the change is there already has succeeded."""
    identity = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})

    with bench.injecting(Fault(0, refused("ParameterAlreadyExists"), about=wrote)):
        assert "done" == bench.step(identity)

    assert [True] == [effect.verified for effect in bench.effects(identity)]
    assert {"a": "restored"} == bench.undo(identity)


@pytest.mark.parametrize("denied", ["it/kept", "it/told"])
def test_refused_evidence_and_messages_fail_their_step_alone(bench: Bench, denied: str) -> None:
    """Evidence or a message that is refused is recorded; what was contained before it stays."""
    identity = bench.admit({"action": "several", "with": {"name": "it"}})
    fault = Fault(
        0,
        refused("AccessDeniedException"),
        about=lambda c: c.params.get("Name") == denied and writes(c),
    )

    with bench.injecting(fault):
        assert "stopped" == bench.step(identity)

    assert "shut" == bench.get("it/a")
    assert "done" == bench.states(identity)["it/a#0"]
    assert "failed" in bench.states(identity).values()
    assert "failed" in bench.kinds(identity)


def test_a_message_is_sent_again_where_it_may_not_have_been_sent(bench: Bench) -> None:
    """A message is sent at least once: killed right after it, the retry sends it again."""
    identity = bench.admit({"action": "several", "with": {"name": "it"}})
    told = Fault(0, about=lambda call: wrote(call) and call.params.get("Name") == "it/told")

    assert killed(bench, identity, told)
    bench.later()

    assert "done" == bench.step(identity)
    assert 2 == bench.written().count("PutParameter it/told yes")


def test_what_is_gone_before_the_call_is_not_applicable(bench: Bench) -> None:
    """Gone between intent and call: nothing is called, nobody holds it, the step says so."""
    identity = bench.admit({"action": "add_entry", "with": {"name": "list", "element": "mine"}})

    def vanish(call: CallInfo) -> None:
        if commits("intent")(call):
            bench.set("list", GONE)

    with bench.injecting(vanish):
        assert "not_applicable" == bench.step(identity)

    assert ["failed"] == list(bench.states(identity).values())
    assert bench.hold("list:mine", "entry") is None
    assert [] == bench.written()


def test_what_is_gone_after_the_call_is_not_applicable(bench: Bench) -> None:
    """Gone once it was changed: there is nothing to look at, nothing to take back."""
    identity = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})

    def vanish(call: CallInfo) -> None:
        if wrote(call):
            bench.set("a", GONE)

    with bench.injecting(vanish):
        assert "not_applicable" == bench.step(identity)

    assert {"a#0": "failed"} == bench.states(identity)
    assert bench.hold("a") is None


def test_what_is_gone_when_it_is_tried_again_is_not_applicable(bench: Bench) -> None:
    """A retry that finds the element gone closes the intent it left open."""
    identity = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})
    assert killed(bench, identity, Fault(0, about=commits("intent")))
    bench.later()
    bench.set("a", GONE)

    assert "not_applicable" == bench.step(identity)
    assert {"a#0": "failed"} == bench.states(identity)
    assert bench.hold("a") is None


def test_a_refused_edit_leaves_nothing_open(bench: Bench) -> None:
    """An edit that cannot be made (no room, say) is no call: the step is refused, the wish gone."""
    bench.set("list", json.dumps(["full"]))
    identity = bench.admit({"action": "add_entry", "with": {"name": "list", "element": "mine"}})

    assert "stopped" == bench.step(identity)
    assert ("refused", ["failed"]) == (
        bench.result(identity).status,
        list(bench.states(identity).values()),
    )
    assert bench.hold("list:mine", "entry") is None


def test_an_intent_too_large_to_be_on_record_is_not_acted_on(bench: Bench) -> None:
    """What cannot be recorded is not called."""

    def set_huge(aws: Any, name: str, want: Any) -> Effects:
        """Set a parameter by a call that no item has room for."""
        call = Call("ssm", "put_parameter", Name=name, Value=want, Description="x" * 500_000)
        yield Change(MADE.value(name=name), want=want, do=call, undo=back(name, None))
        return {}

    register(set_huge)
    identity = bench.apply("set_huge", name="a", want="shut")

    assert "failed" == bench.result(identity).status
    assert "size" in bench.result(identity).reason
    assert [] == bench.written()
    assert [] == bench.effects(identity)


# --- known by its number --------------------------------------------------------------------------


def test_a_waypoint_that_a_retry_has_no_need_of_is_passed_over(bench: Bench) -> None:
    """A second run that finds the end reached does not take the waypoint's record for the end's."""

    def by_way(aws: Any, name: str, want: Any) -> Effects:
        """Change a parameter by way of another value where it is not as wanted yet."""
        probe = MADE.value(name=name)
        if aws.look(probe) != want:
            yield Change(
                probe, want="open", do=put(name, "open"), undo=back(name, None), waypoint=True
            )
        shown = yield Change(probe, want=want, do=put(name, want), undo=back(name, None))
        return {"shown": shown}

    register(by_way)
    identity = bench.admit({"action": "by_way", "with": {"name": "a", "want": "shut"}})
    fault = Fault(1, about=commits("outcome"))
    assert killed(bench, identity, fault)
    bench.later()

    assert "done" == bench.step(identity)
    assert {"shown": "shut"} == bench.result(identity).facts
    assert ["PutParameter a open", "PutParameter a shut"] == bench.written()


def test_an_action_that_yields_one_effect_twice_makes_two(bench: Bench) -> None:
    """Changes of one element are told apart by their number, and undone as one."""

    def there_and_back(aws: Any, name: str, want: Any) -> Effects:
        """Set a parameter, then set it to something else."""
        yield change(aws, name, "first")
        yield change(aws, name, want)
        return {}

    register(there_and_back)
    identity = bench.apply("there_and_back", name="a", want="shut")

    assert {"a#0": "done", "a#1": "done"} == bench.states(identity)
    assert [delete_of("a")] * 2 == [effect.undo for effect in bench.effects(identity)]
    assert {"a": "restored"} == bench.undo(identity)
    assert bench.get("a") is None


def delete_of(name: str) -> dict[str, Any]:
    """Return the call that removes a parameter, as records hold it."""
    return {"service": "ssm", "operation": "delete_parameter", "params": {"Name": name}}


def test_what_stood_as_wanted_is_recorded_and_not_called(bench: Bench) -> None:
    """Where the probe shows what is wanted, the wish joins and nothing is called."""
    bench.set("a", "shut")

    identity = bench.apply("set_value", name="a", want="shut")

    (effect,) = bench.effects(identity)
    assert ("done", None, True) == (effect.state, effect.call, effect.verified)
    assert [] == bench.written()
    assert ["admitted", "joined", "step_ended"] == bench.kinds(identity)
