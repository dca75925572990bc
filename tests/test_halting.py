"""The kill switch: nothing more is changed from the next step on, and all that waits is woken."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib import audit, halting, lifecycle
from chalicelib.effect import Effects
from chalicelib.errors import Failed
from chalicelib.halting import Switch
from chalicelib.playbook import Playbook
from chalicelib.store import HALT, effects, listing
from chalicelib.table import Item
from firebreak.cloud import CallInfo, ProcessKilled
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.desk import changed_by, deliver_event, head_of, office
from tests.runner.bench import (
    ACCOUNT,
    TEXT,
    Fault,
    change,
    refused,
    register,
    throw_away,
    writes,
)
from tests.worlds import finding_event, playbook

EVENT = "guardduty/crypto_currency_ec2.json"
STEPS = ["keep", "standby", "isolate", "preserve", "block", "revoke", "tell"]


def setting(step: str, name: str = "", **more: Any) -> dict[str, Any]:
    """Return a step that sets a parameter of its own name."""
    return {
        "name": step,
        "action": "set_value",
        "with": {"name": name or step, "want": "shut"},
        **more,
    }


NAMES = ["i" + "x" * n for n in range(6)]
BESIDE = {"parallel": [setting("b"), setting("c", on_error="continue")]}


def name_others(aws: Any, name: str) -> Effects:
    """Set a parameter, and return names for others."""
    yield change(aws, name, "shut")
    return {"names": NAMES}


@contextmanager
def parameters(
    *steps: Mapping[str, Any], actions: Sequence[Callable[..., Effects]] = (), **parts: Any
) -> Iterator[Stage]:
    """Give a stage whose playbook has these steps; actions: those that it needs besides."""
    with throw_away():
        register(name_others, {"name": TEXT})
        for action in actions:
            register(action)
        made: Playbook = playbook("test", steps=list(steps), **parts)
        with office({"test": made}) as stage:
            stage.provide_machines(["test"])
            stage.admit_account(ACCOUNT)
            yield stage


def start(stage: Stage, hook: Callable[[CallInfo], None] | None = None) -> str:
    """Deliver a finding under a hook, until all that it starts has ended or waits."""
    stage.cloud.inject = hook
    (answer,) = stage.cloud.emit(finding_event())
    settle(stage)
    stage.cloud.inject = None
    return str(answer["decisions"][0]["remediation"])


def values(stage: Stage) -> dict[str, str]:
    """Return every parameter's value."""
    client = stage.cloud.session(ACCOUNT).client("ssm")
    names = [each["Name"] for each in client.describe_parameters()["Parameters"]]
    return {n: client.get_parameter(Name=n)["Parameter"]["Value"] for n in sorted(names)}


def recorded(call: CallInfo, kind: str, **what: Any) -> bool:
    """Say whether a call has just written a record of a kind that says this."""
    if call.operation != "TransactWriteItems" or call.phase != "after":
        return False
    record = json.loads(call.params["TransactItems"][-1]["Put"]["Item"]["record"]["S"])
    said = {name: record["what"].get(name) for name in what}
    return bool(record["kind"] == kind and said == what)


def once(about: Callable[[CallInfo], bool], then: Callable[[], object]) -> Any:
    """Return a hook that does something at the first such moment."""
    left = [then]

    def hook(call: CallInfo) -> None:
        if left and about(call):
            left.pop()()

    return hook


def halt(stage: Stage, reason: str = "a drill") -> Switch:
    """Turn the kill switch on."""
    return halting.halt(stage.desk, reason, "arn:somebody")[1]


def resume(stage: Stage) -> int:
    """Turn the kill switch off and wait for what goes on; return how many steps were woken."""
    woken = halting.resume(stage.desk, "arn:somebody")[1]
    settle(stage)
    return woken


def parked(stage: Stage) -> list[str]:
    """Return which steps wait, by name and index."""
    found = listing.entries(stage.desk.tables, listing.PARKED)
    return [f"{item.data['step']}#{item.data['index']}" for item in found]


def kinds(stage: Stage, chain: str) -> list[str]:
    """Return the kinds of a chain's records; the chain must hold."""
    records = stage.desk.tables.records(chain)
    assert audit.verify(records).valid
    return [record.kind for record in records]


# --- the switch -----------------------------------------------------------------------------------


def test_a_stage_is_not_halted_until_it_is() -> None:
    """Where nobody turned the switch it is off; turned, it says who, when and why."""
    with office({}) as stage:
        before = halting.state(stage.desk.tables)
        halt(stage)
        after = halting.state(stage.desk.tables)

        assert (False, True) == (before.halted, halting.is_halted(stage.desk))
        assert ("a drill", "arn:somebody", 1) == (after.reason, after.by, after.version)
        assert after.at.startswith("20")


def test_every_turn_of_the_switch_is_on_record() -> None:
    """The control chain says who turned it, why, and how it was before and after."""
    with office({}) as stage:
        halt(stage)
        halting.resume(stage.desk, "arn:another")
        records = stage.desk.tables.records("CONTROL")

        assert ["halted", "resumed"] == kinds(stage, "CONTROL")
        assert [{"principal": "arn:somebody"}, {"principal": "arn:another"}] == [
            record.who for record in records
        ]
        assert [(False, True), (True, False)] == [
            (record.what["before"]["halted"], record.what["after"]["halted"]) for record in records
        ]
        assert "a drill" == records[0].what["reason"]


def test_the_first_halt_is_the_one_that_counts() -> None:
    """Halted twice, reason and person stay the first's, and nothing is written."""
    with office({}) as stage:
        first = halt(stage)
        before, now = halting.halt(stage.desk, "another reason", "arn:another")

        assert first == before == now == halting.state(stage.desk.tables)
        assert ["halted"] == kinds(stage, "CONTROL")


def test_two_who_turn_the_switch_at_once() -> None:
    """The second finds it turned: one record, the first one's reason."""
    with office({}) as stage:
        reads = once(
            lambda call: call.operation == "BatchGetItem" and call.phase == "after",
            lambda: halt(stage, "the other's"),
        )
        stage.cloud.inject = reads
        before, now = halting.halt(stage.desk, "mine", "arn:me")

        assert ("the other's", True) == (now.reason, before.halted)
        assert ["halted"] == kinds(stage, "CONTROL")


def test_there_is_nothing_to_resume() -> None:
    """Where nothing is halted and nothing waits it is said, and nothing is written."""
    with office({}) as stage:
        with pytest.raises(Failed, match="nothing is halted"):
            halting.resume(stage.desk, "arn:somebody")
        assert [] == kinds_or_none(stage)


def kinds_or_none(stage: Stage) -> list[str]:
    """Return the kinds of the control chain's records, which may be none."""
    return [record.kind for record in stage.desk.tables.records("CONTROL")]


def test_a_long_reason_is_cut() -> None:
    """A reason of any length turns the switch."""
    with office({}) as stage:
        assert 1_000 == len(halt(stage, "x" * 500_000).reason)


# --- a remediation under way ----------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS[:3])
def test_halted_between_steps_nothing_more_is_called_until_resumed(step: str) -> None:
    """From the step after, not one call that changes anything is made; resumed, all is done."""
    with office() as stage:
        at: list[int] = []

        def turn() -> None:
            at.append(len(stage.cloud.calls))
            halt(stage)

        stage.cloud.inject = once(lambda call: recorded(call, "step_ended", step=step), turn)
        identity = deliver_event(stage, EVENT)
        stage.cloud.inject = None

        assert "apply" == head_of(stage, identity).phase
        assert [] == changed_by(stage, at[0])
        assert set(STEPS[: STEPS.index(step) + 1]) == _ended(stage, identity)
        assert [] != parked(stage)
        assert len(parked(stage)) == resume(stage)
        assert "contained" == head_of(stage, identity).status
        assert set(STEPS) == _ended(stage, identity)
        assert [] == parked(stage)


def _ended(stage: Stage, identity: str) -> set[str]:
    records = stage.desk.tables.records(identity)
    return {record.what["step"] for record in records if record.kind == "step_ended"}


def test_halted_before_the_first_step_nothing_is_called() -> None:
    """Halted in the moment it is admitted, a remediation waits before its first step."""
    with parameters(setting("a"), setting("b")) as stage:
        identity = start(stage, once(lambda call: recorded(call, "admitted"), lambda: halt(stage)))

        assert ["a#0"] == parked(stage)
        assert ({}, []) == (values(stage), effects(stage.desk.tables, identity))
        assert 1 == resume(stage)
        assert {"a": "shut", "b": "shut"} == values(stage)


def halting_after(stage: Stage, step: str) -> Any:
    """Return a hook that turns the switch on once a step has ended."""
    return once(lambda call: recorded(call, "step_ended", step=step), lambda: halt(stage))


def test_steps_side_by_side_all_wait_and_are_all_woken() -> None:
    """Each branch parks for itself; one resume wakes them all."""
    beside = {"parallel": [setting("b"), setting("c"), setting("d")]}
    with parameters(setting("a"), beside, setting("e")) as stage:
        identity = start(stage, halting_after(stage, "a"))

        assert ["b#0", "c#0", "d#0"] == parked(stage)
        assert {"a": "shut"} == values(stage)
        assert 3 == resume(stage)
        assert dict.fromkeys("abcde", "shut") == values(stage)
        assert "contained" == head_of(stage, identity).status


def test_items_wait_each_for_itself() -> None:
    """Of many items those that run side by side wait; resumed, every one is done."""
    first = {"name": "a", "action": "name_others", "with": {"name": "a"}}
    each = {
        "name": "each",
        "action": "set_value",
        "with": {"name": "$.item", "want": "shut"},
        "for_each": "$.steps.a.names",
    }
    with parameters(first, each) as stage:
        identity = start(stage, halting_after(stage, "a"))

        assert [f"each#{n}" for n in range(4)] == parked(stage)
        assert {"a": "shut"} == values(stage)
        assert 4 == resume(stage)
        assert dict.fromkeys(["a", *NAMES], "shut") == values(stage)
        assert ("contained", []) == (head_of(stage, identity).status, parked(stage))


# --- what waits -----------------------------------------------------------------------------------


def test_a_step_that_looks_again_replaces_its_own_entry() -> None:
    """After an hour a step looks; halted still, it waits with a new token, listed once."""
    with parameters(setting("a"), setting("b")) as stage:
        identity = start(stage, halting_after(stage, "a"))
        (first,) = listing.entries(stage.desk.tables, listing.PARKED)
        stage.cloud.expire_tasks()
        settle(stage)
        (second,) = listing.entries(stage.desk.tables, listing.PARKED)

        assert first.data["token"] != second.data["token"]
        assert ["parked", "parked"] == [k for k in kinds(stage, identity) if k == "parked"]
        assert 1 == resume(stage)
        assert "contained" == head_of(stage, identity).status


def halted_then(stage: Stage, nth: int, then: Callable[[], object]) -> Any:
    """Return a hook that halts once step a has ended, and acts at the n-th read of the switch."""
    armed: list[Switch] = []
    left = [nth]
    ended = once(
        lambda call: recorded(call, "step_ended", step="a"), lambda: armed.append(halt(stage))
    )

    def hook(call: CallInfo) -> None:
        ended(call)
        keys = str(call.params.get("RequestItems")) if call.operation == "BatchGetItem" else ""
        reads = HALT[1] in keys and call.function == "run_step" and call.phase == "after"
        if reads and armed and left[0]:
            left[0] -= 1
            if not left[0]:
                then()

    return hook


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_the_switch_is_turned_while_a_step_parks(nth: int, again: bool) -> None:
    """Turned off, or off and on, after the step's look or the wait's: no wait is left behind."""
    with parameters(setting("a"), setting("b")) as stage:

        def turn() -> None:
            halting.resume(stage.desk, "arn:me")
            if again:
                halt(stage, "again")

        identity = start(stage, halted_then(stage, nth, turn))

        assert ["halted", "resumed", "halted"][: 3 if again else 2] == kinds(stage, "CONTROL")
        assert (["b#0"] if again else []) == parked(stage)
        assert {"a": "shut"} | ({} if again else {"b": "shut"}) == values(stage)
        if again:
            assert 1 == resume(stage)
        assert "contained" == head_of(stage, identity).status


def test_halted_while_a_step_is_tried_again_it_waits() -> None:
    """A step that meets a fault looks at the switch before its next try."""
    with parameters(setting("a")) as stage:
        fault = Fault(0, refused("ThrottlingException"), about=writes)

        def hook(call: CallInfo) -> None:
            if writes(call) and call.phase == "before" and not fault.raised:
                halt(stage)
            fault(call)

        identity = start(stage, hook)

        assert ["a#0"] == parked(stage)
        assert {} == values(stage)
        assert 1 == resume(stage)
        assert "contained" == head_of(stage, identity).status


def test_a_resume_that_is_killed_is_finished_by_the_next() -> None:
    """Killed after any of its calls, resume run again leaves nobody waiting, and nobody twice."""
    beside = {"parallel": [setting("b"), setting("c")]}
    for kill in range(30):
        with parameters(setting("a"), beside) as stage:
            identity = start(stage, halting_after(stage, "a"))
            fault = Fault(kill, about=lambda call: not call.function and call.phase == "after")
            stage.cloud.inject = fault
            try:
                halting.resume(stage.desk, "arn:me")
            except ProcessKilled:
                stage.cloud.inject = None
                waits = bool(listing.entries(stage.desk.tables, listing.PARKED))
                if waits or halting.is_halted(stage.desk):
                    resume(stage)
            stage.cloud.inject = None
            settle(stage)

            assert ("contained", []) == (head_of(stage, identity).status, parked(stage))
            assert dict.fromkeys("abc", "shut") == values(stage)
            assert ["halted", "resumed"] == kinds(stage, "CONTROL")
        if not fault.raised:
            break
    assert kill > 6


def test_a_step_that_nobody_woke_looks_by_itself() -> None:
    """Killed before it woke anybody, a resume is made good within the hour; the entry goes then."""
    with parameters(setting("a"), setting("b")) as stage:
        identity = start(stage, halting_after(stage, "a"))
        stage.cloud.inject = Fault(0, about=lambda call: recorded(call, "resumed"))
        with pytest.raises(ProcessKilled):
            halting.resume(stage.desk, "arn:me")
        stage.cloud.inject = None
        stage.cloud.expire_tasks()
        settle(stage)

        assert "contained" == head_of(stage, identity).status
        assert ["b#0"] == parked(stage)
        assert 0 == halting.wake(stage.desk)
        assert [] == parked(stage)


def test_what_waits_though_nothing_is_halted_is_woken() -> None:
    """Whoever looks after a stage finishes a resume that died; halted, it leaves all waiting."""
    with parameters(setting("a"), setting("b")) as stage:
        identity = start(stage, halting_after(stage, "a"))
        assert 0 == halting.wake(stage.desk)
        assert ["b#0"] == parked(stage)

        switch = halting.state(stage.desk.tables)
        off = {"halted": False, "reason": "", "by": "", "at": ""}
        stage.desk.tables.put(Item(*HALT, off, version=switch.version + 1))
        assert 1 == halting.wake(stage.desk)
        settle(stage)

        assert "contained" == head_of(stage, identity).status
        (woken,) = [r for r in stage.desk.tables.records(identity) if r.kind == "woken"]
        assert {"function": "reconcile"} == woken.who
        assert {"step": "b", "index": 0} == woken.what


def test_who_has_no_time_left_wakes_no_more_and_the_next_goes_on() -> None:
    """Of many that wait each run wakes what it has time for; none is lost."""
    with parameters({"parallel": [setting("b"), setting("c"), setting("d")]}) as stage:
        hook = once(lambda call: recorded(call, "admitted"), lambda: halt(stage))
        identity = start(stage, hook)
        halting._turned(stage.desk, "arn:me", halted=False, reason="")
        looks = iter([False, False, True])

        assert 2 == halting.wake(stage.desk, over=lambda: next(looks))
        assert 1 == len(parked(stage))
        assert 1 == halting.wake(stage.desk)
        settle(stage)
        assert "contained" == head_of(stage, identity).status


def test_steps_that_begin_to_wait_do_not_contend_for_the_switch() -> None:
    """Who waits checks its own remediation alone: the switch is one item that all of them share."""
    with parameters(setting("a"), setting("b")) as stage:
        checked: list[str] = []
        halted = halting_after(stage, "a")

        def look(call: CallInfo) -> None:
            halted(call)
            if recorded(call, "parked"):
                items = call.params["TransactItems"]
                checks = [each["ConditionCheck"] for each in items if "ConditionCheck" in each]
                checked.extend(each["Key"]["pk"]["S"] for each in checks)

        identity = start(stage, look)

        assert ["b#0"] == parked(stage)
        assert [f"REMEDIATION#{identity}"] == checked


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_dead_token_is_dropped(code: str) -> None:
    """A wait that is over takes nobody's time, whatever Step Functions calls it."""
    with parameters(setting("a"), setting("b")) as stage:
        start(stage, halting_after(stage, "a"))
        answers = Fault(0, refused(code), about=lambda call: call.operation == "SendTaskSuccess")
        stage.cloud.inject = answers

        assert 0 == halting.resume(stage.desk, "arn:me")[1]
        assert answers.raised
        assert [] == parked(stage)


def test_another_fault_while_waking_loses_nobody() -> None:
    """What Step Functions does not say to be dead stays listed, for resume to be run again."""
    with parameters(setting("a"), setting("b")) as stage:
        identity = start(stage, halting_after(stage, "a"))
        about = lambda call: call.operation == "SendTaskSuccess"  # noqa: E731
        stage.cloud.inject = Fault(0, refused("AccessDeniedException"), about=about)
        with pytest.raises(ClientError):
            halting.resume(stage.desk, "arn:me")
        stage.cloud.inject = None

        assert ["b#0"] == parked(stage)
        assert 1 == resume(stage)
        assert "contained" == head_of(stage, identity).status


def test_an_entry_that_waits_anew_is_not_dropped() -> None:
    """A step that parked again while its old token was answered keeps its new entry."""
    with parameters(setting("a"), setting("b")) as stage:
        identity = start(stage, halting_after(stage, "a"))

        def wait_anew() -> None:
            stage.cloud.inject = None
            halt(stage, "again")
            stage.cloud.expire_tasks()
            settle(stage)

        stage.cloud.inject = once(
            lambda call: call.operation == "SendTaskSuccess" and call.phase == "before", wait_anew
        )
        assert 0 == halting.resume(stage.desk, "arn:me")[1]

        assert ["b#0"] == parked(stage)
        assert 1 == resume(stage)
        assert "contained" == head_of(stage, identity).status


# --- taking back under the switch -----------------------------------------------------------------

ROLL_BACK = {"on_failure": "roll_back", "on_failure_reason": "a test"}


def test_an_automatic_roll_back_waits_under_the_switch() -> None:
    """`on_failure: roll_back` is no person's: halted it waits, and goes on when resumed."""
    steps = [
        setting("a"),
        {"name": "b", "action": "no_such_action", "with": {}, "on_error": "stop"},
    ]
    with parameters(*steps, **ROLL_BACK) as stage:
        identity = start(
            stage, once(lambda call: recorded(call, "undo_begun"), lambda: halt(stage))
        )

        assert (["#0"], "undo") == (parked(stage), head_of(stage, identity).phase)
        assert {"a": "shut"} == values(stage)
        assert 1 == resume(stage)
        assert ({}, "rolled_back") == (values(stage), head_of(stage, identity).status)


def test_halted_between_two_elements_an_automatic_roll_back_stops() -> None:
    """What nobody asked for takes back no further element once the switch is on."""
    with parameters(setting("a"), setting("b"), setting("c")) as stage:
        identity = start(stage)
        told = {"by": "expiry", "unattended": True}
        first = once(lambda call: recorded(call, "undo_outcome"), lambda: halt(stage))
        stage.cloud.inject = first
        lifecycle.start_undo(stage.desk, identity, told)
        settle(stage)
        stage.cloud.inject = None

        assert {"a": "shut", "b": "shut"} == values(stage)
        assert ["#0"] == parked(stage)
        resume(stage)
        assert ({}, "rolled_back") == (values(stage), head_of(stage, identity).status)


def test_a_person_takes_over_a_roll_back_that_waits() -> None:
    """What nobody asked for waits under the switch, until a person asks for it."""
    with parameters(setting("a")) as stage:
        identity = start(stage)
        halt(stage)
        lifecycle.start_undo(stage.desk, identity, {"by": "expiry", "unattended": True})
        settle(stage)
        assert ({"a": "shut"}, ["#0"]) == (values(stage), parked(stage))

        lifecycle.start_undo(stage.desk, identity, {"by": "arn:somebody"})
        settle(stage)

        assert ({}, []) == (values(stage), parked(stage))
        assert "rolled_back" == head_of(stage, identity).status
        assert halting.is_halted(stage.desk)
