"""Executions killed at each seam: what they left is started, or closed, and never twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib import gates, lifecycle
from chalicelib.store import Remediation, listing
from chalicelib.table import Item
from firebreak.cloud import ProcessKilled
from firebreak.cloud.calls import CallInfo
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.scheduled import (
    blocking,
    contained,
    delivered,
    denied,
    head_of,
    invoked,
    kinds,
    later,
    prepared,
    reconciled,
    told,
)
from tests.worlds import failing, finding_event, refusal, world

ASKING = {"block": blocking(mode="approve")}
ENFORCED = {"block": blocking()}


def admitted(stage: Stage) -> str:
    """Return the one remediation that is open."""
    (item,) = listing.entries(stage.desk.tables, listing.OPEN)
    return item.sk


def arn_of(stage: Stage, identity: str) -> str:
    return next(arn for arn in stage.cloud.executions if arn.endswith(f":{identity}"))


def of_function(name: str, operation: str) -> Callable[[CallInfo], None]:
    """Return a hook that refuses a function's calls of an operation."""

    def hook(info: CallInfo) -> None:
        if (info.function, info.operation, info.phase) == (name, operation, "before"):
            raise refusal("AccessDeniedException", operation)

    return hook


def waiting(stage: Stage) -> str:
    """Deliver an event that a person is asked about; return the remediation."""
    (decision,) = delivered(stage, prepared(stage, finding_event()))
    assert "wait" == head_of(stage, decision["remediation"]).phase
    return str(decision["remediation"])


@pytest.mark.parametrize("phase", ["before", "after"])
def test_what_was_admitted_and_not_started_is_started(phase: str) -> None:
    """Killed between gate and start, or between start and mark, it contains all the same."""
    with world(ENFORCED) as stage:
        event = prepared(stage, finding_event())
        stage.cloud.inject = failing("StartExecution", ProcessKilled, times=3, phase=phase)
        stage.cloud.emit(event)
        stage.cloud.inject = None
        settle(stage)
        listed = listing.entries(stage.desk.tables, listing.OPEN)
        later(stage, 600)
        reconciled(stage)

        assert denied(stage)
        assert 1 == len(stage.cloud.executions)
        assert [] == listing.entries(stage.desk.tables, listing.OPEN)
        assert len(listed) == (phase == "before")


def test_what_is_being_started_is_left_to_its_own_delivery() -> None:
    """What was admitted a moment ago is not started by another."""
    with world(ENFORCED) as stage:
        event = prepared(stage, finding_event())
        stage.cloud.inject = failing("StartExecution", ProcessKilled, times=3)
        stage.cloud.emit(event)
        stage.cloud.inject = None

        assert {} == reconciled(stage)
        assert [] == stage.cloud.executions


@pytest.mark.parametrize("how", ["stopped", "timed out"])
def test_what_an_execution_left_open_is_closed(how: str) -> None:
    """Where closing failed inside and outside of the execution, it is closed here, once."""
    with world(ASKING) as stage:
        identity = waiting(stage)
        stage.cloud.inject = of_function("on_execution_ended", "TransactWriteItems")
        if how == "stopped":
            client = stage.cloud.session().client("stepfunctions")
            client.stop_execution(executionArn=arn_of(stage, identity))
        else:
            stage.cloud.time_out(arn_of(stage, identity))
        settle(stage)
        stage.cloud.inject = None
        assert "wait" == head_of(stage, identity).phase
        found = reconciled(stage)

        assert ["ended"] == list(found)
        assert "expired" == head_of(stage, identity).status
        assert gates.AJAR == gates.get(stage.desk.tables, head_of(stage, identity).gate).state
        assert {} == reconciled(stage)
        assert 1 == kinds(stage, identity).count("closed")


def test_an_execution_that_runs_is_left_alone() -> None:
    """What waits for a person is neither closed nor started again, however long it waits."""
    with world(ASKING) as stage:
        identity = waiting(stage)
        before = head_of(stage, identity)
        later(stage, 3_000)

        assert {} == reconciled(stage)
        assert before == head_of(stage, identity)


def test_a_wait_that_ran_out_is_ended() -> None:
    """Where the question's time is over and the machine still waits, it goes on to close."""
    with world(ASKING) as stage:
        identity = waiting(stage)
        later(stage, 5 * 3_600)
        found = reconciled(stage)

        assert ["waiting"] == list(found)
        assert "expired" == head_of(stage, identity).status


def test_a_decision_that_was_not_sent_is_sent() -> None:
    """A decision on record reaches the machine though whoever recorded it died."""
    with world(ASKING) as stage:
        identity = waiting(stage)

        def decided(head: Remediation) -> Remediation:
            return replace(head, phase="apply", decision={"decision": "approved"})

        lifecycle.move(stage.desk, identity, "approved", decided, {"principal": "a person"})
        found = reconciled(stage)

        assert ["waiting"] == list(found)
        assert "contained" == head_of(stage, identity).status


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_roll_back_that_died_before_it_began_is_begun(phase: str) -> None:
    """A roll-back on record without its execution is taken up, as one execution."""
    with world(ENFORCED) as stage:
        identity = contained(stage)
        stage.cloud.inject = failing("StartExecution", lambda: refusal("Boom"), phase=phase)
        with pytest.raises(Exception, match="Boom"):
            lifecycle.start_undo(stage.desk, identity, {"by": "a person"})
        stage.cloud.inject = None
        settle(stage)
        later(stage, 600)
        reconciled(stage)

        assert "rolled_back" == head_of(stage, identity).status
        assert 2 == len(stage.cloud.executions)


def test_a_gate_that_stayed_open_is_mended() -> None:
    """A gate that is open though its remediation is closed would turn every repeat away."""
    with world(ENFORCED) as stage:
        identity = contained(stage)
        gate = gates.get(stage.desk.tables, head_of(stage, identity).gate)
        pk, sk = gates.place_of(gate.key)
        (item,) = stage.desk.tables.get((pk, sk))
        assert item is not None
        stage.desk.tables.put(Item(pk, sk, {**item.data, "state": "open"}, version=item.version))
        stage.desk.tables.put(Item("LIST#open", identity, {}))
        found = reconciled(stage)

        assert ["ended"] == list(found)
        assert gates.SHUT == gates.get(stage.desk.tables, gate.key).state
        assert {} == reconciled(stage)


def test_a_damaged_head_is_told_once_and_holds_up_no_other() -> None:
    """What cannot be read is passed over and told; the others are repaired."""
    with world(ENFORCED) as stage:
        event = prepared(stage, finding_event())
        stage.cloud.inject = failing("StartExecution", ProcessKilled, times=3)
        stage.cloud.emit(event)
        stage.cloud.inject = None
        identity, broken = admitted(stage), "0" * 24
        stage.desk.tables.put(Item("LIST#open", broken, {}))
        stage.desk.tables.put(Item(f"REMEDIATION#{broken}", "META", {"id": 1}))
        later(stage, 600)
        answers = [invoked(stage, "reconcile"), invoked(stage, "reconcile")]

        assert "contained" == head_of(stage, identity).status
        assert all(broken in answer["failed"][0] for answer in answers)
        assert 1 == len([message for message in told(stage) if broken in message])


def test_a_run_that_finds_nothing_is_cheap() -> None:
    """Nothing is written, and next to nothing read, where there is nothing to do."""
    with world(ENFORCED) as stage:
        since = len(stage.cloud.calls)

        assert {"found": {}, "failed": []} == invoked(stage, "reconcile")
        made = [call for call in stage.cloud.calls[since:] if call.function == "reconcile"]
        assert not [c for c in made if c.operation.startswith(("Put", "Transact", "Publish"))]
        assert len(made) < 15


def test_an_execution_that_does_not_show_yet_is_left_alone() -> None:
    """Step Functions' reads lag behind: what was started just now is not taken for gone."""
    with world(ASKING) as stage:
        identity = waiting(stage)
        stage.cloud.inject = failing("DescribeExecution", lambda: refusal("ExecutionDoesNotExist"))
        answer = invoked(stage, "reconcile")
        stage.cloud.inject = None

        assert {"found": {}, "failed": []} == answer
        assert "wait" == head_of(stage, identity).phase
