"""`firebreak rollback`: planned, done, decided about, and of what is under way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from click.testing import Result

from chalicelib import gates, halting, lifecycle
from chalicelib.effect import Change, Effects
from chalicelib.errors import Failed, InvalidSettings
from chalicelib.store import effect_item, effects, hold_key, listing
from firebreak import changes
from firebreak.cloud import CallInfo, ProcessKilled
from firebreak.commands import rollback
from firebreak.replay import HOME, settle
from firebreak.stage import Stage
from tests.desk import deliver_event, head_of, office, run
from tests.runner.bench import ACCOUNT, MADE, Fault, key_of, put
from tests.scheduled import invoked
from tests.test_halting import (
    BESIDE,
    halting_after,
    once,
    parameters,
    parked,
    recorded,
    setting,
    start,
    values,
)
from tests.worlds import failing, refusal

COMPROMISED = "guardduty/crypto_currency_ec2.json"
NONCOMPLIANT = "config/restricted_ssh_noncompliant.json"


def rows(output: str) -> dict[str, str]:
    """Return what is said of each change, by its key."""
    found = [line.split("  ") for line in output.splitlines() if not line.startswith(" ")]
    words = [[part for part in line if part] for line in found]
    return {parts[3]: parts[0] for parts in words if len(parts) > 3}


def named(output: str) -> dict[str, str]:
    """Return what is said of each parameter."""
    return {key.split(":", 2)[-1]: result for key, result in rows(output).items()}


def short(name: str) -> str:
    """Return the short id of a parameter's change."""
    return changes.short_id(key_of(name))


def set_value(stage: Stage, name: str, to: str) -> None:
    """Set a parameter, as somebody else would."""
    client = stage.cloud.session(ACCOUNT).client("ssm")
    client.put_parameter(Name=name, Value=to, Type="String", Overwrite=True)


@contextmanager
def three() -> Iterator[tuple[Stage, str]]:
    """Give a stage whose remediation set three parameters, and its id."""
    with parameters(setting("a"), setting("b"), setting("c")) as stage:
        yield stage, start(stage)


def writes_of(stage: Stage) -> int:
    """Return how many calls wrote to the tables or changed a parameter."""
    wrote = ("TransactWriteItems", "PutItem", "PutParameter", "DeleteParameter")
    return sum(call.operation in wrote for call in stage.cloud.calls)


# --- the plan -------------------------------------------------------------------------------------


def test_a_plan_lists_what_would_become_of_each_change_and_writes_nothing() -> None:
    """Back, changed by another, back already, kept: the last made first, as things are now."""
    steps = [setting(name) for name in "abcd"]
    with parameters(*steps) as stage:
        identity = start(stage)
        set_value(stage, "b", "theirs")
        stage.cloud.session(ACCOUNT).client("ssm").delete_parameter(Name="c")
        before = writes_of(stage)
        planned = run("rollback", identity, "--plan", "--keep", short("d"))

        assert 0 == planned.exit_code, planned.exception
        wanted = {"d": "kept", "c": "already_back", "b": "conflict", "a": "restored"}
        assert list(wanted.items()) == list(named(planned.output).items())
        for value in (
            "before:  absent",
            'as left: "shut"',
            'now:     "theirs"',
            '"shut" -> absent',
        ):
            assert value in planned.output
        assert f"firebreak rollback {identity} --force {short('b')}" in planned.output
        assert before == writes_of(stage)

        done = run("rollback", identity, "--keep", short("d"))
        assert wanted == named(done.output)
        assert 1 == done.exit_code


@pytest.mark.parametrize("event", [COMPROMISED, NONCOMPLIANT])
def test_a_plan_is_what_a_roll_back_then_does(event: str) -> None:
    """Change by change, in the same order, with evidence and messages and what is too early."""
    with office() as stage:
        identity = deliver_event(stage, event)
        planned = run("rollback", identity, "--plan")
        done = run("rollback", identity)

        assert rows(planned.output)
        assert list(rows(planned.output).items()) == list(rows(done.output).items())


def test_an_element_of_two_steps_is_planned_as_it_will_go() -> None:
    """The later step hands over to the earlier one, which puts the element back."""
    with parameters(setting("one", "a"), setting("two", "a")) as stage:
        identity = start(stage)
        planned = run("rollback", identity, "--plan")
        done = run("rollback", identity)

        results = [
            [line.split()[0] for line in told.output.splitlines() if key_of("a") in line]
            for told in (planned, done)
        ]
        assert ["held", "restored"] == results[0] == results[1]
        assert ({}, 0) == (values(stage), done.exit_code)


def test_what_others_hold_is_said() -> None:
    """What a second remediation wants as well is let go of, not put back."""
    with three() as (stage, identity):
        other = _another(stage)
        planned = run("rollback", identity, "--plan")
        done = run("rollback", identity)

        assert dict.fromkeys("abc", "held") == named(planned.output) == named(done.output)
        assert dict.fromkeys("abc", "shut") == values(stage)
        assert 0 == run("rollback", other).exit_code
        assert {} == values(stage)


def _another(stage: Stage) -> str:
    """Start a remediation of the same playbook on another instance."""
    from tests.worlds import finding_event

    event = finding_event(id="f" * 32)
    instance = event["detail"]["resource"]["instanceDetails"]
    instance["instanceId"] = "i-00000000000000042"
    (answer,) = stage.cloud.emit(event)
    settle(stage)
    return str(answer["decisions"][0]["remediation"])


def for_good(aws: Any, name: str, want: Any) -> Effects:
    """Set a parameter for good."""
    yield Change(MADE.value(name=name), want=want, do=put(name, want), final="it is for good")
    return {}


def test_what_cannot_be_taken_back_is_listed_with_its_reason() -> None:
    """An irreversible change is not hidden, and is no failure; alone it is refused."""
    lasting = {"name": "b", "action": "for_good", "with": {"name": "b", "want": "shut"}}
    with parameters(setting("a"), lasting, actions=[for_good]) as stage:
        identity = start(stage)
        planned = run("rollback", identity, "--plan")
        done = run("rollback", identity)

        assert {"a": "restored", "b": "irreversible"} == named(planned.output)
        assert "it is for good" in planned.output
        assert (0, {"b": "shut"}) == (done.exit_code, values(stage))
        assert "irreversible" in run("rollback", identity).output
        refused = run("rollback", identity, "--force", key_of("b"))
        assert isinstance(refused.exception, InvalidSettings)


# --- done -----------------------------------------------------------------------------------------


def test_a_roll_back_is_waited_for_and_said_change_by_change() -> None:
    """Whole, its exit status is 0; the remediation and its gate say so, and who did it."""
    with three() as (stage, identity):
        done = run("rollback", identity)
        head = head_of(stage, identity)

        assert ({}, 0) == (values(stage), done.exit_code)
        assert dict.fromkeys("cba", "restored") == named(done.output)
        assert ("rolled_back", gates.RELEASED) == (
            head.status,
            gates.get(stage.desk.tables, head.gate).state,
        )
        begun = [r for r in stage.desk.tables.records(identity) if r.kind == "undo_begun"]
        assert [str(head.undo["by"])] == [record.who["principal"] for record in begun]
        assert head.undo["by"].startswith("arn:aws:")


def test_a_second_roll_back_finds_what_is_done() -> None:
    """Nothing is left to take back: what was is listed, and nothing is started."""
    with three() as (stage, identity):
        run("rollback", identity)
        started = len(stage.cloud.executions)
        again = run("rollback", identity)
        planned = run("rollback", identity, "--plan")

        assert 0 == again.exit_code
        assert "nothing is left to take back" in again.output
        assert dict.fromkeys("abc", "restored") == named(again.output) == named(planned.output)
        assert started == len(stage.cloud.executions)


def test_not_waited_for_it_is_only_started() -> None:
    """With --no-wait the command returns at once, with the execution's ARN."""
    with three() as (stage, identity):
        done = run("rollback", identity, "--no-wait")
        assert f"{identity}-undo-1" in done.output
        settle(stage)

        assert ({}, 0) == (values(stage), done.exit_code)


def test_step_by_step() -> None:
    """One step is taken back, then the rest; what was is not taken back twice."""
    with three() as (stage, identity):
        first = run("rollback", identity, "--step", "b")
        assert ({"b": "restored"}, {"a": "shut", "c": "shut"}) == (
            named(first.output),
            values(stage),
        )
        assert 0 == first.exit_code
        head = head_of(stage, identity)
        assert ("partly_rolled_back", "not asked for, in place: c, a") == (head.status, head.reason)
        assert [identity] == [e.sk for e in listing.entries(stage.desk.tables, listing.STANDING)]
        assert "nothing is left" in run("rollback", identity, "--step", "b").output
        rest = run("rollback", identity)

        assert {"c": "restored", "a": "restored"} == named(rest.output)
        assert ({}, 0) == (values(stage), rest.exit_code)
        assert "rolled_back" == head_of(stage, identity).status
        assert [] == listing.entries(stage.desk.tables, listing.STANDING)


def test_a_step_in_conflict_is_left_open() -> None:
    """With --step too the exit status is 1 where something of what was asked for is left."""
    with three() as (stage, identity):
        set_value(stage, "b", "theirs")

        assert 1 == run("rollback", identity, "--step", "b").exit_code
        assert 0 == run("rollback", identity, "--step", "b", "--keep", short("b")).exit_code
        assert "partly_rolled_back" == head_of(stage, identity).status


def test_what_expires_after_a_person_took_a_part_back_still_asks() -> None:
    """A person's roll-back of a step holds for the gate, though the rest ends by the clock."""
    with three() as (stage, identity):
        run("rollback", identity, "--step", "b")
        lifecycle.start_undo(stage.desk, identity, {"by": "expiry", "unattended": True})
        settle(stage)
        head = head_of(stage, identity)

        assert ("rolled_back", {}) == (head.status, values(stage))
        assert gates.RELEASED == gates.get(stage.desk.tables, head.gate).state


def test_without_its_machine_a_roll_back_says_what_to_do() -> None:
    """Where the playbook's machine is gone the line says so; deployed again, it goes on."""
    with three() as (stage, identity):
        gone = failing("StartExecution", lambda: refusal("StateMachineDoesNotExist"))
        stage.cloud.inject = gone
        first = run("rollback", identity)
        stage.cloud.inject = None
        assert isinstance(first.exception, Failed)
        assert "deploy the playbook again" in str(first.exception)
        assert dict.fromkeys("abc", "shut") == values(stage)

        assert (0, {}) == (run("rollback", identity).exit_code, values(stage))


@pytest.mark.parametrize(
    ("decision", "left", "result"),
    [("--keep", {"b": "theirs"}, "kept"), ("--force", {}, "restored")],
)
@pytest.mark.parametrize("name", [key_of("b"), short("b"), short("b")[:6].upper()])
def test_a_conflict_is_decided(decision: str, left: dict[str, str], result: str, name: str) -> None:
    """What another changed since is left open, until a person keeps it or forces it back."""
    with three() as (stage, identity):
        set_value(stage, "b", "theirs")
        first = run("rollback", identity)
        assert (1, "conflict") == (first.exit_code, named(first.output)["b"])
        assert f"firebreak rollback {identity} {decision} {short('b')}" in first.output
        assert {"b": "theirs"} == values(stage)

        second = run("rollback", identity, decision, name)

        assert (0, {"b": result}) == (second.exit_code, named(second.output))
        assert left == values(stage)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--keep", "nothing"], "is none of its changes"),
        (["--force", "0000"], "is none of its changes"),
        (["--step", "nothing"], "steps that did: a, b, c"),
        (["--keep", key_of("a"), "--force", short("a")], "cannot be both"),
    ],
)
@pytest.mark.parametrize("plan", [[], ["--plan"]])
def test_what_is_none_of_its_changes_is_said(
    arguments: list[str], said: str, plan: list[str]
) -> None:
    """An unknown step or change is one clear error that lists what is right; nothing is begun."""
    with three() as (stage, identity):
        before = writes_of(stage)
        result = run("rollback", identity, *arguments, *plan)

        assert isinstance(result.exception, InvalidSettings)
        assert said in str(result.exception)
        if "none of" in said:
            assert all(short(name) in str(result.exception) for name in "abc")
        assert before == writes_of(stage)


def test_a_short_name_of_several_changes_is_ambiguous(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that could be two changes decides neither."""
    monkeypatch.setattr(changes, "short_hash", lambda key: f"abcd{key[-1]}{'0' * 20}")
    with three() as (_, identity):
        result = run("rollback", identity, "--plan", "--keep", "abcd")

        assert "could be several" in str(result.exception)
        assert "kept" == named(run("rollback", identity, "--plan", "--keep", "abcdb").output)["b"]


def test_what_changed_nothing_cannot_be_taken_back() -> None:
    """A remediation that only told somebody is refused in one line."""
    from tests.worlds import step

    with parameters(step("tell")) as stage:
        identity = start(stage)
        result = run("rollback", identity)

        assert isinstance(result.exception, Failed)
        assert "changed nothing" in str(result.exception)
        assert "kept" in run("rollback", identity, "--plan").output


# --- who else -------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["before", "after"])
def test_of_two_who_roll_back_at_once_one_does(phase: str) -> None:
    """The other is told by whom it is taken back already, and what he asked for is not done."""
    with three() as (stage, identity):
        other: list[Result] = []

        def begun(call: CallInfo) -> bool:
            return recorded(replace(call, phase="after"), "undo_begun") and call.phase == phase

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rollback, "caller", lambda _desk: f"arn:{len(other)}")
            turn = ["--step", "b", "--no-wait"]
            stage.cloud.inject = once(begun, lambda: other.append(run("rollback", identity, *turn)))
            mine = run("rollback", identity)
        settle(stage)

        lost, won = (mine, "arn:0") if phase == "before" else (other[0], "arn:0")
        assert isinstance(lost.exception, Failed)
        assert "is being taken back already, since 2026" in str(lost.exception)
        assert str(lost.exception).endswith(f"by {won}")
        left = {"a": "shut", "c": "shut"} if phase == "before" else {}
        assert left == values(stage)
        assert 2 == len(stage.cloud.executions)


@pytest.mark.parametrize("again", ["the same", "another"])
def test_killed_before_its_execution_started_a_roll_back_is_begun_again(
    again: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run again it goes on; run by another, the first one's goes on and the other is told so."""
    with three() as (stage, identity):
        stage.cloud.inject = Fault(0, about=lambda call: recorded(call, "undo_begun"))
        with pytest.raises(ProcessKilled):
            lifecycle.start_undo(stage.desk, identity, TOLD)
        stage.cloud.inject = None
        assert "undo" == head_of(stage, identity).phase
        monkeypatch.setattr(rollback, "caller", lambda _desk: f"arn:{again}")
        result = run("rollback", identity)
        settle(stage)

        assert ({}, "rolled_back") == (values(stage), head_of(stage, identity).status)
        assert (again == "another") == isinstance(result.exception, Failed)
        assert 2 == len(stage.cloud.executions)


TOLD: dict[str, Any] = {"by": "arn:the same", "step": None, "keep": [], "force": []}


def test_what_an_undo_pass_left_open_is_begun_anew() -> None:
    """An execution that ended without closing is followed by another."""
    with three() as (stage, identity):
        stage.cloud.inject = Fault(0, about=lambda call: recorded(call, "undo_begun"))
        with pytest.raises(ProcessKilled):
            lifecycle.start_undo(stage.desk, identity, TOLD)
        stage.cloud.inject = None
        head = head_of(stage, identity)
        stage.cloud.session().client("events").disable_rule(Name="on_execution_ended")
        machine = stage.settings.state_machine_arn("test")
        states = stage.cloud.session().client("stepfunctions")
        name = str(head.undo["execution"])
        states.start_execution(
            stateMachineArn=machine, name=name, input=json.dumps({"remediation": "0", "pass": "x"})
        )
        settle(stage)
        assert "undo" == head_of(stage, identity).phase

        assert 0 == run("rollback", identity).exit_code
        assert {} == values(stage)
        assert 2 == head_of(stage, identity).undo["number"]


def test_an_execution_that_cannot_close_is_not_waited_for_without_end() -> None:
    """What ended and was not closed is said, with what follows; nothing is called taken back."""
    with three() as (stage, identity):
        stage.cloud.session().client("events").disable_rule(Name="on_execution_ended")

        def denied(call: CallInfo) -> None:
            if call.phase == "before" and recorded(replace(call, phase="after"), "closed"):
                raise refusal("AccessDeniedException")

        stage.cloud.inject = denied
        result = run("rollback", identity)

        assert isinstance(result.exception, Failed)
        assert "did not close it" in str(result.exception)
        assert "undo" == head_of(stage, identity).phase


@pytest.mark.parametrize(
    ("phase", "said"),
    [("plan", "is being planned"), ("wait", "deny it instead"), ("apply", "is running")],
)
def test_what_is_under_way_is_refused_in_one_line(phase: str, said: str) -> None:
    """Planned, waiting for approval or running: the line says what to do, nothing is changed."""
    with three() as (stage, identity):
        lifecycle.move(stage.desk, identity, "x", lambda h: replace(h, phase=phase), {})
        halting.halt(stage.desk, "a drill", "arn:me")
        before = writes_of(stage)
        result = run("rollback", identity)

        assert isinstance(result.exception, Failed)
        assert said in str(result.exception)
        assert "\n" not in str(result.exception)
        assert before == writes_of(stage)


# --- under the kill switch ------------------------------------------------------------------------


@pytest.mark.parametrize("after", ["admitted", "a"])
def test_what_waits_under_the_switch_is_stopped_and_taken_back(after: str) -> None:
    """Halted half-way, no step is begun any more, and what was done is taken back at once."""
    with parameters(setting("a"), BESIDE, setting("d")) as stage:
        hook = halting_after(stage, "a")
        if after == "admitted":
            hook = once(lambda call: recorded(call, "admitted"), lambda: _halted(stage))
        identity = start(stage, hook)
        assert {True} == {bool(parked(stage)), halting.is_halted(stage.desk)}
        planned = run("rollback", identity, "--plan")
        done = run("rollback", identity)

        assert named(planned.output) == named(done.output)
        assert (0, {}, []) == (done.exit_code, values(stage), parked(stage))
        head = head_of(stage, identity)
        assert ("rolled_back", gates.RELEASED) == (
            head.status,
            gates.get(stage.desk.tables, head.gate).state,
        )
        ended = [
            r.what["step"] for r in stage.desk.tables.records(identity) if r.kind == "step_ended"
        ]
        assert (["a"] if after == "a" else []) == ended
        assert halting.is_halted(stage.desk)


def _halted(stage: Stage) -> None:
    halting.halt(stage.desk, "a drill", "arn:me")


@pytest.mark.parametrize(
    "woken", ["by running it again", "by its own look", "by resume", "by the reconciler"]
)
def test_killed_before_it_woke_the_steps_a_roll_back_is_finished(woken: str) -> None:
    """Told to stop but not woken, the steps find it out by whatever wakes them."""
    with parameters(setting("a"), BESIDE) as stage:
        identity = start(stage, halting_after(stage, "a"))
        stage.cloud.inject = Fault(0, about=lambda call: recorded(call, "undo_asked"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rollback, "caller", lambda _desk: "arn:me")
            with pytest.raises(ProcessKilled):
                lifecycle.start_undo(stage.desk, identity, {**TOLD, "by": "arn:me"})
            stage.cloud.inject = None
            assert {"a": "shut"} == values(stage)
            if woken == "by running it again":
                assert 0 == run("rollback", identity).exit_code
            elif woken == "by resume":
                assert 0 == run("resume").exit_code
            elif woken == "by the reconciler":
                invoked(stage, "reconcile")
                assert halting.is_halted(stage.desk)
            else:
                stage.cloud.expire_tasks()
        settle(stage)

        assert ({}, "rolled_back") == (values(stage), head_of(stage, identity).status)


@pytest.mark.parametrize("by", ["on_execution_ended", "reconcile"])
@pytest.mark.parametrize("killed", [False, True])
def test_asked_for_and_its_execution_ended_a_roll_back_is_begun(by: str, killed: bool) -> None:
    """Whoever finds the execution over begins what a person asked for, in one of its own."""
    with parameters(setting("a"), BESIDE) as stage:
        identity = start(stage, halting_after(stage, "a"))
        stage.cloud.inject = Fault(0, about=lambda call: recorded(call, "undo_asked"))
        with pytest.raises(ProcessKilled):
            lifecycle.start_undo(stage.desk, identity, TOLD)
        stage.cloud.inject = None
        session = stage.cloud.session()
        if by == "reconcile":
            session.client("events").disable_rule(Name="on_execution_ended")
        if killed:
            stage.cloud.inject = Fault(0, about=lambda call: recorded(call, "undo_begun"))
        (arn,) = stage.cloud.executions
        session.client("stepfunctions").stop_execution(executionArn=arn)
        settle(stage)
        for _ in range(2):
            stage.desk.clock.sleep(600)
            invoked(stage, "reconcile")
            stage.cloud.inject = None

        assert ({}, "rolled_back") == (values(stage), head_of(stage, identity).status)
        assert 2 == len(stage.cloud.executions)
        closed = [r for r in stage.desk.tables.records(identity) if r.kind == "closed"]
        assert 1 == len(closed)


def test_the_end_of_the_execution_before_does_not_end_a_roll_back() -> None:
    """Told late that a failed execution ended, nobody closes the roll-back that is under way."""
    with three() as (stage, identity):
        late = {
            "version": "0",
            "id": "0",
            "account": HOME,
            "time": "2026-11-21T00:00:00Z",
            "region": "us-east-1",
            "resources": [],
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "detail": {
                "name": identity,
                "status": "FAILED",
                "stateMachineArn": stage.settings.state_machine_arn("test"),
            },
        }
        answers: list[Any] = []
        stage.cloud.inject = once(
            lambda call: recorded(call, "undo_begun"),
            lambda: answers.extend(stage.cloud.emit(late)),
        )
        done = run("rollback", identity)

        assert (["overtaken"], 0) == (answers, done.exit_code)
        closed = [r for r in stage.desk.tables.records(identity) if r.kind == "closed"]
        assert ["contained", "rolled_back"] == [record.what["status"] for record in closed]


# --- repeats --------------------------------------------------------------------------------------


@pytest.mark.parametrize("partly", [False, True])
def test_what_a_person_took_back_its_source_does_not_undo(partly: bool) -> None:
    """AWS Config finds the group open again at once; a person is asked, whoever says what."""
    with office() as stage:
        identity = deliver_event(stage, NONCOMPLIANT)
        if partly:
            planned = rows(run("rollback", identity, "--plan").output)
            key = next(key for key, result in planned.items() if result == "restored")
            _conflict(stage, identity, key)
            assert 1 == run("rollback", identity).exit_code
        else:
            assert 0 == run("rollback", identity).exit_code
        again = deliver_event(stage, NONCOMPLIANT)
        head = head_of(stage, again)

        assert ("approve", "wait") == (head.mode, head.phase)
        assert "took the last containment back" in head.why
        stage.cloud.expire_tasks()  # nobody decides
        settle(stage)
        assert "approve" == head_of(stage, deliver_event(stage, NONCOMPLIANT)).mode


def test_the_source_is_asked_from_the_beginning_of_a_roll_back() -> None:
    """A repeat that comes while changes are taken back is not acted upon either."""
    with office() as stage:
        identity = deliver_event(stage, NONCOMPLIANT)
        stage.desk.clock.sleep(7 * 86_400)  # the cool-down is over
        modes: list[str] = []
        stage.cloud.inject = once(
            lambda call: recorded(call, "undo_intent"),
            lambda: modes.append(head_of(stage, _again(stage)).mode),
        )
        run("rollback", identity)

        assert ["approve"] == modes


def _conflict(stage: Stage, identity: str, key: str) -> None:
    """Let a change look as if somebody else had changed its element since."""
    (hold,) = stage.desk.tables.get(hold_key(key))
    assert hold is not None
    stage.desk.tables.put(replace(hold, data={**hold.data, "standing": "another's"}))
    for each in effects(stage.desk.tables, identity):
        if each.key == key:
            stage.desk.tables.put(effect_item(identity, replace(each, verified=True)))


def _again(stage: Stage) -> str:
    """Deliver the same event in the middle of something else."""
    from tests.worlds import recorded as event

    (answer,) = stage.cloud.emit(event(NONCOMPLIANT))
    return str(answer["decisions"][0]["remediation"])


def test_what_nobody_asked_for_leaves_the_gate_ajar() -> None:
    """After a block ran out the same finding is contained again, without a question."""
    with three() as (stage, identity):
        lifecycle.start_undo(stage.desk, identity, {"by": "expiry", "unattended": True})
        settle(stage)
        again = start(stage)

        assert ("rolled_back", "enforce") == (
            head_of(stage, identity).status,
            head_of(stage, again).mode,
        )
        assert identity != again
        (record,) = [r for r in stage.desk.tables.records(identity) if r.kind == "undo_begun"]
        assert {"function": "expiry"} == record.who


def test_what_is_taken_back_is_listed_as_open_until_it_is_closed() -> None:
    """Whoever looks for what is left half-way finds a roll-back as well."""
    with three() as (stage, identity):
        seen: list[list[str]] = []

        def look() -> None:
            seen.append([item.sk for item in listing.entries(stage.desk.tables, listing.OPEN)])

        stage.cloud.inject = once(lambda call: recorded(call, "undo_begun"), look)
        run("rollback", identity)

        assert [[identity]] == seen
        assert [] == listing.entries(stage.desk.tables, listing.OPEN)
        assert [] == [e for e in effects(stage.desk.tables, identity) if e.state == "done"]


def test_asked_for_while_a_step_parks_no_wait_is_left() -> None:
    """A step that is about to wait when the roll-back is asked for stops instead."""
    with parameters(setting("a"), BESIDE) as stage:
        halted, parks = halting_after(stage, "a"), [0]

        def hook(call: CallInfo) -> None:
            halted(call)
            if recorded(replace(call, phase="after"), "parked") and call.phase == "before":
                parks[0] += 1
                if parks[0] == 2:
                    lifecycle.start_undo(stage.desk, call_id(call), TOLD)

        identity = start(stage, hook)

        assert 2 == parks[0]
        assert ({}, [], "rolled_back") == (
            values(stage),
            parked(stage),
            head_of(stage, identity).status,
        )


def call_id(call: CallInfo) -> str:
    """Return which remediation a record that is being written is of."""
    return str(call.params["TransactItems"][-1]["Put"]["Item"]["chain"]["S"])
