"""The Lambda functions of a world, and the two ways to invoke them."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from firebreak.cloud.identity import Document
from firebreak.cloud.lambdas import Function, Handler, Result, killed
from firebreak.cloud.patching import Patch
from firebreak.cloud.queues import send_to_queue
from firebreak.cloud.roles import Keys, NotAdmitted, Roles

# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
ASYNC_RETRIES = 2


Hosted = Callable[[Any, Any], Result]


@dataclass(frozen=True)
class FailedDelivery:
    """An event that a function did not process, after every retry; or that had no function."""

    target: str
    event: Any
    error: Mapping[str, Any]
    attempts: int


class Functions:
    """The functions of a world, and the two ways to invoke them."""

    def __init__(self, account: str, region: str, roles: Roles) -> None:
        self._roles = roles
        self._account = account
        self._region = region
        self._functions: dict[str, Function] = {}
        self.hosted: Hosted | None = None
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
        if function is not None:
            return function.invoke(event)
        uploaded = uploaded_function(arn)
        if uploaded is None or self.hosted is None:
            return killed("Runtime.ImportModuleError", f"No handler was added for {arn}")
        return self.hosted(uploaded, event)

    def exists(self, arn: str) -> bool:
        """Say whether something can be invoked under an ARN."""
        return self.get(arn) is not None or uploaded_function(arn) is not None

    def deliver(self, arn: str, event: Any) -> Result:
        """Invoke as Lambda does asynchronously: retry, then hand to the failure destination."""
        attempts = 1 + self._retries(arn)
        for _ in range(attempts):
            result = self.invoke(arn, event)
            if not result.failed:
                return result
        failure = FailedDelivery(arn, event, result.value, attempts)
        self.failed_deliveries.append(failure)
        self._send_to_destination(failure)
        return result

    def _send_to_destination(self, failure: FailedDelivery) -> None:
        """Tell the failure destination: an uploaded function's role must be allowed to."""
        config = self._invoke_config(failure.target)
        queue = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
        if ":sqs:" not in queue:
            return
        if self.get(failure.target) is not None:
            send_to_queue(queue, _failure_record(failure))
            return
        role = uploaded_function(failure.target).role
        try:
            keys = self._roles.assume(role, "lambda.amazonaws.com", "destination", {})
            send_as(self._roles, keys, queue, _failure_record(failure))
        except (NotAdmitted, ClientError):
            return  # the record is lost, as on AWS

    def _retries(self, arn: str) -> int:
        return int(self._invoke_config(arn).get("MaximumRetryAttempts", ASYNC_RETRIES))

    def _invoke_config(self, arn: str) -> Mapping[str, Any]:
        uploaded = uploaded_function(arn)
        configs = uploaded.event_invoke_config if uploaded else []
        return configs[-1].config if configs else {}


def uploaded_function(arn: str) -> Any:
    """Return what moto keeps of a function, whatever version its ARN names; None where none is."""
    from moto.awslambda.models import lambda_backends

    _, _, _, region, account = arn.split(":")[:5]
    return lambda_backends[account][region].get_function_by_arn(":".join(arn.split(":")[:7]))


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


def send_as(roles: Roles, keys: Keys, queue_arn: str, record: Mapping[str, Any]) -> None:
    """Put a record into a queue in a role, as Lambda does for a failure destination."""
    _, _, _, region, account, name = queue_arn.split(":", 5)
    url = f"https://sqs.{region}.amazonaws.com/{account}/{name}"
    roles.call(keys, "sqs", region, "send_message", QueueUrl=url, MessageBody=json.dumps(record))


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
