"""Run Lambda functions in the process: a function is a Python callable, invoked as Lambda would."""

from __future__ import annotations

import base64
import io
import json
import time
import traceback
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from firebreak.cloud.calls import ProcessKilled
from firebreak.cloud.identity import Document, Invocation, current_invocation, role_policies
from firebreak.cloud.patching import Patch

Handler = Callable[[Any, Any], Any]

ASYNC_RETRIES = (
    2  # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
)


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
        account = self.role_arn.split(":")[4]
        return role_policies(account, self.role_arn) if self.limited else None


def _run(handler: Handler, event: Any, context: LambdaContext) -> Result:
    try:
        answer = handler(json.loads(json.dumps(event)), context)
    except ProcessKilled as death:
        return _killed(death.error_type, death.message(context.aws_request_id))
    except SystemExit as exit_:
        return _killed(ProcessKilled.error_type, f"RequestId: {context.aws_request_id} {exit_!r}")
    except Exception as error:  # noqa: BLE001 - Lambda reports whatever a handler raises
        return Result(_error_report(error, context.aws_request_id), failed=True)
    try:
        return Result(json.loads(json.dumps(answer)))
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return _killed("Runtime.MarshalError", message)


def _killed(error_type: str, message: str) -> Result:
    return Result({"errorType": error_type, "errorMessage": message}, failed=True)


def _error_report(error: Exception, request_id: str) -> dict[str, Any]:
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


@dataclass(frozen=True)
class FailedDelivery:
    """An event that a function did not process, after every retry; or that had no function."""

    target: str
    event: Any
    error: Mapping[str, Any]
    attempts: int


class Functions:
    """The functions of a world, and the two ways to invoke them."""

    def __init__(self, account: str, region: str) -> None:
        self._account = account
        self._region = region
        self._functions: dict[str, Function] = {}
        self.failed_deliveries: list[FailedDelivery] = []
        self.on_failure: Callable[[Any, FailedDelivery], None] | None = None

    def patches(self) -> list[Patch]:
        """Return the patch that runs our callables where moto would start a container."""
        from moto.awslambda.models import LambdaFunction

        functions = self

        def invoke(fn: Any, body: Any, request_headers: Any, response_headers: Any) -> str | bytes:
            return functions.answer(fn, body, request_headers, response_headers)

        return [Patch(LambdaFunction, "invoke", invoke)]

    def add(
        self,
        name: str,
        handler: Handler,
        role_policy: Document | None,
        role_name: str | None,
        timeout: int,
        memory: int,
    ) -> str:
        """Create the function and its role; return the function's ARN."""
        from moto.awslambda.models import lambda_backends

        role_arn = self._create_role(role_name or f"{name}-role"[:64], role_policy)
        created = lambda_backends[self._account][self._region].create_function(
            {
                "FunctionName": name,
                "Runtime": "python3.12",
                "Role": role_arn,
                "Handler": "app.handler",
                "Code": {"ZipFile": _empty_package()},
                "Timeout": timeout,
                "MemorySize": memory,
            }
        )
        self._functions[created.function_arn] = Function(
            name, created.function_arn, role_arn, handler, role_policy is not None, timeout, memory
        )
        return str(created.function_arn)

    def _create_role(self, role_name: str, role_policy: Document | None) -> str:
        from moto.iam.models import iam_backends

        backend = iam_backends[self._account]["aws"]
        existing = [role for role in backend.get_roles() if role.name == role_name]
        role = (
            existing[0]
            if existing
            else backend.create_role(
                role_name=role_name,
                assume_role_policy_document=json.dumps(_LAMBDA_TRUST),
                path="/",
                permissions_boundary=None,
                description="",
                tags=[],
                max_session_duration="3600",
            )
        )
        if role_policy is not None:
            backend.put_role_policy(role_name, "function", json.dumps(role_policy))
        return str(role.arn)

    def get(self, arn: str) -> Function | None:
        """Return the function of an ARN, whatever version it names."""
        return self._functions.get(":".join(arn.split(":")[:7]))

    def answer(
        self, moto_function: Any, body: Any, request_headers: Any, response_headers: Any
    ) -> str | bytes:
        """Answer an Invoke request."""
        kind = request_headers.get("x-amz-invocation-type", "RequestResponse")
        event = json.loads(body) if body else {}
        if kind == "DryRun":
            return ""
        if kind == "Event":
            self.deliver(moto_function.function_arn, event)
            return ""
        result = self._invoke(moto_function.function_arn, event)
        if result.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        return json.dumps(result.value).encode()

    def _invoke(self, arn: str, event: Any) -> Result:
        function = self.get(arn)
        if function is None:
            return _killed("Runtime.ImportModuleError", f"No handler was added for {arn}")
        return function.invoke(event)

    def deliver(self, arn: str, event: Any) -> Result:
        """Invoke as Lambda does asynchronously: retry, then hand to the failure destination."""
        attempts = 1 + self._retries(arn)
        for _ in range(attempts):
            result = self._invoke(arn, event)
            if not result.failed:
                return result
        failure = FailedDelivery(arn, event, result.value, attempts)
        self.failed_deliveries.append(failure)
        if self.on_failure is not None:
            self.on_failure(self._invoke_config(arn), failure)
        return result

    def _retries(self, arn: str) -> int:
        return int(self._invoke_config(arn).get("MaximumRetryAttempts", ASYNC_RETRIES))

    def _invoke_config(self, arn: str) -> Mapping[str, Any]:
        from moto.awslambda.models import lambda_backends

        configs = lambda_backends[self._account][self._region].get_function(arn).event_invoke_config
        return configs[-1].config if configs else {}


_LAMBDA_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@cache
def _empty_package() -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("app.py", "")
    return base64.b64encode(buffer.getvalue()).decode()
