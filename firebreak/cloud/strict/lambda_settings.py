"""Lambda: permissions, reserved concurrency, asynchronous invocation and mappings of a function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.patching import Patch
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
CONCURRENCY = 1000  # of an account in a region, unless it has another quota
UNRESERVED = 100  # what always stays for functions without a reservation


def _backend(account: str, region: str) -> Any:
    from moto.awslambda.models import lambda_backends

    return lambda_backends[account][region]


def limit_concurrency(account: str, region: str, total: int) -> None:
    """Give an account another quota of concurrent executions; new ones have ten."""
    _backend(account, region).concurrency_quota = total


def quota(backend: Any) -> int:
    """Return how many executions there may be at a time."""
    return int(vars(backend).get("concurrency_quota", CONCURRENCY))


def unreserved(backend: Any, without: str = "") -> int:
    """Return what of the quota is not reserved, a function left out."""
    reserved = [
        int(each.reserved_concurrency or 0)
        for each in backend.list_functions()
        if each.function_name != without
    ]
    return quota(backend) - sum(reserved)


@CORRECTIONS.refuses("PutFunctionConcurrency")
def reserved_concurrency(info: CallInfo, principal: Principal) -> None:
    """Refuse a reservation that leaves too little for the other functions.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
    """
    backend = _backend(info.account, info.region)
    name = str(info.params["FunctionName"]).rsplit(":", 1)[-1]
    least = min(UNRESERVED, quota(backend))
    left = unreserved(backend, name) - int(info.params["ReservedConcurrentExecutions"])
    if left < least:
        raise Refusal(
            "InvalidParameterValueException",
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{least}].",
        )


@CORRECTIONS.refuses("AddPermission")
def statement_id(info: CallInfo, principal: Principal) -> None:
    """Refuse a second statement under an id that is taken.

    https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
    """
    name = str(info.params["FunctionName"])
    if info.params["StatementId"] in [each["Sid"] for each in _statements(info, name)]:
        raise Refusal(
            "ResourceConflictException",
            f"The statement id ({info.params['StatementId']}) provided already exists. Please "
            "provide a new statement id, or remove the existing statement.",
            409,
        )


def _statements(info: CallInfo, name: str) -> list[Any]:
    function = _function(info, name)
    return list(function.policy.statements) if function is not None else []


def _function(info: CallInfo, name: str) -> Any:
    """Return a function of the caller's account; None where there is none, which moto says."""
    from moto.awslambda.exceptions import UnknownFunctionException

    try:
        return _backend(info.account, info.region).get_function(name)
    except UnknownFunctionException:
        return None


@CORRECTIONS.refuses("CreateEventSourceMapping")
def visibility(info: CallInfo, principal: Principal) -> None:
    """Refuse a queue whose messages come back before the function's time is up.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """
    from moto.sqs.models import sqs_backends

    arn = str(info.params.get("EventSourceArn", ""))
    queues: Any = sqs_backends[info.account][info.region].queues.values()
    function = _function(info, info.params["FunctionName"])
    for queue in [each for each in queues if function is not None and each.queue_arn == arn]:
        if int(queue.visibility_timeout) < int(function.timeout):
            raise Refusal(
                "InvalidParameterValueException",
                f"Queue visibility timeout: {queue.visibility_timeout} seconds is less than "
                f"Function timeout: {function.timeout} seconds",
            )


@CORRECTIONS.replaces
def patches() -> list[Patch]:
    """Return what configuring asynchronous invocation is."""
    from moto.awslambda.models import LambdaBackend

    return [
        Patch(LambdaBackend, "put_function_event_invoke_config", _put_invoke_config),
        Patch(LambdaBackend, "update_function_event_invoke_config", _update_invoke_config),
    ]


def _put_invoke_config(
    backend: Any, function_name: str, config: Mapping[str, Any]
) -> dict[str, Any]:
    """Put a configuration in the place of the one that is there; moto keeps the first.

    https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
    """
    from moto.awslambda.models import EventInvokeConfig

    function = backend.get_function(function_name)
    made = EventInvokeConfig(function.function_arn, function.last_modified, dict(config))
    function.event_invoke_config[:] = [made]
    told: dict[str, Any] = made.response()
    return told


def _update_invoke_config(
    backend: Any, function_name: str, config: Mapping[str, Any]
) -> dict[str, Any]:
    """Change what is said, and leave the rest of the configuration as it is.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionEventInvokeConfig.html
    """
    backend.get_function_event_invoke_config(function_name)  # raises where there is none
    before = backend.get_function(function_name).event_invoke_config[-1].config
    return _put_invoke_config(backend, function_name, {**before, **config})
