"""A remediation from phase to phase, and how it ends: what its records say is what is true."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib import gates, lifecycle, store
from chalicelib.effect import Change, Effects, Evidence, Message
from chalicelib.errors import Busy, Failed, Transient
from chalicelib.finding import Resource
from chalicelib.store import listing
from firebreak.cloud import CallInfo, ProcessKilled
from tests.runner.bench import (
    FINDING,
    GONE,
    LAG,
    MADE,
    TEXT,
    Bench,
    Fault,
    back,
    changed,
    commits,
    key_of,
    put,
    refused,
    register,
    running,
    writes,
    wrote,
)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Give a bench with throw-away actions."""
    with running() as made:
        yield made


def setting(name: str = "a", **more: Any) -> dict[str, Any]:
    """Return a step that sets a parameter."""
    return {"action": "set_value", "with": {"name": name, "want": "shut"}, **more}


NOTHING = {"action": "set_value", "with": {"name": "$.finding.resource.attributes.no", "want": "x"}}
WAY = {"action": "by_way_of", "with": {"name": "a", "way": "open", "end": "shut"}}


def failing(bench: Bench, identity: str, step: str = "step") -> None:
    """Run a step that AWS refuses."""
    with bench.injecting(Fault(0, refused("AccessDeniedException"), about=writes)):
        bench.step(identity, step)


def cut_off(bench: Bench, identity: str, fault: Fault, step: str = "step") -> None:
    """Run a step that is killed, and let its lease run out."""
    with bench.injecting(fault), pytest.raises(ProcessKilled):
        bench.step(identity, step)
    bench.later()


def close(bench: Bench, identity: str) -> tuple[str, str]:
    """Close a remediation; return its status and the reason on record."""
    answer = bench.ask(identity, "close")
    head = bench.head(identity)
    assert ("closed", answer["status"]) == (head.phase, head.status)
    return head.status, head.reason


def told(bench: Bench, since: int = 0) -> list[str]:
    """Return the subjects that people were told."""
    made = [call for call in bench.cloud.calls[since:] if call.operation == "Publish"]
    return [str(call.params["Subject"]) for call in made]


# --- heads ----------------------------------------------------------------------------------------


def test_there_is_no_head_of_an_unknown_id(bench: Bench) -> None:
    """A remediation that is none is named as such."""
    with pytest.raises(Failed, match="there is no remediation"):
        lifecycle.head_of(bench.desk, "0" * 24)


def test_a_head_is_changed_with_its_record(bench: Bench) -> None:
    """What changed is on record, but for task tokens, which are secrets."""
    identity = bench.admit(setting())

    lifecycle.move(
        bench.desk,
        identity,
        "moved",
        lambda h: replace(h, reason="why", token="secret"),
        {"by": "me"},
    )

    (record,) = [r for r in bench.desk.tables.records(identity) if r.kind == "moved"]
    assert ({"reason": "why"}, {"by": "me"}) == (record.what, record.who)
    assert ("secret", 2) == (bench.head(identity).token, bench.head(identity).version)


def test_nothing_to_change_leaves_no_record(bench: Bench) -> None:
    """A change that finds itself made writes nothing."""
    identity = bench.admit(setting())

    assert bench.head(identity) == lifecycle.move(bench.desk, identity, "no", lambda _h: None, {})
    assert ["admitted"] == bench.kinds(identity)


def test_two_changes_at_once_are_both_made(bench: Bench) -> None:
    """A head that somebody changed meanwhile is read again."""
    identity = bench.admit(setting())
    seen = []

    def change(head: store.Remediation) -> store.Remediation:
        seen.append(head.version)
        if len(seen) == 1:
            lifecycle.move(bench.desk, identity, "theirs", lambda h: replace(h, why="theirs"), {})
        return replace(head, reason="ours")

    lifecycle.move(bench.desk, identity, "ours", change, {})

    assert [1, 2] == seen
    head = bench.head(identity)
    assert ("theirs", "ours") == (head.why, head.reason)


def test_a_head_that_others_keep_changing_is_busy(bench: Bench) -> None:
    """There is an end to reading again."""
    identity = bench.admit(setting())
    numbers = itertools.count()

    def change(head: store.Remediation) -> store.Remediation:
        lifecycle.move(
            bench.desk, identity, "theirs", lambda h: replace(h, why=str(next(numbers))), {}
        )
        return replace(head, reason="ours")

    with pytest.raises(Busy):
        lifecycle.move(bench.desk, identity, "ours", change, {})


# --- plan and approval ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "following", "phase"),
    [("observe", "close", "plan"), ("approve", "ask", "wait"), ("enforce", "apply", "apply")],
)
def test_a_sealed_plan_goes_where_its_mode_says(
    bench: Bench, mode: str, following: str, phase: str
) -> None:
    """Observed it is closed, to be approved it waits, else it is applied; asked twice, the same."""
    identity = bench.admit(setting(), phase="plan", mode=mode)
    bench.step(identity, phase="plan")

    for _ in range(2):
        assert {"next": following} == bench.ask(identity, "seal")

    head = bench.head(identity)
    assert (phase, 64) == (head.phase, len(head.plan["hash"]))
    assert 1 == bench.kinds(identity).count("plan_sealed")


def test_a_question_keeps_its_token_and_is_told(bench: Bench) -> None:
    """A person is told by which plan to answer; the token is in no record and no message."""
    identity = bench.admit(setting(), phase="plan", mode="approve")
    bench.step(identity, phase="plan")
    bench.ask(identity, "seal")

    bench.ask(identity, "ask", token="secret-token")

    head = bench.head(identity)
    assert "secret-token" == head.token
    assert head.waits_until > bench.desk.clock.seconds() + 3_600
    (call,) = [call for call in bench.cloud.calls if call.operation == "Publish"]
    assert head.plan["hash"] in call.params["Message"]
    assert "secret-token" not in str(call.params)
    assert "secret-token" not in str(bench.desk.tables.records(identity))


@pytest.mark.parametrize("phase", ["plan", "apply", "undo", "closed"])
def test_there_is_no_question_where_nothing_waits(bench: Bench, phase: str) -> None:
    """A late request to ask does not reopen what went on."""
    identity = bench.admit(setting(), phase=phase)

    with pytest.raises(Failed, match="no question"):
        bench.ask(identity, "ask", token="t")
    assert [] == told(bench)


def test_a_parked_step_keeps_its_token(bench: Bench) -> None:
    """Whoever turns the kill switch off finds the tokens of all that wait, each step's last one."""
    identity = bench.admit(setting())
    bench.halt()

    for token in ("first-token", "secret-token"):
        bench.ask(identity, "park", step="step", index=3, token=token, **{"pass": "apply"})

    (item,) = listing.entries(bench.desk.tables, listing.PARKED)
    assert (f"{identity}#step#00003", "secret-token") == (item.sk, item.data["token"])
    assert "secret-token" not in str(bench.desk.tables.records(identity))
    assert ["admitted", "parked", "parked"] == bench.kinds(identity)


# --- how it ended ---------------------------------------------------------------------------------


def test_contained(bench: Bench) -> None:
    """Every step ended well, and something was contained; nobody needs to be told."""
    identity = bench.admit(setting(), NOTHING)
    bench.step(identity)
    bench.step(identity, "step-1")

    assert ("contained", "") == close(bench, identity)
    assert [] == told(bench)


def test_partly_contained(bench: Bench) -> None:
    """A step that failed and was passed over shows in the status, and people are told."""
    identity = bench.admit(setting(), setting("b", on_error="continue"))
    bench.step(identity)
    failing(bench, identity, "step-1")

    status, reason = close(bench, identity)

    assert "partly_contained" == status
    assert "step-1: failed: " in reason
    assert 1 == len(told(bench))


def test_failed(bench: Bench) -> None:
    """A step that stops the playbook makes it fail; what should follow is not called missing."""
    identity = bench.admit(setting(), setting("b"), setting("c"))
    bench.step(identity)
    failing(bench, identity, "step-1")

    status, reason = close(bench, identity)

    assert "failed" == status
    assert "step-1: failed: " in reason
    assert "step-2" not in reason
    assert "shut" == bench.get("a")


def test_not_applicable(bench: Bench) -> None:
    """Nothing to act on is no failure, and no containment."""
    identity = bench.admit(NOTHING, setting(when={"finding": {"severity": [0]}}))
    bench.step(identity)
    bench.step(identity, "step-1")

    status, reason = close(bench, identity)

    assert "not_applicable" == status
    assert "has no value" in reason


def test_no_step_applied(bench: Bench) -> None:
    """Every step skipped is nothing done, and says so."""
    identity = bench.admit(setting(when={"finding": {"severity": [0]}}))
    bench.step(identity)

    assert ("not_applicable", "no step applied") == close(bench, identity)


@pytest.mark.parametrize(
    ("on_error", "status"), [("stop", "failed"), ("continue", "partly_contained")]
)
def test_a_step_without_a_result_was_interrupted(bench: Bench, on_error: str, status: str) -> None:
    """A step that began, or should have, and has no result is not passed over in silence."""
    identity = bench.admit(setting(), setting("b", on_error=on_error))
    bench.step(identity)

    assert (status, "step-1: interrupted") == close(bench, identity)
    assert 1 == len(told(bench))


def test_an_item_without_a_result_was_interrupted(bench: Bench) -> None:
    """Of the items of a step each must have ended; how many have not is said."""
    finding = replace(
        FINDING, resource=Resource("instance", "i", attributes={"n": ["a", "b", "c"]})
    )
    step = {
        "action": "set_value",
        "with": {"name": "$.item", "want": "shut"},
        "for_each": "$.finding.resource.attributes.n",
    }
    identity = bench.admit(step, finding=finding)
    bench.step(identity, index=1)

    assert ("failed", "step: interrupted (2 of 3 items)") == close(bench, identity)


def test_a_step_without_items_misses_nothing(bench: Bench) -> None:
    """No items, no results, nothing wrong."""
    none = setting(for_each="$.finding.resource.attributes.none")
    identity = bench.admit(setting(), none)
    bench.step(identity)

    assert ("contained", "") == close(bench, identity)


def test_too_many_items_are_no_success(bench: Bench) -> None:
    """A step refused for its many items shows in the status."""
    finding = replace(FINDING, resource=Resource("instance", "i", attributes={"n": ["a"] * 201}))
    many = setting(for_each="$.finding.resource.attributes.n", on_error="continue")
    identity = bench.admit(setting(), many, finding=finding)
    bench.step(identity)
    assert [] == bench.ask(identity, "items", step="step-1", **{"pass": "apply"})["indices"]

    status, reason = close(bench, identity)

    assert "partly_contained" == status
    assert "too_many_items" in reason


def test_steps_side_by_side_are_all_accounted_for(bench: Bench) -> None:
    """One branch stopped, another was interrupted: both are said."""
    names = {"one": "a", "two": "b", "three": "c"}
    beside = [setting(name) | {"name": step} for step, name in names.items()]
    identity = bench.admit({"parallel": beside}, setting("d"))
    failing(bench, identity, "one")
    bench.step(identity, "two")

    status, reason = close(bench, identity)

    assert "failed" == status
    assert "one: failed" in reason
    assert "three: interrupted" in reason
    assert "step-1" not in reason


def test_planned(bench: Bench) -> None:
    """Observed, a remediation ends with its plan."""
    identity = bench.admit(setting(), phase="plan", mode="observe", why="the stage observes")
    bench.step(identity, phase="plan")
    bench.ask(identity, "seal")

    assert ("planned", "the stage observes") == close(bench, identity)
    assert [] == bench.written()


def test_a_plan_that_was_not_finished_has_failed(bench: Bench) -> None:
    """A plan pass that broke off is no plan."""
    identity = bench.admit(setting(), phase="plan", mode="observe")

    assert ("failed", "the plan was not finished") == close(bench, identity)


@pytest.mark.parametrize(
    ("decision", "status"), [({"decision": "denied"}, "denied"), ({}, "expired")]
)
def test_denied_and_expired(bench: Bench, decision: dict[str, Any], status: str) -> None:
    """What a person refused, or nobody decided, was not done."""
    identity = bench.admit(setting(), phase="wait", mode="approve", decision=decision)

    assert status == close(bench, identity)[0]
    assert (status == "expired") == bool(told(bench))


@pytest.mark.parametrize("whole", [True, False])
def test_denied_after_something_was_applied_is_partly_contained(bench: Bench, whole: bool) -> None:
    """What was applied before the rest was denied stands, cut off or not; the status says so."""
    identity = bench.admit(setting(), setting("b"))
    if whole:
        bench.step(identity)
    else:
        cut_off(bench, identity, Fault(0, about=wrote))
    lifecycle.move(
        bench.desk,
        identity,
        "asked",
        lambda h: replace(h, phase="wait", decision={"decision": "denied"}),
        {},
    )

    assert ("partly_contained", "applied: step; the rest: denied") == close(bench, identity)
    assert "shut" == bench.get("a")


# --- closing --------------------------------------------------------------------------------------


def test_closing_twice_changes_nothing(bench: Bench) -> None:
    """A closed remediation answers its status, and nothing else happens."""
    identity = bench.admit(setting())
    failing(bench, identity)
    status = close(bench, identity)
    kinds, calls = bench.kinds(identity), len(bench.cloud.calls)

    assert status == close(bench, identity)
    assert kinds == bench.kinds(identity)
    assert [] == told(bench, calls)


def test_a_topic_that_is_down_does_not_hold_up_closing(bench: Bench) -> None:
    """Nobody can be told: the remediation is closed all the same."""
    identity = bench.admit(setting())
    failing(bench, identity)

    def down(call: CallInfo) -> None:
        if call.service == "sns":
            raise EndpointConnectionError(endpoint_url="https://sns")

    with bench.injecting(down):
        assert "failed" == close(bench, identity)[0]


def test_two_who_close_at_once(bench: Bench) -> None:
    """The second is busy, and then finds it closed."""
    identity = bench.admit(setting())
    bench.step(identity)
    tried = False

    def beside(call: CallInfo) -> None:
        nonlocal tried
        if call.operation == "Query" and not tried:
            tried = True
            with pytest.raises(Busy, match="under way"):
                bench.ask(identity, "close")

    with bench.injecting(beside):
        close(bench, identity)
    assert tried
    assert 1 == bench.kinds(identity).count("closed")


def test_what_moves_on_while_it_is_closed_is_looked_at_again(bench: Bench) -> None:
    """Approved in the moment it expires, a remediation is not closed by what it was."""
    identity = bench.admit(setting(), phase="wait", mode="approve")
    moved = False

    def approve(call: CallInfo) -> None:
        nonlocal moved
        if call.operation == "Publish" and not moved:
            moved = True
            lifecycle.move(
                bench.desk, identity, "approved", lambda h: replace(h, phase="apply"), {}
            )

    with bench.injecting(approve), pytest.raises(Busy, match="moved on"):
        bench.ask(identity, "close")
    assert "open" == bench.head(identity).status


def test_a_long_reason_is_cut(bench: Bench) -> None:
    """Hundreds of failed items do not make a head that no item holds."""
    names = [f"a{'b' * n}" for n in range(39)] + ["NO" * 3_000] * 100
    finding = replace(FINDING, resource=Resource("instance", "i", attributes={"n": names}))
    step = {
        "action": "fail",
        "with": {"want": "$.item"},
        "for_each": "$.finding.resource.attributes.n",
        "on_error": "continue",
    }

    def fail(aws: Any, want: Any) -> Effects:
        """Fail at length."""
        yield from ()
        raise Failed(str(want) * 20)

    register(fail, {"want": {"description": "anything"}})
    identity = bench.admit(step, finding=finding)
    for n in range(30, 60):
        bench.step(identity, index=n)

    status, reason = close(bench, identity)

    assert "failed" == status
    assert len(reason) <= 10_000


@pytest.mark.parametrize(
    ("status", "by", "state"),
    [
        ("contained", "", gates.SHUT),
        ("failed", "", gates.AJAR),
        ("rolled_back", "a person", gates.RELEASED),
        ("rolled_back", "", gates.AJAR),
    ],
)
def test_closing_tells_the_gate(bench: Bench, status: str, by: str, state: str) -> None:
    """Contained, the gate is shut; failed it is ajar; taken back by a person it is released."""
    identity = bench.admit(setting())
    gate = gates.Gate(bench.head(identity).gate, gates.OPEN, identity, 1)
    lifecycle.move(
        bench.desk, identity, "x", lambda h: replace(h, why="x"), {}, lambda _: [gates.put(gate)]
    )
    if status == "failed":
        failing(bench, identity)
    else:
        bench.step(identity)
    if status == "rolled_back":
        told = {"by": by, "asked": True} if by else {}
        lifecycle.move(bench.desk, identity, "told", lambda h: replace(h, undo=told), {})
        bench.ask(identity, "undo")

    assert status == close(bench, identity)[0]

    after = gates.get(bench.desk.tables, gate.key)
    assert state == after.state
    if status == "contained":
        assert 3_590 < after.expires - bench.desk.clock.seconds() <= 3_600


def test_a_gate_that_another_went_through_since_is_left_alone(bench: Bench) -> None:
    """A late end does not open or shut what is no longer its own."""
    identity = bench.admit(setting())
    bench.step(identity)
    gate = gates.Gate(bench.head(identity).gate, gates.OPEN, "another", 2)
    lifecycle.move(
        bench.desk, identity, "x", lambda h: replace(h, why="x"), {}, lambda _: [gates.put(gate)]
    )

    close(bench, identity)

    assert ("another", gates.OPEN) == (
        gates.get(bench.desk.tables, gate.key).remediation,
        gates.get(bench.desk.tables, gate.key).state,
    )


# --- what was left half-way -----------------------------------------------------------------------


@pytest.mark.parametrize(("made", "state"), [(True, "done"), (False, "failed")])
def test_closing_settles_what_was_cut_off(bench: Bench, made: bool, state: str) -> None:
    """An open intent is recorded as made or not made, by what shows; nothing is called."""
    identity = bench.admit(setting())
    cut_off(bench, identity, Fault(0, about=wrote if made else commits("intent")))
    calls = len(bench.cloud.calls)

    assert ("failed", "step: interrupted") == close(bench, identity)

    (effect,) = bench.effects(identity)
    assert (state, made) == (effect.state, effect.verified)
    assert [] == bench.written(calls)
    hold = bench.hold("a")
    assert (hold is not None) == made
    assert not hold or hold.lock == ""
    assert ({"a": "restored"} if made else {}) == bench.undo(identity)
    assert bench.get("a") is None


def test_killed_anywhere_a_closed_remediation_tells_the_truth() -> None:
    """Wherever a step was killed, once it is closed no intent is open, and undo restores it all."""
    step = {"action": "several", "with": {"name": "it"}}
    for kill in itertools.count():
        with running() as bench:
            identity = bench.admit(WAY, step)
            fault = Fault(kill, about=changed)
            try:
                with bench.injecting(fault):
                    bench.step(identity)
                    bench.step(identity, "step-1")
                break
            except ProcessKilled:
                bench.later()

            status, _ = close(bench, identity)

            states = bench.states(identity)
            assert "intent" not in states.values(), fault.raised
            assert "open" != bench.get("a"), fault.raised
            done = {name.partition("#")[0] for name, state in states.items() if state == "done"}
            standing = {name for name in ("a", "it/a", "it/kept") if bench.get(name)}
            assert standing == {name for name in done if name.startswith(("a", "it/"))}, (
                fault.raised
            )
            assert status in ("failed", "contained")
            bench.undo(identity)
            assert {"it/kept", "it/told"} >= set(bench.everything())
            assert "closed" in bench.kinds(identity)
    assert kill > 12


def test_closing_is_itself_killed_and_retried() -> None:
    """Killed after any write of closing, a retry closes the same way."""
    for kill in itertools.count():
        with running() as bench:
            identity = bench.admit(WAY, setting("b"))
            cut_off(bench, identity, Fault(0, about=commits("outcome")))
            fault = Fault(
                kill,
                about=changed,
                watched=lambda: bench.foreseen(identity),  # noqa: B023
            )
            try:
                with bench.injecting(fault):
                    bench.ask(identity, "close")
                break
            except ProcessKilled:
                bench.later()

            status = close(bench, identity)
            assert ("failed", "step: interrupted; step-1: interrupted") == status
            assert bench.get("a") is None
            assert bench.hold("a") is None
            assert [] == fault.unforeseen
            assert 1 == bench.kinds(identity).count("closed")
    assert kill > 5


def test_closing_gives_what_was_cut_off_the_time_to_show(bench: Bench) -> None:
    """What took effect and does not show yet is not recorded as never made."""
    identity = bench.admit({"action": "set_late", "with": {"name": "a", "want": "shut"}})
    cut_off(bench, identity, Fault(0, about=wrote))
    LAG["a"] = [None] * 5

    close(bench, identity)

    assert {"a#0": "done"} == bench.states(identity)
    assert {"a": "restored"} == bench.undo(identity)


def test_closing_does_not_take_for_its_own_what_others_did(bench: Bench) -> None:
    """Neither as before nor as wanted: it is recorded unverified, and undo is a conflict."""
    bench.set("a", "before")
    identity = bench.admit(setting())
    cut_off(bench, identity, Fault(0, about=commits("intent")))
    bench.set("a", "theirs")

    close(bench, identity)

    (effect,) = bench.effects(identity)
    assert ("done", False, "theirs") == (effect.state, effect.verified, effect.after)
    assert {"a": "conflict"} == bench.undo(identity)
    assert "theirs" == bench.get("a")


def test_closing_lets_go_of_what_is_gone(bench: Bench) -> None:
    """An element that no longer exists is held by nobody."""
    identity = bench.admit(setting())
    cut_off(bench, identity, Fault(0, about=wrote))
    bench.set("a", GONE)

    close(bench, identity)

    assert {"a#0": "failed"} == bench.states(identity)
    assert bench.hold("a") is None


@pytest.mark.parametrize(("made", "state"), [(True, "done"), (False, "failed")])
def test_closing_settles_evidence_and_messages(bench: Bench, made: bool, state: str) -> None:
    """Evidence is there or is not; of a message it is said that it may have been sent."""

    def keep(aws: Any, name: str) -> Effects:
        """Make evidence."""
        yield Evidence(MADE.value(name=name), do=put(name, "copy"))
        return {}

    def tell(aws: Any, name: str) -> Effects:
        """Send a message."""
        yield Message("tell", do=put(name, "yes"))
        return {}

    register(keep, {"name": TEXT})
    register(tell, {"name": TEXT})
    identity = bench.admit(
        {"action": "keep", "with": {"name": "a"}}, {"action": "tell", "with": {"name": "b"}}
    )
    for step in ("step", "step-1"):
        cut_off(bench, identity, Fault(0, about=wrote if made else commits("intent")), step)

    close(bench, identity)

    assert {"a#0": state, "tell#0": "failed"} == bench.states(identity)
    assert "may have been sent" in bench.effects(identity)[1].result


def test_what_cannot_be_read_is_told(bench: Bench) -> None:
    """A state that AWS does not show stays open on record, and the status says so."""
    identity = bench.admit(setting(on_error="continue"))
    cut_off(bench, identity, Fault(0, about=wrote))

    def denied(call: CallInfo) -> None:
        if call.operation == "GetParameter":
            raise refused("AccessDeniedException")(call)

    with bench.injecting(denied):
        status, reason = close(bench, identity)

    assert "failed" == status
    assert "AccessDeniedException" in reason
    assert {"a#0": "intent"} == bench.states(identity)
    assert {"a": "restored"} == bench.undo(identity)


def test_a_passing_fault_is_waited_for_before_closing(bench: Bench) -> None:
    """What may be read in a moment is not closed over."""
    identity = bench.admit(setting())
    cut_off(bench, identity, Fault(0, about=wrote))
    throttled = Fault(0, refused("ThrottlingException"), about=lambda c: c.service == "ssm")

    with bench.injecting(throttled), pytest.raises(Transient):
        bench.ask(identity, "close")

    assert "open" == bench.head(identity).status
    close(bench, identity)
    assert {"a#0": "done"} == bench.states(identity)


def test_a_read_refused_after_the_call_is_settled_at_the_end(bench: Bench) -> None:
    """A step that failed with its call made and not seen has its change on record when closed."""
    identity = bench.admit(setting(on_error="continue"))
    seen = []

    def denied(call: CallInfo) -> None:
        if wrote(call):
            seen.append(call)
        if seen and call.operation == "GetParameter":
            raise refused("AccessDeniedException")(call)

    with bench.injecting(denied):
        assert "failed" == bench.step(identity)
    assert {"a#0": "intent"} == bench.states(identity)

    close(bench, identity)

    assert {"a#0": "done"} == bench.states(identity)
    assert {"a": "restored"} == bench.undo(identity)


def test_a_waypoint_does_not_outlive_its_remediation(bench: Bench) -> None:
    """Cut off between waypoint and end, the element is taken back at the end."""
    bench.set("a", "before")
    identity = bench.admit(WAY)
    cut_off(bench, identity, Fault(0, about=commits("outcome")))
    assert "open" == bench.get("a")

    assert "failed" == close(bench, identity)[0]

    assert "before" == bench.get("a")
    assert {"a#0": "undone"} == bench.states(identity)
    assert bench.hold("a") is None


def test_a_waypoint_whose_end_was_made_stays_with_it(bench: Bench) -> None:
    """Cut off after the end's call, the end stands: it is what was wanted."""
    identity = bench.admit(WAY)
    cut_off(bench, identity, Fault(1, about=wrote))

    close(bench, identity)

    assert "shut" == bench.get("a")
    assert {"a#0": "done", "a#1": "done"} == bench.states(identity)
    assert {"a": "restored"} == bench.undo(identity)


def test_a_waypoint_whose_end_was_not_made_goes(bench: Bench) -> None:
    """Cut off before the end's call, both are over and the element is as before."""
    bench.set("a", "before")
    identity = bench.admit(WAY)
    cut_off(bench, identity, Fault(1, about=commits("intent")))

    close(bench, identity)

    assert "before" == bench.get("a")
    assert {"a#0": "undone", "a#1": "failed"} == bench.states(identity)
    assert bench.hold("a") is None


def test_a_waypoint_that_cannot_go_is_told_and_does_not_hold_up_closing(bench: Bench) -> None:
    """The status says what still stands half-way."""
    identity = bench.admit(WAY)
    cut_off(bench, identity, Fault(0, about=commits("outcome")))

    with bench.injecting(_denying()):
        status, reason = close(bench, identity)

    assert "failed" == status
    assert "is left half-way" in reason
    assert "open" == bench.get("a")


def _denying() -> Any:
    def denied(call: CallInfo) -> None:
        if writes(call) and call.phase == "before":
            raise refused("AccessDeniedException")(call)

    return denied


def test_nothing_is_closed_under_a_worker_that_lives(bench: Bench) -> None:
    """An execution that was stopped has a worker that goes on: its end is waited for."""
    identity = bench.admit(setting(), setting("b"))
    closing = False

    def stop(call: CallInfo) -> None:
        nonlocal closing
        if wrote(call) and not closing:
            closing = True
            with pytest.raises(Busy, match="still at work"):
                bench.ask(identity, "close")

    with bench.injecting(stop):
        assert "done" == bench.step(identity)

    assert closing
    assert ("failed", "step-1: interrupted") == close(bench, identity)
    assert {"a#0": "done"} == bench.states(identity)


def test_a_late_worker_writes_nothing_once_it_is_closed(bench: Bench) -> None:
    """A worker that wakes after all is over is fenced."""
    identity = bench.admit(setting())

    def end(call: CallInfo) -> None:
        if call.operation == "GetParameter" and bench.head(identity).phase == "apply":
            bench.cloud.inject = None
            bench.later()
            close(bench, identity)

    with bench.injecting(end), pytest.raises(Transient):
        bench.step(identity)
    assert [] == bench.written()
    assert [] == bench.effects(identity)


# --- taking back ----------------------------------------------------------------------------------


def machine_of(bench: Bench) -> None:
    """Make a state machine for the bench's playbook, which does nothing."""
    settings = bench.desk.settings
    bench.cloud.create_state_machine(
        settings.state_machine_arn("test").rpartition(":")[2],
        {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}},
    )


def test_a_person_starts_the_undo_pass_of_what_is_closed(bench: Bench) -> None:
    """Its execution is named for the remediation and the number of the roll-back."""
    machine_of(bench)
    identity = bench.apply("set_value", name="a", want="shut")
    close(bench, identity)

    arns = []
    for _ in range(2):
        arns.append(lifecycle.start_undo(bench.desk, identity, {"by": "somebody"}))
        bench.cloud.wait(arns[-1])

    assert [f"{identity}-undo-{n}" for n in (1, 2)] == [arn.rpartition(":")[2] for arn in arns]
    assert ("undo", 2) == (bench.head(identity).phase, bench.head(identity).undo["number"])
    assert {"principal": "somebody"} == bench.desk.tables.records(identity)[-1].who
    assert identity in [item.sk for item in listing.entries(bench.desk.tables, listing.OPEN)]


@pytest.mark.parametrize(
    ("phase", "said"),
    [("plan", "is being planned"), ("wait", "deny it instead"), ("apply", "is running")],
)
def test_what_is_not_closed_is_not_taken_back(bench: Bench, phase: str, said: str) -> None:
    """What is under way is closed first, and the line says how; nothing is changed."""
    identity = bench.admit(setting(), phase=phase)

    with pytest.raises(Failed, match=said):
        lifecycle.start_undo(bench.desk, identity, {})
    assert ["admitted"] == bench.kinds(identity)


def test_rolled_back(bench: Bench) -> None:
    """All that could be was taken back, and the records say it."""
    identity = bench.apply("set_value", name="a", want="shut")
    bench.undo(identity)

    assert ("rolled_back", "taken back") == close(bench, identity)


@pytest.mark.parametrize("result", ["conflict", "failed", "not reached"])
def test_partly_rolled_back(bench: Bench, result: str) -> None:
    """What still stands is named, whether it was tried or never reached."""
    identity = bench.admit(setting(), setting("b"))
    bench.step(identity)
    bench.step(identity, "step-1")
    lifecycle.move(bench.desk, identity, "undo", lambda h: replace(h, phase="undo"), {})
    if result == "conflict":
        bench.set("a", "theirs")
        bench.undo(identity)
    if result == "failed":
        with bench.injecting(Fault(2, refused("AccessDeniedException"), about=writes)):
            bench.undo(identity)

    status, reason = close(bench, identity)

    assert "partly_rolled_back" == status
    assert f"{key_of('a')}: {result}" in reason
    assert (result == "not reached") == (key_of("b") in reason)
    assert 1 == len(told(bench))


def test_what_was_kept_on_purpose_is_no_failure(bench: Bench) -> None:
    """What a person kept is not called left over; steps not asked about are, and are named."""
    identity = bench.admit(setting(), setting("b"), setting("c"))
    for step in ("step", "step-1", "step-2"):
        bench.step(identity, step)
    bench.undo(identity, keep=[key_of("a")])
    assert "rolled_back" == close(bench, identity)[0]

    other = bench.admit(setting("d"), setting("e"))
    bench.step(other)
    bench.step(other, "step-1")
    bench.undo(other, step="step-1")
    assert ("partly_rolled_back", "not asked for, in place: step") == close(bench, other)[:2]


def test_what_cannot_be_taken_back_is_no_failure(bench: Bench) -> None:
    """A final change was accepted by name when the playbook was written."""

    def for_good(aws: Any, name: str, want: Any) -> Effects:
        """Set a parameter for good."""
        yield Change(MADE.value(name=name), want=want, do=put(name, want), final="why")
        return {}

    register(for_good)
    identity = bench.apply("for_good", name="a", want="shut")
    bench.undo(identity)

    assert "rolled_back" == close(bench, identity)[0]


def test_a_second_roll_back_takes_what_the_first_left(bench: Bench) -> None:
    """Closed after a conflict, a remediation can be taken back again, by force."""
    machine_of(bench)
    identity = bench.apply("set_value", name="a", want="shut")
    bench.set("a", "theirs")
    bench.undo(identity)
    assert "partly_rolled_back" == close(bench, identity)[0]

    lifecycle.start_undo(bench.desk, identity, {"force": [key_of("a")]})
    assert not bench.ask(identity, "undo")["more"]

    assert "rolled_back" == close(bench, identity)[0]
    assert bench.get("a") is None
    assert back("a", None).document() == bench.effects(identity)[0].undo


def test_many_results_fit_the_head(bench: Bench) -> None:
    """Of very many elements the head lists those a person must see; the effects tell of each."""
    from chalicelib.lifecycle.taking_back import ROWS

    identity = bench.apply("set_value", name="a", want="shut")
    (effect,) = bench.effects(identity)
    final = replace(effect, final="x" * 3_000, before="y" * 5_000)
    for n in range(ROWS + 50):
        other = replace(final, key=f"{effect.key}/{n}", seq=n)
        bench.desk.tables.put(store.effect_item(identity, other))

    bench.undo(identity)

    rows = bench.rows(identity)
    assert ROWS == len(rows)
    assert bench.get("a") is None
    assert {"characters": 5_002, "sha256": rows[0]["before"]["sha256"]} == rows[0]["before"]
