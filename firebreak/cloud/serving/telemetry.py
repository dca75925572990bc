"""What Lambda itself writes for a function, in the function's role: logs and traces."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from firebreak.cloud.arns import ANY
from firebreak.cloud.backends.lambda_functions import logging_of
from firebreak.cloud.roles import Keys, NotAdmitted, Roles


def write_logs(roles: Roles, function: Any, keys: Keys, stream: str, lines: Sequence[str]) -> None:
    """Put lines into the function's log group, which is made where the role may and it is not.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
    """
    group, region = logging_of(function)["LogGroup"], function.region
    at = {"logGroupName": group, "logStreamName": stream}
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines if line]
    try:
        _ensure_stream(roles, keys, region, at)
        if events:
            roles.call(keys, "logs", region, "put_log_events", **at, logEvents=events)
    except ClientError:
        return  # without the permission, or the group, there are no logs


def _ensure_stream(roles: Roles, keys: Keys, region: str, at: dict[str, str]) -> None:
    try:
        roles.call(keys, "logs", region, "create_log_stream", **at)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceAlreadyExistsException":
            return
        if code != "ResourceNotFoundException":
            raise
        roles.call(keys, "logs", region, "create_log_group", logGroupName=at["logGroupName"])
        roles.call(keys, "logs", region, "create_log_stream", **at)


def trace(roles: Roles, function: Any, keys: Keys, began: float, *, failed: bool) -> None:
    """Put the segment of an invocation, where the function's tracing is active.

    https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
    """
    if (function.tracing_config or {}).get("Mode") != "Active":
        return
    number = f"{int(began * 1e6):024x}"[-24:]
    segment = {
        "name": function.function_name,
        "id": number[-16:],
        "trace_id": f"1-{int(began):08x}-{number}",
        "start_time": began,
        "end_time": time.time(),
        "fault": failed,
        "origin": "AWS::Lambda::Function",
    }
    documents = [json.dumps(segment)]
    try:
        roles.check(keys, "xray:PutTelemetryRecords", ANY)
        roles.call(
            keys, "xray", function.region, "put_trace_segments", TraceSegmentDocuments=documents
        )
    except (NotAdmitted, ClientError):
        return  # a trace that is refused is lost; the function does not fail for it
