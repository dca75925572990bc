"""The Lambda functions of a world, and the two ways to invoke them."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from firebreak.cloud.identity import Document
from firebreak.cloud.lambdas import Function, Handler, Result, killed
from firebreak.cloud.patching import Patch
from firebreak.cloud.queues import send_to_queue

# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
ASYNC_RETRIES = 2


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
        result = self.invoke(moto_function.function_arn, event)
        if result.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        return json.dumps(result.value).encode()

    def invoke(self, arn: str, event: Any) -> Result:
        """Invoke a function once, as who waits for its answer."""
        function = self.get(arn)
        if function is None:
            return killed("Runtime.ImportModuleError", f"No handler was added for {arn}")
        return function.invoke(event)

    def deliver(self, arn: str, event: Any) -> Result:
        """Invoke as Lambda does asynchronously: retry, then hand to the failure destination."""
        attempts = 1 + self._retries(arn)
        for _ in range(attempts):
            result = self.invoke(arn, event)
            if not result.failed:
                return result
        failure = FailedDelivery(arn, event, result.value, attempts)
        self.failed_deliveries.append(failure)
        _send_to_destination(self._invoke_config(arn), failure)
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


def _send_to_destination(config: Mapping[str, Any], failure: FailedDelivery) -> None:
    destination = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
    if ":sqs:" in destination:
        send_to_queue(destination, _failure_record(failure))


def _failure_record(failure: FailedDelivery) -> dict[str, Any]:
    """Return what Lambda tells a failure destination."""
    return {
        "version": "1.0",
        "timestamp": f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%S.000Z}",
        "requestContext": {
            "functionArn": f"{failure.target}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": failure.attempts,
        },
        "requestPayload": failure.event,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": failure.error,
    }
