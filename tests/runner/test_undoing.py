"""What was changed is taken back: checked for drift, in reverse, on record, once."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from chalicelib.effect import Change, Effects
from chalicelib.errors import Busy, Failed, Transient
from chalicelib.store import hold_key
from firebreak.cloud import CallInfo, ProcessKilled
from tests.runner.bench import (
    GONE,
    LAG,
    MADE,
    TEXT,
    Bench,
    Fault,
    add_entry,
    back,
    by_way_of,
    change,
    changed,
    commits,
    key_of,
    name_of,
    put,
    refused,
    register,
    running,
    writes,
    wrote,
)


def set_for_good(aws: Any, name: str, want: Any) -> Effects:
    """Set a parameter, which cannot be taken back."""
    yield Change(MADE.value(name=name), want=want, do=put(name, want), final="it is read at once")
    return {}


def set_for_a_while(aws: Any, name: str, want: Any) -> Effects:
    """Set a parameter that must stay for an hour."""
    yield change(aws, name, want, not_undone_before=3_600)
    return {}


def killed(bench: Bench, identity: str, fault: Fault, **told: Any) -> bool:
    """Take back, and be killed by a fault; say whether it was."""
    with bench.injecting(fault):
        try:
            bench.undo(identity, **told)
        except ProcessKilled:
            return True
    return False


# --- how one element fares ------------------------------------------------------------------------


@pytest.mark.parametrize("before", [None, "open"])
def test_a_change_is_taken_back(bench: Bench, before: str | None) -> None:
    """What was there before is there again, absent as absent; nobody holds the element."""
    if before:
        bench.set("a", before)
    identity = bench.apply("set_value", name="a", want="shut")
    assert "shut" == bench.get("a")

    assert {"a": "restored"} == bench.undo(identity)
    assert before == bench.get("a")
    assert bench.hold("a") is None
    assert {"a#0": "undone"} == bench.states(identity)
    assert ["undo_intent", "undo_outcome", "undo_results"] == bench.kinds(identity)[-3:]


def test_what_somebody_put_back_already_is_left_alone(bench: Bench) -> None:
    """Found as it was before, an element is let go of without a call."""
    identity = bench.apply("set_value", name="a", want="shut")
    bench.ssm.delete_parameter(Name="a")
    calls = len(bench.cloud.calls)

    assert {"a": "already_back"} == bench.undo(identity)
    assert [] == bench.written(calls)
    assert bench.hold("a") is None


def test_what_somebody_else_changed_is_a_conflict(bench: Bench) -> None:
    """Neither as left nor as before: all three values are shown, and nothing is touched."""
    bench.set("a", "open")
    identity = bench.apply("set_value", name="a", want="shut")
    bench.set("a", "theirs")

    assert {"a": "conflict"} == bench.undo(identity)

    (row,) = bench.rows(identity)
    assert ("open", "shut", "theirs") == (row["before"], row["left"], row["live"])
    assert "theirs" == bench.get("a")
    assert {"a#0": "done"} == bench.states(identity)
    assert "undo_conflict" in bench.kinds(identity)
    assert bench.hold("a") is not None


def test_what_another_put_there_before_it_was_verified_is_a_conflict(bench: Bench) -> None:
    """What a step sees instead of its change is not taken for its own by the roll-back."""
    bench.set("a", "open")

    def theirs(call: CallInfo) -> None:
        if call.operation == "PutParameter" and call.phase == "after":
            bench.cloud.inject = None
            bench.set("a", "theirs")

    bench.cloud.inject = theirs
    identity = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})
    assert "stopped" == bench.step(identity)
    assert "not verified" in bench.result(identity).reason

    assert {"a": "conflict"} == bench.undo(identity)
    assert "theirs" == bench.get("a")


def test_a_conflict_found_by_a_retry_frees_the_element(bench: Bench) -> None:
    """A roll-back that was killed before its call leaves no lock behind once it sees a conflict."""
    bench.set("a", "open")
    identity = bench.apply("set_value", name="a", want="shut")
    assert killed(bench, identity, Fault(0, about=commits("undo_intent")))
    bench.later()
    bench.set("a", "theirs")

    assert {"a": "conflict"} == bench.undo(identity)
    assert "" == bench.hold("a").lock


def test_a_conflict_that_is_kept_is_let_go_of(bench: Bench) -> None:
    """What a person keeps as somebody left it is the state that the next one puts back."""
    bench.set("a", "open")
    identity = bench.apply("set_value", name="a", want="shut")
    bench.set("a", "theirs")

    assert {"a": "kept"} == bench.undo(identity, keep=[key_of("a")])
    assert bench.hold("a") is None
    other = bench.apply("set_value", name="a", want="shut")
    assert {"a": "restored"} == bench.undo(other)
    assert "theirs" == bench.get("a")


def test_a_conflict_is_taken_back_by_force(bench: Bench) -> None:
    """A person who has seen the three values may have the element put back all the same."""
    bench.set("a", "open")
    identity = bench.apply("set_value", name="a", want="shut")
    bench.set("a", "theirs")
    bench.undo(identity)

    assert {"a": "restored"} == bench.undo(identity, force=[key_of("a")])
    assert "open" == bench.get("a")


def test_what_is_gone_is_let_go_of(bench: Bench) -> None:
    """An element that no longer exists has nothing to be taken back to."""
    identity = bench.apply("set_value", name="a", want="shut")
    bench.set("a", GONE)

    assert {"a": "gone"} == bench.undo(identity)
    assert bench.hold("a") is None


def test_what_is_gone_when_it_is_put_back_is_let_go_of(bench: Bench) -> None:
    """An element that vanishes while it is taken back is gone, not stuck."""
    identity = bench.apply("set_value", name="a", want="shut")

    def vanish(call: CallInfo) -> None:
        if wrote(call):
            bench.set("a", GONE)

    with bench.injecting(vanish):
        assert {"a": "gone"} == bench.undo(identity)
    assert bench.hold("a") is None


def test_evidence_and_messages_are_kept(bench: Bench) -> None:
    """Evidence stays, and is listed; a message is not called back."""
    identity = bench.apply("several", name="it")

    fared = bench.undo(identity)

    assert {"it/a": "restored", "it/kept": "kept", "it": "kept"} == fared
    assert "copy" == bench.get("it/kept")


def test_what_cannot_be_taken_back_says_so(bench: Bench) -> None:
    """A final change is listed as irreversible, with its reason, and stays."""
    register(set_for_good)
    identity = bench.apply("set_for_good", name="a", want="shut")

    assert {"a": "irreversible"} == bench.undo(identity)
    assert "it is read at once" == bench.rows(identity)[0]["reason"]
    assert "shut" == bench.get("a")


def test_what_protects_for_a_while_is_not_taken_back_too_early(bench: Bench) -> None:
    """Within its time a change is kept; after it, or by force, it is taken back."""
    register(set_for_a_while)
    early = bench.apply("set_for_a_while", name="a", want="shut")
    forced = bench.apply("set_for_a_while", name="b", want="shut")

    assert {"a": "too_early"} == bench.undo(early)
    assert {"b": "restored"} == bench.undo(forced, force=[key_of("b")])
    bench.later()
    assert {"a": "restored"} == bench.undo(early)


def test_what_was_wanted_and_found_is_not_taken_back_to_anything(bench: Bench) -> None:
    """Where Firebreak changed nothing, what others did since is no conflict of its own."""
    bench.set("a", "shut")
    identity = bench.apply("set_value", name="a", want="shut")
    bench.set("a", "theirs")

    assert {"a": "already_back"} == bench.undo(identity)
    assert "theirs" == bench.get("a")


def test_an_element_of_a_shared_document_is_taken_out_alone(bench: Bench) -> None:
    """What others wrote into the document meanwhile stays."""
    bench.set("list", '["theirs"]')
    identity = bench.apply("add_entry", name="list", element="mine")
    bench.set("list", '["theirs", "mine", "more"]')

    assert {"list:mine": "restored"} == bench.undo(identity)
    assert '["theirs", "more"]' == bench.get("list")


def test_kept_elements_stay(bench: Bench) -> None:
    """What a person chose to keep stays, and stays held."""
    identity = bench.apply("set_value", name="a", want="shut")

    assert {"a": "kept"} == bench.undo(identity, keep=[key_of("a")])
    assert "shut" == bench.get("a")
    assert bench.hold("a") is not None


def test_one_step_is_taken_back_alone(bench: Bench) -> None:
    """With a step named, what other steps changed stays."""
    identity = bench.admit(
        {"action": "set_value", "with": {"name": "a", "want": "shut"}},
        {"action": "set_value", "with": {"name": "b", "want": "shut"}},
    )
    bench.step(identity, "step")
    bench.step(identity, "step-1")

    assert {"b": "restored"} == bench.undo(identity, step="step-1")
    assert ("shut", None) == (bench.get("a"), bench.get("b"))


def test_the_last_made_is_taken_back_first(bench: Bench) -> None:
    """Changes are taken back in the reverse of the order of their intents."""
    identity = bench.admit(
        *({"action": "set_value", "with": {"name": name, "want": "shut"}} for name in "abc")
    )
    for step in ("step-1", "step", "step-2"):
        bench.step(identity, step)
    calls = len(bench.cloud.calls)

    bench.undo(identity)

    deleted = [f"DeleteParameter {name}" for name in "cab"]
    assert deleted == bench.written(calls)


def test_taking_back_twice_changes_nothing(bench: Bench) -> None:
    """What was taken back is not taken back again, whatever it is by then."""
    identity = bench.apply("set_value", name="a", want="shut")
    bench.undo(identity)
    bench.set("a", "shut")

    assert {} == bench.undo(identity)
    assert "shut" == bench.get("a")


# --- refused and lost -----------------------------------------------------------------------------


def test_a_refused_way_back_is_listed_and_does_not_stop_the_others(bench: Bench) -> None:
    """AWS refuses one element: it is listed as failed, free for others, and can be tried again."""
    identity = bench.admit(
        *({"action": "set_value", "with": {"name": name, "want": "shut"}} for name in "ab")
    )
    bench.step(identity, "step")
    bench.step(identity, "step-1")
    fault = Fault(0, refused("AccessDeniedException"), about=writes)

    with bench.injecting(fault):
        assert {"b": "failed", "a": "restored"} == bench.undo(identity)

    hold = bench.hold("b")
    assert hold
    assert ("", "undoing") == (hold.lock, bench.states(identity)["b#0"])
    assert "undo_failed" in bench.kinds(identity)
    assert {"b": "restored"} == bench.undo(identity)


def test_an_error_does_not_count_where_all_is_back(bench: Bench) -> None:
    """A way back that fails because somebody took it first has succeeded."""
    identity = bench.apply("set_value", name="a", want="shut")

    with bench.injecting(Fault(0, refused("ParameterNotFound"), about=wrote)):
        assert {"a": "restored"} == bench.undo(identity)


def test_what_does_not_show_as_back_has_failed(bench: Bench) -> None:
    """A way back is verified like a change."""
    identity = bench.apply("set_value", name="a", want="shut")
    LAG["a"] = ["shut"] * 100

    assert {"a": "failed"} == bench.undo(identity)
    LAG.clear()
    assert {"a": "restored"} == bench.undo(identity)


def test_a_passing_fault_is_raised_and_a_retry_goes_on(bench: Bench) -> None:
    """A throttled way back is tried again, by the same roll-back."""
    identity = bench.apply("set_value", name="a", want="shut")
    fault = Fault(0, refused("ThrottlingException"), about=writes)

    with bench.injecting(fault), pytest.raises(Transient):
        bench.undo(identity)

    assert {"more": False} == bench.ask(identity, "undo")
    assert ["restored"] == [row["result"] for row in bench.rows(identity)]
    assert bench.get("a") is None


def test_a_probe_of_another_version_is_named(bench: Bench) -> None:
    """A record whose probe is not known any more fails by name, and stops nothing else."""
    identity = bench.apply("set_value", name="a", want="shut")
    late = bench.apply("set_late", name="b", want="shut")
    from chalicelib.effect import PROBES

    del PROBES["bench.value"]

    assert {"a": "failed"} == bench.undo(identity)
    assert "not known to this version" in bench.rows(identity)[0]["reason"]
    assert {"b": "restored"} == bench.undo(late)


# --- cut off --------------------------------------------------------------------------------------


def set_both(aws: Any, name: str) -> Effects:
    """Change a parameter by way of another value, and an element of a shared document."""
    yield from by_way_of(aws, name, "open", "shut")
    yield from add_entry(aws, "list", "mine")
    return {}


def test_killed_around_any_call_a_retried_roll_back_ends_like_an_unbroken_one() -> None:
    """Killed after any call that writes, a roll-back goes on where it was, and repeats nothing."""
    for kill in itertools.count():
        with running() as bench:
            register(set_both, {"name": TEXT})
            bench.set("a", "before")
            identity = bench.apply("set_both", name="a")
            fault = Fault(
                kill,
                about=changed,
                watched=lambda: bench.foreseen(identity),  # noqa: B023
            )
            if not killed(bench, identity, fault):
                break
            bench.later()
            fault.at = -1
            with bench.injecting(fault):
                assert not bench.ask(identity, "undo")["more"]

            assert ("before", "[]") == (bench.get("a"), bench.get("list")), fault.raised
            fared = {name_of(row["key"]): row["result"] for row in bench.rows(identity)}
            assert {"a": "restored", "list:mine": "restored"} == fared, fault.raised
            assert {1} == set(fault.effective.values()), fault.raised
            assert [] == fault.unforeseen
            assert (bench.hold("a"), bench.hold("list:mine", "entry")) == (None, None)
            assert "undo_results" in bench.kinds(identity)
    assert kill > 8


@pytest.mark.parametrize(("made", "fares"), [(True, "restored"), (False, "already_back")])
def test_a_change_that_was_cut_off_is_taken_back(bench: Bench, made: bool, fares: str) -> None:
    """An open intent is taken back by what shows, whether or not its call took effect."""
    identity = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})
    cut = Fault(0, about=wrote if made else commits("intent"))
    with bench.injecting(cut), pytest.raises(ProcessKilled):
        bench.step(identity)
    assert {"a#0": "intent"} == bench.states(identity)
    bench.later()

    assert {"a": fares} == bench.undo(identity)
    assert bench.get("a") is None
    assert bench.hold("a") is None


def test_a_change_that_was_cut_off_is_given_the_time_to_show(bench: Bench) -> None:
    """What took effect and does not show yet is not taken for never made."""
    identity = bench.admit({"action": "set_late", "with": {"name": "a", "want": "shut"}})
    with bench.injecting(Fault(0, about=wrote)), pytest.raises(ProcessKilled):
        bench.step(identity)
    bench.later()
    LAG["a"] = [None] * 5

    assert {"a": "restored"} == bench.undo(identity)
    assert bench.get("a") is None


def test_nothing_is_taken_back_under_a_worker_that_lives(bench: Bench) -> None:
    """A step that may still be at work is waited for until its lease has run out."""
    identity = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})
    with bench.injecting(Fault(0, about=wrote)), pytest.raises(ProcessKilled):
        bench.step(identity)
    calls, slept = len(bench.cloud.calls), sum(bench.desk.clock.slept)

    with pytest.raises(Busy):
        bench.undo(identity)

    assert [] == bench.written(calls)
    assert sum(bench.desk.clock.slept) - slept > 200
    assert not bench.ask(identity, "undo")["more"]
    assert bench.get("a") is None


def test_a_roll_back_stops_in_time_and_goes_on(bench: Bench) -> None:
    """Short of time, a roll-back notes how far it came, and goes on when it is asked again."""
    identity = bench.admit(
        *({"action": "set_value", "with": {"name": name, "want": "shut"}} for name in "abc")
    )
    for step in ("step", "step-1", "step-2"):
        bench.step(identity, step)

    def dawdle(call: CallInfo) -> None:
        if wrote(call):
            bench.later(140)

    with bench.injecting(dawdle):
        assert bench.ask(identity, "undo")["more"]
    assert ["c", "b"] == [row["key"][-1] for row in bench.rows(identity)]

    assert not bench.ask(identity, "undo")["more"]
    assert ["c", "b", "a"] == [row["key"][-1] for row in bench.rows(identity)]


# --- waypoints ------------------------------------------------------------------------------------


def test_a_waypoint_is_taken_back_with_its_end(bench: Bench) -> None:
    """Undo goes from the end straight to the baseline, never by way of the waypoint."""
    bench.set("a", "before")
    identity = bench.apply("by_way_of", name="a", way="open", end="shut")
    calls = len(bench.cloud.calls)

    assert {"a": "restored"} == bench.undo(identity)
    assert ["PutParameter a before"] == bench.written(calls)


def test_a_waypoint_goes_when_its_step_fails(bench: Bench) -> None:
    """Refused its end, a step takes its waypoint back at once."""
    bench.set("a", "before")
    identity = bench.admit(
        {"action": "by_way_of", "with": {"name": "a", "way": "open", "end": "shut"}}
    )

    with bench.injecting(Fault(1, refused("AccessDeniedException"), about=_before_writing)):
        assert "stopped" == bench.step(identity)

    assert "before" == bench.get("a")
    assert {"a#0": "undone", "a#1": "failed"} == bench.states(identity)
    assert bench.hold("a") is None


def _before_writing(call: CallInfo) -> bool:
    return call.phase == "before" and writes(call)


def test_a_waypoint_goes_when_a_read_after_it_is_refused(bench: Bench) -> None:
    """A step that fails for good between waypoint and end takes its waypoint back too."""
    bench.set("a", "before")
    bench.set("b", "theirs")

    def look_between(aws: Any, name: str, want: Any) -> Effects:
        """Change a parameter by way of another value, and read something in between."""
        yield change(aws, name, "open", waypoint=True)
        aws.read("ssm", "get_parameter", Name="b")
        yield change(aws, name, want)
        return {}

    register(look_between)
    identity = bench.admit({"action": "look_between", "with": {"name": "a", "want": "shut"}})
    denied = Fault(
        0, refused("AccessDeniedException"), about=lambda call: call.params.get("Name") == "b"
    )

    with bench.injecting(denied):
        assert "stopped" == bench.step(identity)
    assert "before" == bench.get("a")


def test_a_waypoint_that_cannot_be_taken_back_is_told(bench: Bench) -> None:
    """A waypoint that AWS refuses to take back stands in the step's result, by name."""
    identity = bench.admit(
        {"action": "by_way_of", "with": {"name": "a", "way": "open", "end": "shut"}}
    )

    def deny(call: CallInfo) -> None:
        if _before_writing(call) and call.params.get("Value") != "open":
            raise refused("AccessDeniedException")(call)

    with bench.injecting(deny):
        assert "stopped" == bench.step(identity)

    assert "is left half-way" in bench.result(identity).reason
    assert "open" == bench.get("a")


def test_a_lost_hold_does_not_keep_a_change_from_being_taken_back(bench: Bench) -> None:
    """Where nothing says who holds the element, its own records lead back, drift-checked."""
    bench.set("a", "before")
    identity = bench.apply("set_value", name="a", want="shut")
    other = bench.apply("set_value", name="b", want="shut")
    for name in "ab":
        pk, sk = hold_key(key_of(name))
        bench.cloud.session().client("dynamodb").delete_item(
            TableName=bench.desk.settings.remediations_table,
            Key={"pk": {"S": pk}, "sk": {"S": sk}},
        )
    bench.set("b", "theirs")

    assert {"a": "restored"} == bench.undo(identity)
    assert {"b": "conflict"} == bench.undo(other)
    assert ("before", "theirs") == (bench.get("a"), bench.get("b"))


def test_nothing_is_taken_back_of_a_remediation_that_was_not_applied(bench: Bench) -> None:
    """A remediation that is being planned has nothing to take back."""
    identity = bench.admit({"action": "set_value", "with": {"name": "a"}}, phase="plan")

    with pytest.raises(Failed):
        bench.ask(identity, "undo")


def test_an_undo_uses_what_its_own_record_was_made_with(bench: Bench) -> None:
    """The way back is called with the session of the action that recorded it, on its target."""

    def narrow(aws: Any, name: str, want: Any) -> Effects:
        """Set a parameter with a right to this one alone."""
        yield change(aws, name, want)
        return {}

    arn = "arn:{partition}:ssm:{region}:{account}:parameter/{name}"
    register(narrow, target={"*": (arn,)})
    identity = bench.apply("narrow", name="a", want="shut")
    bench.later()
    calls = len(bench.cloud.calls)

    assert {"a": "restored"} == bench.undo(identity)
    assumed = [c for c in bench.cloud.calls[calls:] if c.operation == "AssumeRole"]
    assert assumed
    assert all("parameter/a" in call.params["Policy"] for call in assumed)
    assert back("a", None).document() == bench.effects(identity)[0].undo
