"""A plan changes nothing, is what will happen, and is compared before it does."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib import lifecycle, store
from chalicelib.effect import Call, Change, Effects, Evidence, canonical_text, placeholder
from chalicelib.errors import PlanChanged
from chalicelib.runner.planning import identity as rows_of
from chalicelib.runner.planning import plan_hash, readable
from firebreak.cloud import CallInfo, ProcessKilled
from tests.runner.bench import (
    MADE,
    TEXT,
    Bench,
    Fault,
    back,
    change,
    commits,
    put,
    refused,
    register,
    wrote,
)

OURS = {"dynamodb", "sts"}


def items(bench: Bench, identity: str, step: str = "step") -> list[dict[str, Any]]:
    """Return what a plan shows of a step."""
    return [dict(i) for i in bench.result(identity, "plan", step).items if i["kind"] != "identity"]


def hash_of(bench: Bench, *steps: dict[str, Any]) -> str:
    """Plan a playbook of these steps; return the plan's hash."""
    identity = bench.admit(*steps, phase="plan", mode="approve")
    return sealed(bench, identity)


def sealed(bench: Bench, identity: str) -> str:
    """Run a remediation's plan pass; return the plan's hash."""
    for step in bench.head(identity).playbook["steps"]:
        bench.step(identity, step["name"], "plan")
    bench.ask(identity, "seal")
    return str(bench.head(identity).plan["hash"])


def approve(bench: Bench, identity: str) -> None:
    """Let a planned remediation be applied, as a person's decision does."""

    def approved(head: store.Remediation) -> store.Remediation:
        return replace(head, phase="apply", decision={"decision": "approved"})

    lifecycle.move(bench.desk, identity, "approved", approved, {})


def planned(bench: Bench, *steps: dict[str, Any]) -> str:
    """Record a remediation that was planned and approved; return its id."""
    identity = bench.admit(*steps, phase="plan", mode="approve")
    sealed(bench, identity)
    approve(bench, identity)
    return identity


def setting(name: str, want: str = "shut") -> dict[str, Any]:
    """Return a step that sets a parameter."""
    return {"action": "set_value", "with": {"name": name, "want": want}}


# --- a plan changes nothing -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        {"action": "several", "with": {"name": "it"}},
        {"action": "by_way_of", "with": {"name": "it", "way": "open", "end": "shut"}},
        {"action": "add_entry", "with": {"name": "it", "element": "mine"}},
        {"action": "use_own", "with": {"name": "it"}},
    ],
    ids=lambda step: step["action"],
)
def test_a_plan_changes_nothing_and_apply_makes_its_calls(
    bench: Bench, step: dict[str, Any]
) -> None:
    """A plan pass makes no call that writes; apply then makes the calls the plan shows."""
    identity = bench.admit(step, phase="plan", mode="approve")
    calls = len(bench.cloud.calls)

    assert "planned" == bench.step(identity, phase="plan")

    made = [call for call in bench.cloud.calls[calls:] if call.service not in OURS]
    assert {"GetParameter"} == {call.operation for call in made}
    shown = [c for i in items(bench, identity) for c in i.get("calls", [i.get("call")])]
    bench.ask(identity, "seal")
    approve(bench, identity)
    assert "done" == bench.step(identity)
    assert [_shown(call) for call in shown] == bench.written()


def _shown(call: dict[str, Any]) -> str:
    own = placeholder("whole")
    name = str(call["params"]["Name"]).replace(own, "it/own")
    return f"PutParameter {name} {call['params']['Value']}".replace(
        placeholder("test:own:it/own"), "it/own"
    )


def test_a_plan_makes_no_records_of_effects(bench: Bench) -> None:
    """A plan leaves no effect, no hold and no lock behind."""
    identity = bench.admit({"action": "several", "with": {"name": "it"}}, phase="plan")
    bench.step(identity, phase="plan")

    assert [] == bench.effects(identity)
    assert bench.hold("it/a") is None
    assert ["admitted", "step_planned"] == bench.kinds(identity)


def test_a_waypoint_left_standing_is_not_swept_by_a_plan(bench: Bench) -> None:
    """A plan pass changes nothing, not even to tidy up."""
    step = {"action": "by_way_of", "with": {"name": "a", "way": "open", "end": "shut"}}
    identity = planned(bench, step)
    with bench.injecting(Fault(0, about=commits("outcome"))), pytest.raises(ProcessKilled):
        bench.step(identity)
    bench.later()
    _replanned(bench, identity)
    calls = len(bench.cloud.calls)

    with bench.injecting(Fault(0, refused("AccessDeniedException"), about=_reads)):
        bench.step(identity, phase="plan")

    assert "failed" == bench.result(identity, "plan").status
    assert [] == bench.written(calls)


def _reads(call: CallInfo) -> bool:
    return call.operation == "GetParameter"


def _replanned(bench: Bench, identity: str) -> None:
    def again(head: store.Remediation) -> store.Remediation:
        return replace(head, phase="plan", plan={}, plans=head.plans + 1)

    lifecycle.move(bench.desk, identity, "again", again, {})


# --- the hash -------------------------------------------------------------------------------------


def test_the_same_plan_has_the_same_hash(bench: Bench) -> None:
    """Planned twice, nothing having changed, a plan has one hash; another wish has another."""
    assert hash_of(bench, setting("a")) == hash_of(bench, setting("a"))
    assert hash_of(bench, setting("a")) != hash_of(bench, setting("a", "ajar"))
    assert hash_of(bench, setting("a")) != hash_of(bench, setting("b"))


def test_the_hash_does_not_depend_on_the_order_of_names() -> None:
    """Objects are the same whatever the order of their keys, rows whatever their own."""
    want = {"b": [2, 1], "a": {"y": None, "x": ["s"]}}
    other = json.loads(json.dumps(want, sort_keys=True))
    made = [{"kind": "change", "key": f"k{n}", "op": "put", "want": want} for n in range(5)]
    again = [{**row, "want": other} for row in made]

    assert plan_hash(rows_of(made, {})) == plan_hash(rows_of(again[::-1], {}))


def test_a_row_is_key_operation_and_wish_in_this_order() -> None:
    """What is compared keeps its meaning: a wish is never taken for an operation."""
    made = [{"kind": "change", "key": "z", "op": "none", "want": "a"}]
    other = [{"kind": "change", "key": "z", "op": "a", "want": "none"}]

    assert [["z", "none", "a"]] == rows_of(made, {})
    assert rows_of(made, {}) != rows_of(other, {})


def test_volatile_values_are_placeholders(bench: Bench) -> None:
    """The moment of a plan is in no hash, though it is in what is called."""

    def stamp(aws: Any, name: str) -> Effects:
        """Set a parameter to this moment."""
        yield change(aws, name, aws.now(), MADE.value(name=name))
        return {}

    register(stamp, {"name": TEXT})
    step = {"action": "stamp", "with": {"name": "a"}}
    first = hash_of(bench, step)
    bench.later(5)
    identity = planned(bench, step)

    assert first == bench.head(identity).plan["hash"]
    assert "done" == bench.step(identity)
    assert str(bench.get("a")).startswith("20")
    assert "<now>" in canonical_text(readable(items(bench, identity)))


def test_the_hash_is_the_same_whether_or_not_a_fixture_stands(bench: Bench) -> None:
    """What hangs on Firebreak's own things is named, not by their ids."""
    step = {"action": "use_own", "with": {"name": "it"}}
    without = hash_of(bench, step)
    bench.set("it/own", "whole")

    assert without == hash_of(bench, step)


def test_a_fixture_made_meanwhile_is_no_difference(bench: Bench) -> None:
    """A plan that was shown before its fixture stood is applied after."""
    identity = planned(bench, {"action": "use_own", "with": {"name": "it"}})
    bench.set("it/own", "whole")

    assert "done" == bench.step(identity)


# --- what a plan cannot know ----------------------------------------------------------------------


def copy(aws: Any, name: str, want: Any) -> Effects:
    """Set a parameter to what another holds."""
    found = aws.read("ssm", "get_parameter", Name=want)["Parameter"]["Value"]
    yield change(aws, name, found)
    return {"copied": found}


def test_a_read_that_hangs_on_a_change_is_not_sent(bench: Bench) -> None:
    """What a plan cannot know ends it: the read is not sent, and what hangs on it is listed."""

    def read_evidence(aws: Any, name: str) -> Effects:
        """Read what was just made."""
        made = yield from keep(aws, name)
        aws.read("ssm", "get_parameter", Name=made)
        yield change(aws, f"{name}/b", "shut")
        return {}

    register(read_evidence, {"name": TEXT})
    identity = bench.admit({"action": "read_evidence", "with": {"name": "it"}}, phase="plan")

    assert "planned" == bench.step(identity, phase="plan")
    assert ["evidence", "depends"] == [item["kind"] for item in items(bench, identity)]
    assert "needs a value that an earlier change gives" in items(bench, identity)[1]["want"]


def keep(aws: Any, name: str) -> Any:
    """Make evidence; return what shows it."""
    made = yield Evidence(MADE.value(name=f"{name}/kept"), do=put(f"{name}/kept", "copy"))
    return made


def test_a_step_that_hangs_on_a_fact_of_another_is_planned_once_it_is_known(bench: Bench) -> None:
    """A parameter that only an earlier step gives makes a step depend; then it is asked again."""

    def make(aws: Any, name: str) -> Effects:
        """Make evidence."""
        made = yield from keep(aws, name)
        return {"made": made}

    register(make, {"name": TEXT}, facts=("made",))
    first = {"action": "make", "with": {"name": "it"}, "name": "first"}
    second = {"action": "set_value", "with": {"name": "$.steps.first.made", "want": "shut"}}
    identity = bench.admit(first, {**second, "name": "second"}, phase="plan", mode="approve")
    before = sealed(bench, identity)
    assert ["depends"] == [item["kind"] for item in items(bench, identity, "second")]

    approve(bench, identity)
    assert "done" == bench.step(identity, "first")
    with pytest.raises(PlanChanged):
        bench.step(identity, "second")
    assert before != sealed(bench, identity)
    assert ["change"] == [item["kind"] for item in items(bench, identity, "second")]
    approve(bench, identity)
    assert "done" == bench.step(identity, "second")
    assert "shut" == bench.get("copy")


def test_a_step_is_planned_on_what_earlier_steps_want(bench: Bench) -> None:
    """A plan's reader shows an element as an earlier step of the plan would leave it."""
    identity = bench.admit(setting("a"), setting("a"), setting("b"), phase="plan")
    for step in ("step", "step-1", "step-2"):
        bench.step(identity, step, "plan")

    ops = [items(bench, identity, f"step{n}")[0]["op"] for n in ("", "-1", "-2")]
    assert ["ssm.put_parameter", "none", "ssm.put_parameter"] == ops


def test_what_stands_stronger_is_planned_on_as_it_is(bench: Bench) -> None:
    """A wish that more than fulfils itself leaves the element as it is, for later steps too."""
    bench.set("a", 9)
    raising = [{"action": "raise_level", "with": {"name": "a", "want": n}} for n in (5, 8)]
    identity = bench.admit(*raising, phase="plan")
    bench.step(identity, "step", "plan")
    bench.step(identity, "step-1", "plan")

    assert ["none", "none"] == [items(bench, identity, s)[0]["op"] for s in ("step", "step-1")]


def test_two_edits_of_one_document_are_planned_on_each_other(bench: Bench) -> None:
    """The second edit of a document in a step shows the call that it will come to."""

    def add_two(aws: Any, name: str) -> Effects:
        """Add two elements to a document."""
        for element in ("one", "two"):
            what = {"at": {"name": name}, "element": element}
            probe = MADE.entry(name=name, element=element)
            yield Change(probe, want=True, do=MADE.add(**what), undo=MADE.remove(**what))
        return {}

    register(add_two, {"name": TEXT})
    identity = bench.admit({"action": "add_two", "with": {"name": "list"}}, phase="plan")
    bench.step(identity, phase="plan")

    values = [item["call"]["params"]["Value"] for item in items(bench, identity)]
    assert ['["one"]', '["one", "two"]'] == values


# --- apply compares -------------------------------------------------------------------------------


def test_drift_between_plan_and_apply_asks_again(bench: Bench) -> None:
    """A step that would do something else stops before anything: what is applied stays applied."""
    bench.set("b", "shut")
    identity = planned(bench, setting("a"), setting("b"))
    assert "done" == bench.step(identity)
    bench.set("b", "open")
    calls = len(bench.cloud.calls)

    with pytest.raises(PlanChanged):
        bench.step(identity, "step-1")

    head = bench.head(identity)
    assert ("plan", {}, 1, {}) == (head.phase, head.plan, head.plans, head.decision)
    assert [] == bench.written(calls)
    assert "plan_changed" in bench.kinds(identity)
    with pytest.raises(PlanChanged):
        bench.step(identity, "step-1")


def test_the_rest_is_planned_again_and_what_was_applied_is_not(bench: Bench) -> None:
    """A second plan pass leaves out what was applied, and uses its facts."""
    bench.set("b", "shut")
    second = {"action": "set_value", "with": {"name": "b", "want": "$.steps.step.shown"}}
    register(shows, {"name": TEXT}, facts=("shown",))
    third = {"action": "set_value", "with": {"name": "c", "want": "$.steps.step.shown"}}
    identity = planned(bench, {"action": "shows", "with": {"name": "a"}}, second, third)
    bench.step(identity)
    bench.set("b", "open")
    with pytest.raises(PlanChanged):
        bench.step(identity, "step-1")
    calls = len(bench.cloud.calls)

    assert "done" == bench.step(identity, "step", "plan")
    assert "planned" == bench.step(identity, "step-1", "plan")
    assert "planned" == bench.step(identity, "step-2", "plan")
    assert bench.result(identity, "plan", "step") is None
    bench.ask(identity, "seal")
    approve(bench, identity)

    assert ["done", "done"] == [bench.step(identity, f"step-{n}") for n in (1, 2)]
    assert ["PutParameter b shut", "PutParameter c shut"] == bench.written(calls)


def shows(aws: Any, name: str) -> Effects:
    """Set a parameter, and report what it shows."""
    shown = yield change(aws, name, "shut")
    return {"shown": shown}


def test_a_step_cut_off_half_way_is_no_difference(bench: Bench) -> None:
    """A retry of a half-applied step of an approved plan does less than was shown, and goes on."""
    register(pair, {"name": TEXT})
    identity = planned(bench, {"action": "pair", "with": {"name": "it"}})
    with bench.injecting(Fault(0, about=commits("outcome"))), pytest.raises(ProcessKilled):
        bench.step(identity)
    bench.later()

    assert "done" == bench.step(identity)
    assert ["PutParameter it/a aa", "PutParameter it/b zz"] == bench.written()


def pair(aws: Any, name: str) -> Effects:
    """Set two parameters."""
    yield change(aws, f"{name}/a", "aa")
    yield change(aws, f"{name}/b", "zz")
    return {}


def test_a_step_cut_off_half_way_does_no_more_than_was_shown(bench: Bench) -> None:
    """Half-applied is no leave to do something else: the rest is asked about again."""
    bench.set("it/b", "zz")
    register(pair, {"name": TEXT})
    identity = planned(bench, {"action": "pair", "with": {"name": "it"}})
    with bench.injecting(Fault(0, about=wrote)), pytest.raises(ProcessKilled):
        bench.step(identity)
    bench.later()
    bench.set("it/b", "theirs")

    with pytest.raises(PlanChanged):
        bench.step(identity)
    assert "theirs" == bench.get("it/b")


def test_less_to_do_at_apply_is_a_difference_too(bench: Bench) -> None:
    """What somebody did meanwhile is a difference, and is shown before it is relied on."""
    identity = planned(bench, setting("a"))
    bench.set("a", "shut")

    with pytest.raises(PlanChanged):
        bench.step(identity)


def test_what_was_planned_as_gone_and_is_not_is_a_difference(bench: Bench) -> None:
    """A step that planned nothing because nothing was there is asked about when something is."""
    register(copy)
    identity = planned(bench, {"action": "copy", "with": {"name": "a", "want": "b"}})
    assert "failed" == bench.result(identity, "plan").status
    bench.set("b", "shut")

    with pytest.raises(PlanChanged):
        bench.step(identity)
    assert bench.get("a") is None


def test_an_enforced_remediation_is_compared_with_nothing(bench: Bench) -> None:
    """Without a plan that was shown, a step does what it finds to do."""
    assert "done" == bench.result(bench.apply("set_value", name="a", want="shut")).status


# --- records --------------------------------------------------------------------------------------


def test_a_plan_too_large_to_be_recorded_has_failed(bench: Bench) -> None:
    """A plan that no item holds is a failed step with a reason, not a crash without end."""

    def plan_much(aws: Any, name: str) -> Effects:
        """Plan more than an item holds."""
        for n in range(200):
            probe = MADE.value(name=f"{name}/{n}")
            do = Call("ssm", "put_parameter", Name=f"{name}/{n}", Value="x" * 4_000)
            yield Change(probe, want="x" * 4_000, do=do, undo=back(name, None))
        return {}

    register(plan_much, {"name": TEXT})
    identity = bench.admit({"action": "plan_much", "with": {"name": "a"}}, phase="plan")

    assert "failed" == bench.step(identity, phase="plan")
    assert "too large to be recorded" in bench.result(identity, "plan").reason
