"""Tests of running state machines without sleeping or polling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from firebreak.cloud import Cloud
from tests.cloud.conftest import task, token_task


class Boom(Exception):
    """An error a function raises."""


def echo(event: Any, context: Any) -> Any:
    """Return the event."""
    return event


def test_wait_returns_the_ended_execution(cloud: Cloud, start: Callable[..., str]) -> None:
    """Waiting for an execution gives its description with the output."""
    cloud.add_function("echo", echo)
    ended = cloud.wait(start({"Only": task("echo")}, {"n": 1}))
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", '{"n":1}')


def test_time_passes_on_the_logical_clock(cloud: Cloud, start: Callable[..., str]) -> None:
    """Waits and retry intervals return at once and are recorded with their state."""
    failures = iter([Boom, Boom])

    def fail_twice(event: Any, context: Any) -> str:
        for error in failures:
            raise error("again")
        return "done"

    cloud.add_function("fail_twice", fail_twice)
    retry = [{"ErrorEquals": ["Boom"], "IntervalSeconds": 7, "BackoffRate": 3}]
    states = {
        "Pause": {"Type": "Wait", "Seconds": 3600, "Next": "Try"},
        "Try": task("fail_twice", Retry=retry),
    }
    assert cloud.wait(start(states))["output"] == '"done"'
    assert cloud.waited == [("Pause", 3600), ("Try", 7), ("Try", 21)]


def test_parked_execution_does_not_hold_up_wait(cloud: Cloud, start: Callable[..., str]) -> None:
    """Waiting returns with RUNNING while a task waits for its token, and again when it is back."""
    tokens: list[str] = []
    cloud.add_function("ask", lambda event, context: tokens.append(event["token"]))
    execution = start({"Ask": token_task("ask")})
    assert cloud.wait(execution)["status"] == "RUNNING"
    states = cloud.session().client("stepfunctions")
    states.send_task_success(taskToken=tokens[0], output='"yes"')
    assert cloud.wait(execution)["output"] == '"yes"'


def test_token_may_be_answered_before_the_task_waits(
    cloud: Cloud, start: Callable[..., str]
) -> None:
    """A function may send the success itself, while it is invoked."""

    def answer(event: Any, context: Any) -> None:
        states = cloud.session().client("stepfunctions")
        states.send_task_success(taskToken=event["token"], output='"at once"')

    cloud.add_function("answer", answer)
    assert cloud.wait(start({"Ask": token_task("answer")}))["output"] == '"at once"'


def test_answer_of_a_task_that_failed_is_forgotten(cloud: Cloud, start: Callable[..., str]) -> None:
    """A function that answers its token and then fails leaves an execution that ends."""

    def answer_and_fail(event: Any, context: Any) -> None:
        states = cloud.session().client("stepfunctions")
        states.send_task_success(taskToken=event["token"], output="1")
        raise Boom("after the answer")

    cloud.add_function("answer", answer_and_fail)
    assert cloud.wait(start({"Ask": token_task("answer")}), timeout=10)["error"] == "Boom"


def test_branches_park_together(cloud: Cloud, start: Callable[..., str]) -> None:
    """Waiting returns when all branches that are left wait for tokens, not before."""
    tokens: list[str] = []
    done: list[str] = []
    cloud.add_function("ask", lambda event, context: tokens.append(event["token"]))
    cloud.add_function("work", lambda event, context: done.append("worked"))
    branches = [
        {"StartAt": f"Ask{n}", "States": {f"Ask{n}": token_task("ask")}} for n in range(3)
    ] + [{"StartAt": "Work", "States": {"Work": task("work")}}]
    execution = start({"Both": {"Type": "Parallel", "Branches": branches, "End": True}})
    assert cloud.wait(execution)["status"] == "RUNNING"
    assert (len(tokens), done) == (3, ["worked"])
    for token in tokens:
        cloud.session().client("stepfunctions").send_task_success(taskToken=token, output="1")
    assert cloud.wait(execution)["output"] == "[1,1,1,null]"


def test_failed_branch_ends_the_parked_ones(cloud: Cloud, start: Callable[..., str]) -> None:
    """A branch that waits for a token is given up when another branch fails."""
    cloud.add_function("ask", lambda event, context: None)
    cloud.add_function("fail", fail)
    branches = [
        {"StartAt": "Ask", "States": {"Ask": token_task("ask")}},
        {"StartAt": "Fail", "States": {"Fail": task("fail")}},
    ]
    execution = start({"Both": {"Type": "Parallel", "Branches": branches, "End": True}})
    ended = cloud.wait(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "Boom")


def fail(event: Any, context: Any) -> None:
    """Raise an error."""
    raise Boom("no")


def test_map_runs_every_item(cloud: Cloud, start: Callable[..., str]) -> None:
    """An inline Map keeps the order of its items; more than forty take turns."""
    cloud.add_function("echo", echo)
    processor = {"StartAt": "Each", "States": {"Each": task("echo")}}
    states = {"All": {"Type": "Map", "ItemsPath": "$.n", "ItemProcessor": processor, "End": True}}
    items = list(range(60))
    assert cloud.wait(start(states, {"n": items}))["output"] == str(items).replace(" ", "")


def test_map_of_nothing_ends(cloud: Cloud, start: Callable[..., str]) -> None:
    """A Map over an empty list has an empty output."""
    cloud.add_function("echo", echo)
    processor = {"StartAt": "Each", "States": {"Each": task("echo")}}
    states = {"All": {"Type": "Map", "ItemsPath": "$.n", "ItemProcessor": processor, "End": True}}
    assert cloud.wait(start(states, {"n": []}))["output"] == "[]"


def test_failed_item_fails_the_map_and_ends_parked_items(
    cloud: Cloud, start: Callable[..., str]
) -> None:
    """One failed iteration fails the Map; its error can be caught there."""
    cloud.add_function("ask", lambda event, context: None)
    cloud.add_function("fail", fail)
    processor = {
        "StartAt": "Which",
        "States": {
            "Which": {
                "Type": "Choice",
                "Choices": [{"Variable": "$", "NumericEquals": 0, "Next": "Fail"}],
                "Default": "Ask",
            },
            "Fail": task("fail"),
            "Ask": token_task("ask"),
        },
    }
    caught = [{"ErrorEquals": ["Boom"], "ResultPath": "$.error", "Next": "After"}]
    states = {
        "All": {
            "Type": "Map",
            "ItemsPath": "$.n",
            "ItemProcessor": processor,
            "Catch": caught,
            "End": True,
        },
        "After": {"Type": "Pass", "OutputPath": "$.error.Error", "End": True},
    }
    assert cloud.wait(start(states, {"n": [1, 0]}))["output"] == '"Boom"'


def test_retried_token_task_gets_a_new_token(cloud: Cloud, start: Callable[..., str]) -> None:
    """Each attempt of a waiting task has its own token, as on AWS."""
    tokens: list[str] = []
    cloud.add_function("ask", lambda event, context: tokens.append(event["token"]))
    retry = [{"ErrorEquals": ["Again"], "MaxAttempts": 1}]
    execution = start({"Ask": token_task("ask", Retry=retry)})
    cloud.wait(execution)
    states = cloud.session().client("stepfunctions")
    states.send_task_failure(taskToken=tokens[0], error="Again", cause="once more")
    assert cloud.wait(execution)["status"] == "RUNNING"
    states.send_task_success(taskToken=tokens[1], output="1")
    assert cloud.wait(execution)["status"] == "SUCCEEDED"


def test_parallel_branches_share_a_table(cloud: Cloud, start: Callable[..., str]) -> None:
    """Four branches that write transactions at the same time lose nothing, twenty times over."""
    table = cloud.session().client("dynamodb")
    table.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    def write(event: Any, context: Any) -> None:
        for name in (event["item"], "sum"):
            put = {"TableName": "t", "Key": {"pk": {"S": name}}, "ReturnValues": "NONE"}
            update = {
                **{key: put[key] for key in ("TableName", "Key")},
                "UpdateExpression": "ADD n :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
            }
            table.transact_write_items(TransactItems=[{"Update": update}])

    cloud.add_function("write", write)
    branches = [
        {
            "StartAt": f"W{n}",
            "States": {
                f"W{n}": task(
                    "write",
                    Parameters={"FunctionName": "write", "Payload": {"item": f"item-{n}"}},
                )
            },
        }
        for n in range(4)
    ]
    machine = cloud.create_state_machine(
        "m",
        {"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": branches, "End": True}}},
    )
    states = cloud.session().client("stepfunctions")
    for _ in range(20):
        execution = states.start_execution(stateMachineArn=machine)["executionArn"]
        assert cloud.wait(execution)["status"] == "SUCCEEDED"
    total = table.get_item(TableName="t", Key={"pk": {"S": "sum"}})["Item"]["n"]["N"]
    assert total == "80"


def test_wait_gives_up_after_its_timeout(cloud: Cloud, start: Callable[..., str]) -> None:
    """A function that never returns does not hold the test for ever."""
    import threading

    forever = threading.Event()
    cloud.add_function("hang", lambda event, context: forever.wait(30) and None)
    execution = start({"Hang": task("hang")})
    with pytest.raises(TimeoutError):
        cloud.wait(execution, timeout=0.01)
    forever.set()
    assert cloud.wait(execution)["status"] == "SUCCEEDED"


def test_leaving_stops_what_still_runs() -> None:
    """Executions that were only just started end with the world, wherever they are."""
    for _ in range(10):
        with Cloud() as world:
            world.add_function("echo", echo)
            branches = [{"StartAt": f"B{n}", "States": {f"B{n}": task("echo")}} for n in range(3)]
            parallel = {"Type": "Parallel", "Branches": branches, "End": True}
            machine = world.create_state_machine(
                "m", {"StartAt": "Both", "States": {"Both": parallel}}
            )
            world.session().client("stepfunctions").start_execution(stateMachineArn=machine)
