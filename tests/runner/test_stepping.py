"""One step: its lease and fence, its parameters and items, its result, the kill switch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib import lifecycle, store
from chalicelib.effect import Effects
from chalicelib.errors import (
    Busy,
    Corrupt,
    Failed,
    Fenced,
    Halted,
    PlanChanged,
    StepFailed,
    Transient,
)
from chalicelib.finding import Resource
from chalicelib.runner import resolving
from firebreak.cloud import CallInfo, ProcessKilled
from tests.runner.bench import (
    FINDING,
    TEXT,
    Bench,
    Fault,
    change,
    commits,
    refused,
    register,
    writes,
)


def setting(name: str = "a", **more: Any) -> dict[str, Any]:
    """Return a step that sets a parameter."""
    return {"action": "set_value", "with": {"name": name, "want": "shut"}, **more}


def once(about: Callable[[CallInfo], bool], then: Callable[[], object]) -> Any:
    """Return a hook that does something at the first such moment."""
    waiting = True

    def hook(call: CallInfo) -> None:
        nonlocal waiting
        if waiting and about(call):
            waiting = False
            then()

    return hook


# --- lease and fence ------------------------------------------------------------------------------


def test_a_second_worker_is_busy_while_the_first_holds_the_lease(bench: Bench) -> None:
    """Two workers of one step: the second is told to come again, and changes nothing."""
    identity = bench.admit(setting())

    def second() -> None:
        with pytest.raises(Busy):
            bench.step(identity)

    with bench.injecting(once(commits("intent"), second)):
        assert "done" == bench.step(identity)

    assert ["PutParameter a shut"] == bench.written()
    assert ["admitted", "intent", "outcome", "step_ended"] == bench.kinds(identity)


def test_a_late_worker_can_write_no_intent_and_so_makes_no_call(bench: Bench) -> None:
    """Overtaken after its lease ran out, a worker is fenced before it acts."""
    identity = bench.admit(setting())

    def overtake() -> None:
        bench.later()
        assert "done" == bench.step(identity)

    with (
        bench.injecting(once(lambda call: call.operation == "GetParameter", overtake)),
        pytest.raises(Fenced),
    ):
        bench.step(identity)

    assert ["PutParameter a shut"] == bench.written()
    assert "done" == bench.step(identity)
    assert ["admitted", "intent", "outcome", "step_ended"] == bench.kinds(identity)


def test_a_late_worker_does_not_record_an_outcome(bench: Bench) -> None:
    """Overtaken between call and outcome, a worker's record is not written over the other's."""
    identity = bench.admit(setting())

    def overtake() -> None:
        bench.later()
        bench.step(identity)

    with bench.injecting(once(_written, overtake)), pytest.raises(Fenced):
        bench.step(identity)

    assert ["PutParameter a shut"] == bench.written()
    assert {"a#0": "done"} == bench.states(identity)
    assert 1 == bench.kinds(identity).count("step_ended")


def _written(call: CallInfo) -> bool:
    return call.phase == "after" and writes(call)


@pytest.mark.parametrize("phase", ["undo", "closed", "plan"])
def test_a_remediation_that_moved_on_fences_its_steps(bench: Bench, phase: str) -> None:
    """A step of a phase that is over makes no call, and what it tries next says so."""
    identity = bench.admit(setting())

    def move_on() -> None:
        lifecycle.move(bench.desk, identity, "moved", lambda h: replace(h, phase=phase), {})

    look = once(lambda call: call.operation == "GetParameter", move_on)
    with bench.injecting(look), pytest.raises(Fenced):
        bench.step(identity)

    assert [] == bench.written()
    assert [] == bench.effects(identity)
    with pytest.raises(PlanChanged if phase == "plan" else Failed):
        bench.step(identity)


def test_a_lease_is_let_go_of_when_a_step_is_to_be_tried_again(bench: Bench) -> None:
    """A passing fault does not make the next attempt wait for the lease to run out."""
    identity = bench.admit(setting())
    throttled = Fault(0, refused("ThrottlingException"), about=lambda c: c.service == "ssm")

    with bench.injecting(throttled), pytest.raises(Transient):
        bench.step(identity)

    assert "done" == bench.step(identity)


def test_a_lease_that_cannot_be_let_go_of_hides_no_error(bench: Bench) -> None:
    """The error that ended a step is raised, not that of letting go of its lease."""
    identity = bench.admit(setting())

    def fail(call: CallInfo) -> None:
        if call.service == "ssm":
            raise refused("ThrottlingException")(call)
        if call.operation == "PutItem" and call.params["Item"]["owner"]["S"] == "-":
            raise refused("InternalServerError", 500)(call)

    with bench.injecting(fail), pytest.raises(Transient, match="ThrottlingException"):
        bench.step(identity)


def test_a_result_is_final(bench: Bench) -> None:
    """A step whose result is on record is not run again, whatever state shows by then."""
    identity = bench.admit(setting())
    bench.step(identity)
    bench.set("a", "theirs")

    assert "done" == bench.step(identity)
    assert "theirs" == bench.get("a")
    assert 1 == bench.kinds(identity).count("step_ended")


def test_a_failed_step_stops_the_playbook_each_time_it_is_asked(bench: Bench) -> None:
    """StepFailed is raised for a retry of a request whose answer was lost, too."""
    identity = bench.admit({**setting(), "with": {"name": "a", "want": None}})
    bench.desk.tables.put(
        replace(
            store.result_item(identity, "apply", store.StepResult("step", 0, "x", "failed", "why")),
            phase="ended",
        )
    )

    for _ in range(2):
        with pytest.raises(StepFailed, match="step: why"):
            bench.ask(identity, "step", step="step", **{"pass": "apply"})


def test_a_failed_step_that_is_passed_over_says_so(bench: Bench) -> None:
    """With on_error continue, a failure is a status."""
    identity = bench.admit(setting(on_error="continue"))

    with bench.injecting(Fault(0, refused("AccessDeniedException"), about=writes)):
        assert "failed" == bench.step(identity)


@pytest.mark.parametrize("step", ["nowhere", "", "step#0"])
def test_a_step_that_the_playbook_does_not_have_is_refused(bench: Bench, step: str) -> None:
    """A request for a step of another playbook ends by name."""
    identity = bench.admit(setting())

    with pytest.raises(Failed, match="has no step"):
        bench.step(identity, step)


def test_an_action_of_another_version_is_a_failed_step(bench: Bench) -> None:
    """A playbook begun with an action that is no more fails at that step, on record."""
    identity = bench.admit({"action": "set_no_more", "with": {"name": "a"}})

    assert "stopped" == bench.step(identity)
    assert "not known to this version" in bench.result(identity).reason


def test_facts_too_large_to_be_recorded_fail_the_step(bench: Bench) -> None:
    """A result that no item holds is a failed step with a reason; its changes are on record."""

    def report_much(aws: Any, name: str) -> Effects:
        """Change something, and report more than an item holds."""
        yield change(aws, name, "shut")
        return {"all": ["x" * 1_000] * 500}

    register(report_much, {"name": TEXT})
    identity = bench.apply("report_much", name="a")

    assert "failed" == bench.result(identity).status
    assert "too large to be recorded" in bench.result(identity).reason
    assert {"a": "restored"} == bench.undo(identity)


# --- parameters -----------------------------------------------------------------------------------


def reason_of(bench: Bench, step: dict[str, Any], **finding: Any) -> tuple[str, str]:
    """Run a step for a finding with other fields; return its status and reason, nothing called."""
    identity = bench.admit(step, finding=replace(FINDING, **finding))
    status = bench.step(identity)
    assert [] == bench.written()
    result = bench.result(identity)
    return status, result.reason


def test_a_required_value_that_is_missing_is_not_applicable(bench: Bench) -> None:
    """A path that leads nowhere is no error of the machine."""
    step = {
        "action": "set_value",
        "with": {"name": "$.finding.resource.attributes.role_name", "want": "shut"},
    }

    status, reason = reason_of(bench, step)

    assert "not_applicable" == status
    assert "name has no value: $.finding.resource.attributes.role_name" in reason


@pytest.mark.parametrize(
    "hostile",
    ["../a", "a b", "a\n", "A", "a" * 41, "", "*", "a;rm", "${x}", 7, ["a"], {"a": "a"}, "\ue000a"],
)
def test_a_value_that_cannot_be_right_is_not_applicable(bench: Bench, hostile: Any) -> None:
    """What an attacker wrote into a finding is held against the schema before any call."""
    resource = Resource("instance", "i", attributes={"name": hostile})
    step = {
        "action": "set_value",
        "with": {"name": "$.finding.resource.attributes.name", "want": "shut"},
    }

    status, reason = reason_of(bench, step, resource=resource)

    assert "not_applicable" == status
    assert "name: " in reason
    assert len(reason) < 300


def test_a_missing_value_with_a_default_is_the_default(bench: Bench) -> None:
    """What need not be given is not missed."""

    def default(aws: Any, name: str, want: Any) -> Effects:
        """Set a parameter to a default."""
        yield change(aws, name, want)
        return {}

    register(default, {"name": TEXT, "want": {"default": "usual"}})
    identity = bench.admit(
        {"action": "default", "with": {"name": "a", "want": "$.finding.resource.attributes.no"}}
    )

    assert "done" == bench.step(identity)
    assert "usual" == bench.get("a")


def test_a_step_whose_when_does_not_hold_is_skipped(bench: Bench) -> None:
    """`when` is an event pattern over the finding."""
    held = bench.admit(setting(when={"finding": {"severity": [{"numeric": [">=", 7]}]}}))
    not_held = bench.admit(setting("b", when={"finding": {"severity": [{"numeric": ["<", 7]}]}}))

    assert ["done", "skipped"] == [bench.step(held), bench.step(not_held)]
    assert ["PutParameter a shut"] == bench.written()
    assert "its `when` does not hold" == bench.result(not_held).reason


def test_facts_of_earlier_steps_are_given_and_looked_at(bench: Bench) -> None:
    """A later step's parameters and `when`, within `$or` too, see what an earlier one reported."""
    shown = {"steps": {"step": {"shown": ["shut"]}}}
    identity = bench.admit(
        setting(),
        {"action": "set_value", "with": {"name": "$.steps.step.shown", "want": "x"}},
        setting("b", when={"$or": [shown, {"finding": {"severity": [0]}}]}),
        setting("c", when={"steps": {"step": {"shown": ["open"]}}}),
    )

    statuses = [bench.step(identity, f"step{n}") for n in ("", "-1", "-2", "-3")]

    assert ["done", "done", "done", "skipped"] == statuses
    assert {"a": "shut", "shut": "x", "b": "shut"} == bench.everything()


# --- for_each -------------------------------------------------------------------------------------


def each(names: list[Any]) -> tuple[dict[str, Any], Any]:
    """Return a step that runs for each of some names, and a finding that has them."""
    step = {
        "action": "set_value",
        "with": {"name": "$.item", "want": "shut"},
        "for_each": "$.finding.resource.attributes.names",
    }
    return step, replace(FINDING, resource=Resource("instance", "i", attributes={"names": names}))


def counted(bench: Bench, identity: str, step: str = "step", phase: str = "apply") -> Any:
    """Ask for the indices of a step's items."""
    return bench.ask(identity, "items", step=step, **{"pass": phase})["indices"]


def test_a_step_runs_for_each_item(bench: Bench) -> None:
    """The indices are those of the list, and each runs with its own item, result and lease."""
    step, finding = each(["a", "b/c", "NO"])
    identity = bench.admit(step, finding=finding)

    assert [0, 1, 2] == counted(bench, identity)
    statuses = [bench.step(identity, index=n) for n in range(3)]
    assert ["done", "done", "not_applicable"] == statuses
    assert {"a": "shut", "b/c": "shut"} == bench.everything()


@pytest.mark.parametrize("names", [[], None, "a", {"a": 1}])
def test_no_list_is_no_item(bench: Bench, names: Any) -> None:
    """A list that is empty, missing or none has no items."""
    step, finding = each(names)
    identity = bench.admit(step, finding=finding)

    assert [] == counted(bench, identity)


@pytest.mark.parametrize("index", [1, 99, -1])
def test_an_item_that_is_not_there_is_not_applicable(bench: Bench, index: int) -> None:
    """An index past the list, or before it, ends by name."""
    step, finding = each(["a"])
    identity = bench.admit(step, finding=finding)

    assert "not_applicable" == bench.step(identity, index=index)
    assert [] == bench.written()


@pytest.mark.parametrize("on_error", ["stop", "continue"])
def test_more_items_than_a_map_takes_are_refused_on_record(bench: Bench, on_error: str) -> None:
    """Too many items are not acted on in part: the step has failed, and everybody can see it."""
    step, finding = each(["a"] * (resolving.ITEMS + 1))
    identity = bench.admit({**step, "on_error": on_error}, finding=finding)

    for _ in range(2):
        if on_error == "stop":
            with pytest.raises(StepFailed, match="too_many_items"):
                counted(bench, identity)
        else:
            assert [] == counted(bench, identity)

    assert "refused" == bench.result(identity).status
    assert 1 == bench.kinds(identity).count("step_ended")


def test_as_many_items_as_a_map_takes_are_run(bench: Bench) -> None:
    """The limit itself is within it."""
    step, finding = each(["a"] * resolving.ITEMS)

    assert resolving.ITEMS == len(counted(bench, bench.admit(step, finding=finding)))


def test_items_may_be_facts_of_an_earlier_step(bench: Bench) -> None:
    """A list that an earlier step reported is counted and run for."""

    def report(aws: Any, name: str) -> Effects:
        """Report a list."""
        yield change(aws, name, "shut")
        return {"found": ["b", "c"]}

    register(report, {"name": TEXT}, facts=("found",))
    step, _ = each([])
    identity = bench.admit(
        {"action": "report", "with": {"name": "a"}}, {**step, "for_each": "$.steps.step.found"}
    )
    bench.step(identity)

    assert [0, 1] == counted(bench, identity, "step-1")
    assert "done" == bench.step(identity, "step-1", index=1)
    assert "shut" == bench.get("c")


# --- the kill switch ------------------------------------------------------------------------------


def test_nothing_is_done_under_the_kill_switch(bench: Bench) -> None:
    """Halted is raised before the lease is taken, and the step runs once it is off again."""
    identity = bench.admit(setting())
    bench.halt("a drill")
    calls = len(bench.cloud.calls)

    with pytest.raises(Halted, match="a drill"):
        bench.step(identity)

    assert {"dynamodb"} == {call.service for call in bench.cloud.calls[calls:]}
    assert ["admitted"] == bench.kinds(identity)
    bench.desk.tables.put(replace(_halt(bench), data={"halted": False}))
    assert "done" == bench.step(identity)


def test_a_plan_is_made_under_the_kill_switch(bench: Bench) -> None:
    """A plan only reads: whoever has to decide on it need not wait."""
    identity = bench.admit(setting(), phase="plan")
    bench.halt()

    assert "planned" == bench.step(identity, phase="plan")
    assert [] == bench.written()


def test_a_step_that_is_tried_again_reads_the_kill_switch_again(bench: Bench) -> None:
    """Halted between a fault that passes and the next try, nothing more is called."""
    identity = bench.admit(setting())
    with (
        bench.injecting(Fault(0, refused("ThrottlingException"), about=writes)),
        pytest.raises(Transient),
    ):
        bench.step(identity)
    bench.halt()
    calls = len(bench.cloud.calls)

    with pytest.raises(Halted):
        bench.step(identity)
    assert [] == bench.written(calls)
    assert bench.get("a") is None


def _halt(bench: Bench) -> Any:
    (item,) = bench.desk.tables.get(store.HALT)
    return item


def test_what_ended_before_the_kill_switch_is_still_told(bench: Bench) -> None:
    """A step whose result is on record answers: nothing is changed by it."""
    identity = bench.admit(setting())
    bench.step(identity)
    bench.halt()

    assert "done" == bench.step(identity)


def test_items_are_counted_under_the_kill_switch(bench: Bench) -> None:
    """Counting changes nothing, and has no state beside it to wait in."""
    step, finding = each(["a"])
    identity = bench.admit(step, finding=finding)
    bench.halt()

    assert [0] == counted(bench, identity)


# --- corrupt items --------------------------------------------------------------------------------


def corrupt(bench: Bench, pk: str, sk: str, data: str) -> None:
    """Write text where an item's JSON lies, as somebody with access to the table could."""
    bench.cloud.session().client("dynamodb").update_item(
        TableName=bench.desk.settings.remediations_table,
        Key={"pk": {"S": pk}, "sk": {"S": sk}},
        UpdateExpression="SET #d = :d",
        ExpressionAttributeNames={"#d": "data"},
        ExpressionAttributeValues={":d": {"S": data}},
    )


BROKEN = ['{"id": "trunc', "[]", "null", "7", "{}", '{"phase": 7, "playbook": []}']


@pytest.mark.parametrize("data", BROKEN)
def test_a_corrupt_head_changes_nothing(bench: Bench, data: str) -> None:
    """A head that is not what Firebreak wrote is named, and nothing is changed for it."""
    identity = bench.admit(setting())
    corrupt(bench, store.partition(identity), "META", data)

    for do in ("step", "undo", "close", "seal"):
        with pytest.raises(Corrupt, match="META"):
            bench.ask(identity, do, step="step", **{"pass": "apply"})
    assert [] == bench.written()


@pytest.mark.parametrize(
    "playbook",
    [{"name": "test"}, {"name": "test", "title": "", "match": {}, "target": "", "steps": 7}, [], 7],
)
def test_a_corrupt_playbook_changes_nothing(bench: Bench, playbook: Any) -> None:
    """A stored playbook that is none is named."""
    identity = bench.admit(setting())
    stored = json.loads(json.dumps(store.meta_item(bench.head(identity)).data))
    data = json.dumps({**stored, "playbook": playbook})
    corrupt(bench, store.partition(identity), "META", data)

    with pytest.raises(Corrupt, match="playbook"):
        bench.step(identity)
    assert [] == bench.written()


@pytest.mark.parametrize("data", BROKEN[:4])
def test_a_corrupt_finding_changes_nothing_and_keeps_no_lease(bench: Bench, data: str) -> None:
    """A finding that cannot be read stops its step before the lease is taken."""
    identity = bench.admit(setting())
    corrupt(bench, *store.part_key(identity, 0), data)

    with pytest.raises(Corrupt):
        bench.step(identity)
    assert [] == bench.written()
    assert [] == bench.desk.tables.query(store.partition(identity), "STEP#")


@pytest.mark.parametrize("data", BROKEN)
def test_a_corrupt_effect_changes_nothing(bench: Bench, data: str) -> None:
    """An effect that is not what Firebreak wrote is named; it is neither made nor taken back."""
    identity = bench.admit(setting())
    with bench.injecting(Fault(0, about=commits("intent"))), pytest.raises(ProcessKilled):
        bench.step(identity)
    bench.later()
    (effect,) = bench.effects(identity)
    corrupt(bench, store.partition(identity), effect.sk, data)

    for do in ("step", "undo", "close"):
        with pytest.raises(Corrupt, match="EFFECT"):
            bench.ask(identity, do, step="step", **{"pass": "apply"})
    assert [] == bench.written()


@pytest.mark.parametrize(
    "data",
    [
        *BROKEN[:5],
        json.dumps({"key": "k", "wishes": []}),
        json.dumps({"key": "k", "wishes": {"x": {}}}),
        json.dumps({"key": "k", "wishes": {"x": 7}}),
    ],
)
def test_a_corrupt_hold_changes_nothing(bench: Bench, data: str) -> None:
    """A hold that is not what Firebreak wrote is named, before anything is called."""
    bench.apply("set_value", name="a", want="shut")
    key = bench.hold("a")
    assert key
    corrupt(bench, *store.hold_key(key.key), data)
    calls = len(bench.cloud.calls)

    with pytest.raises(Corrupt, match="HOLD"):
        bench.step(bench.admit(setting()))
    assert [] == bench.written(calls)


@pytest.mark.parametrize("data", BROKEN[:4])
def test_a_corrupt_kill_switch_stops_everything(bench: Bench, data: str) -> None:
    """A kill switch that cannot be read is not taken for off."""
    identity = bench.admit(setting())
    bench.halt()
    corrupt(bench, *store.HALT, data)

    with pytest.raises(Corrupt):
        bench.step(identity)
    assert [] == bench.written()
