"""The one door of the state machines: what is asked, and what they are told by an error's name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from chalicelib import lifecycle, machine, store
from chalicelib.errors import Failed, Transient
from firebreak.cloud import CallInfo
from tests.flow import ANSWERS
from tests.runner.bench import Bench, Fault, refused, running, wrote


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Give a bench with throw-away actions."""
    with running() as made:
        yield made


STEP = {"action": "set_value", "with": {"name": "a", "want": "shut"}}


def detail(bench: Bench, identity: str, **more: Any) -> dict[str, Any]:
    """Return what Step Functions says of an execution that ended."""
    arn = bench.desk.settings.state_machine_arn("test")
    return {"name": identity, "stateMachineArn": arn, "status": "ABORTED", **more}


def ended(bench: Bench, said: dict[str, Any]) -> str:
    """Tell that an execution ended as it should not have."""
    return machine.ended(bench.desk, said, "request-ended", 60.0)


# --- what is asked --------------------------------------------------------------------------------


def test_every_task_of_the_machines_is_known() -> None:
    """The door does what states ask for, no more and no less."""
    assert set(ANSWERS) == set(machine.TASKS)


def test_every_task_answers_what_states_read(bench: Bench) -> None:
    """Each answer holds the fields that the machine's paths rely on."""
    planned = bench.admit(STEP, phase="plan", mode="approve")
    applied = bench.admit(STEP)
    asked: list[tuple[str, str, dict[str, Any]]] = [
        (planned, "step", {"step": "step", "pass": "plan"}),
        (planned, "seal", {}),
        (planned, "ask", {"token": "t"}),
        (applied, "items", {"step": "step", "pass": "apply"}),
        (applied, "step", {"step": "step", "pass": "apply"}),
        (applied, "park", {"step": "step", "pass": "apply", "token": "t"}),
        (applied, "undo", {}),
        (applied, "close", {}),
    ]

    for identity, do, more in asked:
        assert ANSWERS[do] == set(bench.ask(identity, do, **more)), do
    assert {do for _, do, _ in asked} == set(machine.TASKS)


@pytest.mark.parametrize("do", [None, "", "apply", "Step", 7])
def test_what_is_none_of_the_tasks_is_refused(bench: Bench, do: Any) -> None:
    """A request that no machine makes is answered by what would be right."""
    with pytest.raises(Failed, match="step, items, seal"):
        machine.handle(bench.desk, {"do": do, "remediation": "x"}, "request", 300.0)


@pytest.mark.parametrize("do", list(machine.TASKS))
def test_a_remediation_that_does_not_exist_is_named(bench: Bench, do: str) -> None:
    """Every task of an unknown remediation ends by name, and writes nothing."""
    calls = len(bench.cloud.calls)

    with pytest.raises(Failed, match="there is no remediation"):
        bench.ask("0" * 24, do, step="step", **{"pass": "apply"})
    wrote_ = {"PutItem", "TransactWriteItems", "UpdateItem", "DeleteItem"}
    assert not wrote_ & {call.operation for call in bench.cloud.calls[calls:]}


@pytest.mark.parametrize("index", [None, 0, "0"])
def test_a_step_without_an_index_is_its_first(bench: Bench, index: Any) -> None:
    """States outside a Map send no index."""
    identity = bench.admit(STEP)

    bench.ask(identity, "step", step="step", index=index, **{"pass": "apply"})

    assert 0 == bench.result(identity).index


def test_a_lease_outlives_its_function(bench: Bench) -> None:
    """A call made in the last moment has taken effect before another worker may come."""
    identity = bench.admit(STEP)
    now, found = bench.desk.clock.seconds(), []

    def look(call: CallInfo) -> None:
        if wrote(call):
            found.extend(bench.desk.tables.query(store.partition(identity), "STEP#apply#"))

    with bench.injecting(look):
        bench.step(identity)

    (lease,) = found
    assert 300 + machine.GRACE - 2 <= lease.expires - now <= 300 + machine.GRACE + 2


# --- what the machines are told -------------------------------------------------------------------


@pytest.mark.parametrize("do", ["step", "items", "seal", "undo", "close"])
@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (refused("ProvisionedThroughputExceededException"), Transient),
        (refused("InternalServerError", 500), Transient),
        (lambda _call: ConnectTimeoutError(endpoint_url="https://dynamodb"), Transient),
        (refused("AccessDeniedException"), Failed),
    ],
    ids=["throttled", "broken", "lost", "denied"],
)
def test_the_tables_faults_are_told_by_our_own_names(
    bench: Bench, do: str, error: Any, raised: type[Exception]
) -> None:
    """Step Functions retries errors.Transient: no fault of a table goes by another name."""
    identity = bench.admit(STEP, phase="plan" if do == "seal" else "apply")
    fault = Fault(0, error, about=lambda call: call.service == "dynamodb")

    with bench.injecting(fault), pytest.raises(raised):
        bench.ask(identity, do, step="step", **{"pass": "apply"})


# --- executions that did not end well -------------------------------------------------------------


def test_an_execution_that_was_stopped_is_closed(bench: Bench) -> None:
    """What it left open is closed, as interrupted."""
    identity = bench.admit(STEP)

    assert "failed" == ended(bench, detail(bench, identity))
    assert "step: interrupted" == bench.head(identity).reason


def test_an_undo_that_was_stopped_is_closed(bench: Bench) -> None:
    """A roll-back's execution is named for its remediation."""
    identity = bench.apply("set_value", name="a", want="shut")
    lifecycle.move(bench.desk, identity, "undo", lambda h: replace(h, phase="undo"), {})

    assert "partly_rolled_back" == ended(bench, detail(bench, f"{identity}-undo-3"))


def test_what_is_closed_stays_as_it_is(bench: Bench) -> None:
    """An execution that failed on purpose has closed its remediation before."""
    identity = bench.apply("set_value", name="a", want="shut")
    bench.ask(identity, "close")
    kinds = bench.kinds(identity)

    assert "contained" == ended(bench, detail(bench, identity))
    assert kinds == bench.kinds(identity)


@pytest.mark.parametrize(
    "said",
    [
        {"name": "nightly-report"},
        {"name": "0" * 23},
        {"name": "0" * 25},
        {"name": f"{1:024x}-other"},
        {"name": None},
        {"stateMachineArn": "arn:aws:states:us-east-1:111122223333:stateMachine:theirs"},
        {"stateMachineArn": None},
    ],
)
def test_executions_of_others_are_none_of_ours(bench: Bench, said: dict[str, Any]) -> None:
    """The rule sees every execution of the account: only those of our machines are closed."""
    identity = bench.admit(STEP)
    calls = len(bench.cloud.calls)

    assert "not_ours" == ended(bench, detail(bench, identity, **said))
    assert calls == len(bench.cloud.calls)
    assert "open" == bench.head(identity).status


def test_closing_after_an_execution_is_tried_again(bench: Bench) -> None:
    """A fault of the table makes the function fail by our own name, and be invoked again."""
    identity = bench.admit(STEP)
    fault = Fault(0, refused("InternalServerError", 500))

    with bench.injecting(fault), pytest.raises(Transient):
        ended(bench, detail(bench, identity))
    assert "failed" == ended(bench, detail(bench, identity))
