"""Tests of recording calls and of making them fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import CallInfo, Cloud, ProcessKilled
from tests.cloud.conftest import HOME, MEMBER, task


def throttle(info: CallInfo) -> ClientError:
    """Return the error of a throttled call."""
    error: Any = {"Error": {"Code": "ThrottlingException", "Message": "slow down"}}
    error["ResponseMetadata"] = {"HTTPStatusCode": 400, "RequestId": "r"}
    return ClientError(error, info.operation)


def test_calls_are_recorded_with_who_and_where(cloud: Cloud) -> None:
    """Each call shows service, operation, parameters, account, region, caller and outcome."""
    cloud.session(MEMBER, "eu-west-1").client("sqs").create_queue(QueueName="q")
    (call,) = cloud.calls
    assert (call.service, call.operation, call.params) == (
        "sqs",
        "CreateQueue",
        {"QueueName": "q"},
    )
    assert (call.account, call.region, call.code) == (MEMBER, "eu-west-1", "ok")
    assert (call.caller, call.function) == (f"arn:aws:iam::{MEMBER}:root", None)


def test_errors_are_recorded_by_code(cloud: Cloud) -> None:
    """A refused call is recorded with the error's code."""
    with pytest.raises(ClientError):
        boto3.client("iam").get_user(UserName="nobody")
    assert [call.code for call in cloud.calls] == ["NoSuchEntity"]


def test_calls_of_a_function_name_its_invocation(cloud: Cloud) -> None:
    """What a function calls carries the function's role, name and request id."""
    seen: list[str] = []

    def handler(event: Any, context: Any) -> None:
        seen.append(context.aws_request_id)
        boto3.client("sqs").list_queues()

    cloud.add_function("f", handler, role_name="f-role")
    boto3.client("lambda").invoke(FunctionName="f")
    outer, inner = cloud.calls
    assert (outer.operation, outer.function) == ("Invoke", None)
    assert (inner.function, inner.request_id) == ("f", seen[0])
    assert inner.caller == f"arn:aws:sts::{HOME}:assumed-role/f-role/f"


def test_error_injected_before_has_no_effect(cloud: Cloud) -> None:
    """A call that fails before it takes effect changes nothing."""

    def fail(info: CallInfo) -> None:
        if info.operation == "CreateQueue" and info.phase == "before":
            raise throttle(info)

    cloud.inject = fail
    with pytest.raises(ClientError, match="ThrottlingException"):
        boto3.client("sqs").create_queue(QueueName="q")
    assert cloud.calls[-1].code == "ThrottlingException"
    assert "QueueUrls" not in boto3.client("sqs").list_queues()


def test_error_injected_after_leaves_the_effect(cloud: Cloud) -> None:
    """A call whose answer is lost has still changed something."""

    def fail(info: CallInfo) -> None:
        if info.operation == "CreateQueue" and info.phase == "after":
            raise throttle(info)

    cloud.inject = fail
    with pytest.raises(ClientError):
        boto3.client("sqs").create_queue(QueueName="q")
    assert len(boto3.client("sqs").list_queues()["QueueUrls"]) == 1


@pytest.mark.parametrize("phase", ["before", "after"])
def test_kill_passes_every_handler(cloud: Cloud, start: Callable[..., str], phase: str) -> None:
    """A function killed at a call cannot catch it; Step Functions sees its death."""

    def kill(info: CallInfo) -> None:
        if (info.operation, info.phase) == ("ListQueues", phase):
            raise ProcessKilled

    def careless(event: Any, context: Any) -> str:
        try:
            boto3.client("sqs").list_queues()
        except Exception:  # noqa: BLE001 - that nothing is caught here is what is tested
            return "caught"
        return "passed"

    cloud.add_function("careless", careless)
    cloud.inject = kill
    ended = cloud.wait(start({"Only": task("careless")}))
    assert (ended["status"], ended["error"]) == ("FAILED", "Runtime.ExitError")


def test_lambda_service_errors_reach_the_state_machine(
    cloud: Cloud, start: Callable[..., str]
) -> None:
    """An error injected into the invocation is seen as `Lambda.<code>` and can be retried."""
    invocations: list[int] = []

    def fail_once(info: CallInfo) -> None:
        if info.operation == "Invoke" and info.phase == "before":
            invocations.append(1)
            if len(invocations) == 1:
                error = throttle(info)
                error.response["Error"]["Code"] = "TooManyRequestsException"
                raise error

    cloud.add_function("f", lambda event, context: "ok")
    cloud.inject = fail_once
    retry = [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 2}]
    assert cloud.wait(start({"Only": task("f", Retry=retry)}))["output"] == '"ok"'
    assert cloud.waited == [("Only", 2)]


def test_kill_at_the_engines_own_call_is_a_service_error(
    cloud: Cloud, start: Callable[..., str]
) -> None:
    """Step Functions does not die; it sees a Lambda service exception."""

    def kill(info: CallInfo) -> None:
        if info.operation == "Invoke":
            raise ProcessKilled

    cloud.add_function("f", lambda event, context: "ok")
    cloud.inject = kill
    ended = cloud.wait(start({"Only": task("f")}))
    assert (ended["status"], ended["error"]) == ("FAILED", "Lambda.ServiceException")


def test_recording_holds_the_calls_of_a_block(cloud: Cloud) -> None:
    """What was called before or after the block is not in it."""
    client = boto3.client("sqs")
    client.list_queues()
    with cloud.recording() as made:
        client.create_queue(QueueName="q")
    client.list_queues()
    assert [call.operation for call in made] == ["CreateQueue"]
    assert len(cloud.calls) == 3
