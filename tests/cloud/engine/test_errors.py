"""Tests of which errors Retry and Catch match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from firebreak.cloud import Cloud
from firebreak.cloud.engine.errors import matches
from tests.cloud.conftest import task

CATCH_ALL = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
RETRY_ALL = [{"ErrorEquals": ["States.ALL"]}]
CAUGHT = {"Type": "Pass", "Result": "caught", "End": True}


@pytest.mark.parametrize(
    ("expected", "error", "matched"),
    [
        (["States.ALL"], "Boom", True),
        (["States.ALL"], "States.Timeout", True),
        (["States.ALL"], "States.Runtime", False),
        (["States.ALL"], "States.DataLimitExceeded", False),
        (["States.DataLimitExceeded"], "States.DataLimitExceeded", True),
        (["States.Runtime"], "States.Runtime", False),
        (["States.TaskFailed"], "Boom", True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.TaskFailed"], "States.Runtime", False),
        (["Boom", "Bang"], "Bang", True),
        (["Boom"], "Bang", False),
        (["Lambda.Unknown"], "Lambda.Unknown", True),
    ],
)
def test_matching(expected: list[str], error: str, matched: bool) -> None:
    """Wildcards do not match what AWS lets nobody catch."""
    assert matches(expected, error) is matched


def test_runtime_error_fails_the_execution(cloud: Cloud, start: Callable[..., str]) -> None:
    """A path that is not there is States.Runtime: neither retried nor caught."""
    cloud.add_function("f", lambda event, context: event)
    missing = {"FunctionName": "f", "Payload.$": "$.missing"}
    states = {
        "Try": task("f", Parameters=missing, Retry=RETRY_ALL, Catch=CATCH_ALL),
        "Caught": CAUGHT,
    }
    ended = cloud.wait(start(states))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert cloud.waited == []


def test_oversized_result_is_not_caught_by_all(cloud: Cloud, start: Callable[..., str]) -> None:
    """States.DataLimitExceeded passes States.ALL and fails the execution."""
    cloud.add_function("f", lambda event, context: "x" * 300_000)
    ended = cloud.wait(start({"Try": task("f", Catch=CATCH_ALL), "Caught": CAUGHT}))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


def in_parallel(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a Parallel with one state in its one branch."""
    branch = {"StartAt": "Inner", "States": {"Inner": state}}
    return {"Type": "Parallel", "Branches": [branch], "End": True, **fields}


def test_runtime_error_in_a_branch_fails_the_execution(
    cloud: Cloud, start: Callable[..., str]
) -> None:
    """States.Runtime comes out of a Parallel as it is, and is not caught there either."""
    inner = {"Type": "Pass", "InputPath": "$.missing", "End": True}
    ended = cloud.wait(start({"Both": in_parallel(inner, Catch=CATCH_ALL), "Caught": CAUGHT}))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")


def test_reserved_error_of_a_branch_can_be_caught(cloud: Cloud, start: Callable[..., str]) -> None:
    """A `States.` error that is left uncaught in a branch does not break the engine."""
    inner = {"Type": "Fail", "Error": "States.Timeout", "Cause": "late"}
    ended = cloud.wait(start({"Both": in_parallel(inner, Catch=CATCH_ALL), "Caught": CAUGHT}))
    assert ended["output"] == '"caught"'


def test_uncaught_reserved_error_of_a_branch_is_the_executions(
    cloud: Cloud, start: Callable[..., str]
) -> None:
    """Without a catcher the execution fails with that error and its cause."""
    inner = {"Type": "Fail", "Error": "States.Timeout", "Cause": "late"}
    ended = cloud.wait(start({"Both": in_parallel(inner)}))
    assert (ended["error"], ended["cause"]) == ("States.Timeout", "late")


def test_function_error_is_caught_by_its_class(cloud: Cloud, start: Callable[..., str]) -> None:
    """What a Catch sees of a Lambda error is the class name; the output has the payload."""

    class Busy(Exception):
        """A passing fault."""

    def fail(event: Any, context: Any) -> None:
        raise Busy("later")

    cloud.add_function("fail", fail)
    catch = [{"ErrorEquals": ["Busy"], "ResultPath": "$.error", "Next": "Caught"}]
    states = {
        "Try": task("fail", Catch=catch),
        "Caught": {"Type": "Pass", "OutputPath": "$.error.Error", "End": True},
    }
    assert cloud.wait(start(states))["output"] == '"Busy"'
