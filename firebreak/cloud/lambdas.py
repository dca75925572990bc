"""Run a Python callable as Lambda runs a function."""

from __future__ import annotations

import json
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from firebreak.cloud.calls import ProcessKilled
from firebreak.cloud.identity import Document, Invocation, current_invocation, role_limits

Handler = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class LambdaContext:
    """What a handler is told about its invocation, as Lambda's own context object."""

    aws_request_id: str
    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    timeout: float
    function_version: str = "$LATEST"
    log_stream_name: str = "embedded"
    identity: None = None
    client_context: None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def log_group_name(self) -> str:
        """Return the log group Lambda would write to."""
        return f"/aws/lambda/{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left of the function's timeout."""
        return max(0, int((self.timeout - (time.monotonic() - self.started)) * 1000))


@dataclass(frozen=True)
class Result:
    """What an invocation answered: a value, or the error Lambda reports."""

    value: Any
    failed: bool = False


@dataclass(frozen=True)
class Function:
    """A function of the home account and the callable behind it."""

    name: str
    arn: str
    role_arn: str
    handler: Handler
    limited: bool
    timeout: int
    memory: int

    def invoke(self, event: Any) -> Result:
        """Call the handler with a copy of the event, in a new request."""
        request_id = str(uuid.uuid4())
        context = LambdaContext(
            request_id, self.name, self.arn, str(self.memory), float(self.timeout)
        )
        invocation = Invocation(self.name, self.role_arn, request_id, self._policies())
        token = current_invocation.set(invocation)
        try:
            return _run(self.handler, event, context)
        finally:
            current_invocation.reset(token)

    def _policies(self) -> tuple[Document, ...] | None:
        if not self.limited:
            return None
        role = role_limits(self.role_arn.split(":")[4], self.role_arn)
        return role.policies if role else ()


def _run(handler: Handler, event: Any, context: LambdaContext) -> Result:
    try:
        answer = handler(json.loads(json.dumps(event)), context)
    except ProcessKilled as death:
        return killed(death.error_type, death.message(context.aws_request_id))
    except SystemExit as exit_:
        return killed(ProcessKilled.error_type, f"RequestId: {context.aws_request_id} {exit_!r}")
    except Exception as error:  # noqa: BLE001 - Lambda reports whatever a handler raises
        return Result(_error_report(error, context.aws_request_id), failed=True)
    try:
        return Result(json.loads(json.dumps(answer)))
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return killed("Runtime.MarshalError", message)


def killed(error_type: str, message: str) -> Result:
    """Return what Lambda itself reports when a handler could not."""
    return Result({"errorType": error_type, "errorMessage": message}, failed=True)


def _error_report(error: Exception, request_id: str) -> dict[str, Any]:
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }
