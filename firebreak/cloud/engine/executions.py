"""The Step Functions operations on executions and task tokens, answered as AWS answers them."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import InvalidName, ValidationException
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
    CallbackOutcomeTimedOut,
)
from moto.stepfunctions.responses import StepFunctionResponse

from firebreak.cloud.engine.context import Context, Running
from firebreak.cloud.engine.limits import MAX_PAYLOAD_BYTES
from firebreak.cloud.engine.tokens import TaskToken
from firebreak.cloud.patching import Patch, as_method

_NOT_IN_NAMES = frozenset(' \t\n\r<>{}[]?*"#%\\^|~`$&,;:/')
_AT_MOST = "failed to satisfy constraint: Member must have length less than or equal to {}"


class InvalidToken(AWSError):
    """Nobody was ever given this token."""

    TYPE = "InvalidToken"


class TaskTimedOut(AWSError):
    """The token has expired, or its task is closed already."""

    TYPE = "TaskTimedOut"


class InvalidOutput(AWSError):
    """The output is not JSON."""

    TYPE = "InvalidOutput"


class Executions:
    """Operations that act on what runs in an engine."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def patches(self) -> list[Patch]:
        """Return the operations replaced in moto's Step Functions."""
        operations: dict[str, Callable[[Any], ActionResult]] = {
            "start_execution": start_execution,
            "describe_execution": describe_execution,
            "stop_execution": self._stop_execution,
            "send_task_success": self._send_task_success,
            "send_task_failure": self._send_task_failure,
            "send_task_heartbeat": self._send_task_heartbeat,
        }
        return [
            Patch(StepFunctionResponse, name, as_method(operation))
            for name, operation in operations.items()
        ]

    def expire_tasks(self) -> int:
        """Let the time of every waiting task that has a TimeoutSeconds run out."""
        expired = 0
        for token in self._context.tokens.waiting():
            if token.timeout is not None and token.resolve(CallbackOutcomeTimedOut(token.value)):
                self._context.pass_time(token.state, token.timeout)
                expired += 1
        return expired

    def time_out(self, arn: str) -> None:
        """Let the time of a whole execution run out: its status becomes TIMED_OUT."""
        self._halt(self._context.executions[arn], lambda env: env.set_timed_out())

    def status_event(self, running: Running) -> dict[str, Any]:
        """Return the event Step Functions sends when an execution starts and when it ends."""
        execution = running.worker._execution_communication.execution
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Step Functions Execution Status Change",
            "source": "aws.states",
            "account": running.account,
            "time": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": running.region,
            "resources": [running.arn],
            "detail": _status_detail(execution),
        }

    def stop_all(self) -> None:
        """Abort whatever runs, and join its threads."""
        for running in list(self._context.executions.values()):
            self._stop(running, None, None)
        for running in list(self._context.executions.values()):
            running.activity.wait_until_still(5.0)

    def _halt(self, running: Running, end: Callable[[Any], None]) -> None:
        """End an execution from outside: mark its environment, then wake what is parked in it."""
        end(running.worker.env)
        self._context.tokens.wake_dead(running.activity)

    def _stop(self, running: Running, error: str | None, cause: str | None) -> None:
        now = dt.datetime.now(tz=dt.UTC)
        self._halt(running, lambda env: env.set_stop(stop_date=now, cause=cause, error=error))

    def _stop_execution(self, response: Any) -> ActionResult:
        arn = response._get_param("executionArn")
        execution = response.stepfunction_backend.describe_execution(arn)
        if execution.status == "RUNNING":
            execution.error = response._get_param("error")
            execution.cause = response._get_param("cause")
            execution.stop_date = dt.datetime.now(tz=dt.UTC)
            self._stop(self._context.executions[arn], execution.error, execution.cause)
        return ActionResult({"stopDate": execution.stop_date})

    def _token(self, response: Any) -> TaskToken:
        token = self._context.tokens.find(response._get_param("taskToken"))
        if token is None:
            raise InvalidToken("Invalid Token: 'Invalid token'")
        return token

    def _close(self, token: TaskToken, outcome: object) -> ActionResult:
        if not token.resolve(outcome):
            raise TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'")
        return EmptyResult()

    def _send_task_success(self, response: Any) -> ActionResult:
        output = response._get_param("output")
        if len(output.encode()) > MAX_PAYLOAD_BYTES:
            raise ValidationException(f"Value at 'output' {_AT_MOST.format(MAX_PAYLOAD_BYTES)}")
        try:
            json.loads(output)
        except ValueError as error:
            raise InvalidOutput(f"Invalid Output: '{error}'") from None
        token = self._token(response)
        return self._close(token, CallbackOutcomeSuccess(token.value, output=output))

    def _send_task_failure(self, response: Any) -> ActionResult:
        token = self._token(response)
        error, cause = response._get_param("error"), response._get_param("cause")
        return self._close(token, CallbackOutcomeFailure(token.value, error=error, cause=cause))

    def _send_task_heartbeat(self, response: Any) -> ActionResult:
        if not self._token(response).waiting:
            raise TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'")
        return EmptyResult()


def start_execution(response: Any) -> ActionResult:
    """Start an execution; unnamed ones get a name.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
    """
    name = response._get_param("name") or str(uuid.uuid4())
    given = response._get_param("input", if_none="{}")
    if len(name) > 80:
        raise ValidationException(f"Value '{name}' at 'name' {_AT_MOST.format(80)}")
    if set(name) & _NOT_IN_NAMES or not name.isprintable():
        raise InvalidName(f"Invalid Name: '{name}'")
    if len(given.encode()) > MAX_PAYLOAD_BYTES:
        raise ValidationException(f"Value at 'input' {_AT_MOST.format(MAX_PAYLOAD_BYTES)}")
    machine = response._get_param("stateMachineArn")
    execution = response.stepfunction_backend.start_execution(machine, name, given)
    return ActionResult(
        {"executionArn": execution.execution_arn, "startDate": execution.start_date}
    )


def describe_execution(response: Any) -> ActionResult:
    """Describe an execution; its output is JSON text, and an ended one has a stop date."""
    arn = response._get_param("executionArn")
    execution = response.stepfunction_backend.describe_execution(arn)
    described = {
        "executionArn": arn,
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "name": execution.name,
        "startDate": execution.start_date,
        "stateMachineArn": execution.state_machine_arn,
        "stateMachineVersionArn": vars(execution).get("version_arn"),
        "status": execution.status,
        "error": execution.error,
        "cause": execution.cause,
    }
    if execution.status != "RUNNING":
        described["stopDate"] = execution.stop_date
    if execution.status == "SUCCEEDED":
        described["output"] = json.dumps(execution.output, separators=(",", ":"))
        described["outputDetails"] = {"included": True}
    return ActionResult({key: value for key, value in described.items() if value is not None})


def _status_detail(execution: Any) -> dict[str, Any]:
    """Return the detail of a status change.

    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    output = execution.output if execution.status == "SUCCEEDED" else None
    return {
        "executionArn": execution.execution_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": _milliseconds(execution.start_date),
        "stopDate": _milliseconds(execution.stop_date),
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "output": None if output is None else json.dumps(output, separators=(",", ":")),
        "outputDetails": None if output is None else {"included": True},
        "error": execution.error,
        "cause": execution.cause,
    }


def _milliseconds(moment: dt.datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
