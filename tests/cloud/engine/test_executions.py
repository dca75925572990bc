"""Tests of the operations on executions and task tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from firebreak.cloud import Cloud
from tests.cloud.conftest import token_task

CATCH_TIMEOUT = [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}]
LATE = {"Type": "Pass", "Result": "late", "End": True}


@pytest.fixture
def tokens(cloud: Cloud) -> list[str]:
    """Add a function that keeps the tokens it is given."""
    kept: list[str] = []
    cloud.add_function("ask", lambda event, context: kept.append(event["token"]))
    return kept


def test_expired_task_fails_with_timeout(
    cloud: Cloud, start: Callable[..., str], tokens: list[str]
) -> None:
    """When its time has run out, a waiting task fails with States.Timeout."""
    states = {"Ask": token_task("ask", TimeoutSeconds=900, Catch=CATCH_TIMEOUT), "Late": LATE}
    execution = start(states)
    cloud.wait(execution)
    assert cloud.expire_tasks() == 1
    assert cloud.wait(execution)["output"] == '"late"'
    assert cloud.waited == [("Ask", 900)]


def test_task_without_timeout_never_expires(
    cloud: Cloud, start: Callable[..., str], tokens: list[str]
) -> None:
    """A task nobody gave a TimeoutSeconds waits on."""
    execution = start({"Ask": token_task("ask")})
    cloud.wait(execution)
    assert cloud.expire_tasks() == 0
    assert cloud.wait(execution)["status"] == "RUNNING"


def test_token_is_good_once(cloud: Cloud, start: Callable[..., str], tokens: list[str]) -> None:
    """A second outcome for a token, or one that comes late, is refused."""
    states = cloud.session().client("stepfunctions")
    cloud.wait(start({"Ask": token_task("ask")}))
    states.send_task_success(taskToken=tokens[0], output="1")
    with pytest.raises(states.exceptions.TaskTimedOut):
        states.send_task_success(taskToken=tokens[0], output="2")
    with pytest.raises(states.exceptions.TaskTimedOut):
        states.send_task_failure(taskToken=tokens[0], error="E")


def test_unknown_token_is_invalid(cloud: Cloud) -> None:
    """A token nobody was given is InvalidToken."""
    states = cloud.session().client("stepfunctions")
    with pytest.raises(states.exceptions.InvalidToken):
        states.send_task_success(taskToken="nobody's", output="1")


def test_output_of_a_token_is_json(
    cloud: Cloud, start: Callable[..., str], tokens: list[str]
) -> None:
    """An outcome that is not JSON is refused, and the task waits on."""
    states = cloud.session().client("stepfunctions")
    execution = start({"Ask": token_task("ask")})
    cloud.wait(execution)
    with pytest.raises(states.exceptions.InvalidOutput):
        states.send_task_success(taskToken=tokens[0], output="not json")
    assert cloud.wait(execution)["status"] == "RUNNING"


def test_failure_keeps_its_cause(
    cloud: Cloud, start: Callable[..., str], tokens: list[str]
) -> None:
    """Error and cause of SendTaskFailure are those of the execution."""
    execution = start({"Ask": token_task("ask")})
    cloud.wait(execution)
    states = cloud.session().client("stepfunctions")
    states.send_task_failure(taskToken=tokens[0], error="Denied", cause="by Ada")
    ended = cloud.wait(execution)
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Denied", "by Ada")


def test_stopping_ends_a_parked_execution(
    cloud: Cloud, start: Callable[..., str], tokens: list[str]
) -> None:
    """StopExecution aborts at once, with the error and cause given."""
    execution = start({"Ask": token_task("ask")})
    cloud.wait(execution)
    states = cloud.session().client("stepfunctions")
    states.stop_execution(executionArn=execution, error="Enough", cause="said Ada")
    ended = cloud.wait(execution)
    assert (ended["status"], ended["error"], ended["cause"]) == ("ABORTED", "Enough", "said Ada")
    assert "stopDate" in ended
    last = states.get_execution_history(executionArn=execution)["events"][-1]
    assert last["type"] == "ExecutionAborted"


def test_execution_can_run_out_of_time(
    cloud: Cloud, start: Callable[..., str], tokens: list[str]
) -> None:
    """An execution whose time is up is TIMED_OUT."""
    execution = start({"Ask": token_task("ask")})
    cloud.wait(execution)
    cloud.time_out(execution)
    assert cloud.wait(execution)["status"] == "TIMED_OUT"


def test_ended_executions_are_told_to_rules(
    cloud: Cloud, start: Callable[..., str], tokens: list[str]
) -> None:
    """A rule on the execution status hears of the end before wait returns."""
    seen: list[Any] = []
    cloud.add_function("on_ended", lambda event, context: seen.append(event))
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"status": ["FAILED", "TIMED_OUT", "ABORTED"]},
    }
    cloud.add_rule("ended", pattern, "on_ended")
    execution = start({"Ask": token_task("ask")})
    cloud.wait(execution)
    cloud.session().client("stepfunctions").send_task_failure(taskToken=tokens[0], error="E")
    cloud.wait(execution)
    detail = seen[0]["detail"]
    assert (detail["executionArn"], detail["status"], detail["error"]) == (execution, "FAILED", "E")
    assert detail["stopDate"] >= detail["startDate"]


def test_name_is_good_once(cloud: Cloud, tokens: list[str]) -> None:
    """The same name and input while running is the same execution; else the name is taken."""
    machine = cloud.create_state_machine(
        "m", {"StartAt": "Ask", "States": {"Ask": token_task("ask")}}
    )
    states = cloud.session().client("stepfunctions")
    first = states.start_execution(stateMachineArn=machine, name="n", input='{"a": 1}')
    again = states.start_execution(stateMachineArn=machine, name="n", input='{"a": 1}')
    assert again["executionArn"] == first["executionArn"]
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(stateMachineArn=machine, name="n", input='{"a": 2}')
    cloud.wait(first["executionArn"])
    states.send_task_success(taskToken=tokens[0], output="1")
    cloud.wait(first["executionArn"])
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(stateMachineArn=machine, name="n", input='{"a": 1}')


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("x" * 80, "ok"),
        ("x" * 81, "ValidationException"),
        ("a b", "InvalidName"),
        ("a/b", "InvalidName"),
        ("a#b", "InvalidName"),
        ("a\x07b", "InvalidName"),
        ("2026-01-01_a.b-C", "ok"),
    ],
)
def test_names_are_checked(cloud: Cloud, name: str, code: str) -> None:
    """A name has at most 80 characters, none of them special."""
    machine = cloud.create_state_machine(
        "m", {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
    )
    states = cloud.session().client("stepfunctions")
    try:
        states.start_execution(stateMachineArn=machine, name=name)
        answer = "ok"
    except states.exceptions.ClientError as error:
        answer = error.response["Error"]["Code"]
    assert answer == code


def test_unnamed_executions_get_a_name(cloud: Cloud, start: Callable[..., str]) -> None:
    """Two unnamed executions are two executions, with an empty object as input."""
    arns = [start({"A": {"Type": "Pass", "End": True}}, name=f"m{n}") for n in range(2)]
    assert len(set(arns)) == 2
    assert [cloud.wait(arn)["output"] for arn in arns] == ["{}", "{}"]
