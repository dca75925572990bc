"""Subscriptions of log groups: what CloudWatch Logs hands on, to functions and to destinations."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from firebreak.cloud.admission import (
    Sender,
    function_admits,
    resource_admits,
    sender_context,
    source,
)
from firebreak.cloud.functions import Functions, uploaded_function
from firebreak.cloud.patching import Patch
from firebreak.cloud.policy import Request
from firebreak.cloud.roles import Denied, NotAdmitted, Roles, parsed

SERVICE = "logs.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Batch:
    """Log events on their way to whoever subscribed."""

    group_arn: str
    destination: str
    data: str


class Subscriptions:
    """The subscriptions of every log group of a world."""

    def __init__(self, functions: Functions, roles: Roles) -> None:
        self._functions, self._roles = functions, roles
        self._put = threading.local()

    def patches(self) -> list[Patch]:
        """Return what keeps log events until their call is over, and takes destinations' ARNs."""
        from moto.logs.models import LogsBackend, LogStream

        subscriptions, subscribe = self, LogsBackend.put_subscription_filter

        def send(
            stream: Any, service: str, destination_arn: str, filter_name: str, log_events: Any
        ) -> None:
            del service
            data = _packed(stream, filter_name, log_events)
            batch = Batch(stream.log_group.arn, destination_arn, data)
            subscriptions._pending().append(batch)

        def put(backend: Any, log_group_name: str, *args: Any, **kwargs: Any) -> None:
            arn = kwargs.get("destination_arn") or args[2]
            group = backend.groups.get(log_group_name)
            if ":destination:" not in arn or group is None:
                subscribe(backend, log_group_name, *args, **kwargs)
                return
            _check_destination(arn, backend.account_id)
            group.put_subscription_filter(*args, **kwargs)

        return [
            Patch(LogStream, "_send_log_events", send),
            Patch(LogsBackend, "put_subscription_filter", put),
        ]

    def _pending(self) -> list[Batch]:
        pending: list[Batch] = self._put.__dict__.setdefault("pending", [])
        return pending

    def deliver_pending(self) -> None:
        """Hand on what was logged; called outside the lock, so that functions can run."""
        while self._pending():
            batch = self._pending().pop(0)
            if ":destination:" in batch.destination:
                self._to_destination(batch)
            else:
                self._to_function(batch)

    def _to_function(self, batch: Batch) -> None:
        """Invoke the function asynchronously.

        https://docs.aws.amazon.com/lambda/latest/dg/services-cloudwatchlogs.html
        """
        arn = batch.destination
        in_process = self._functions.get(arn) is not None
        if in_process or function_admits(uploaded_function(arn), SERVICE, f"{batch.group_arn}:*"):
            self._functions.deliver(arn, {"awslogs": {"data": batch.data}})
        else:
            self._refuse(batch, "lambda", "InvokeFunction")

    def _to_destination(self, batch: Batch) -> None:
        """Put a record into the stream of a destination, in the destination's role.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CrossAccountSubscriptions.html
        """
        destination = _destination(batch.destination)
        if destination is None or not _lets(destination, batch.group_arn.split(":")[4]):
            self._refuse(batch, "logs", "PutSubscriptionFilter")
            return
        stream, data = destination.target_arn, base64.b64decode(batch.data)
        try:
            keys = self._roles.assume(
                destination.role_arn, SERVICE, "logs", source(f"{batch.group_arn}:*")
            )
            self._roles.call(
                keys,
                "kinesis",
                stream.split(":")[3],
                "put_record",
                StreamARN=stream,
                Data=data,
                PartitionKey=batch.group_arn,
            )
        except (NotAdmitted, ClientError):
            return  # kept in `denied`; what is not admitted does not arrive

    def _refuse(self, batch: Batch, service: str, operation: str) -> None:
        message = f"{batch.group_arn} may not call {service}:{operation} on {batch.destination}"
        self._roles.denied.append(Denied(batch.group_arn, service, operation, message))


def _packed(stream: Any, filter_name: str, log_events: Any) -> str:
    said = {
        "messageType": "DATA_MESSAGE",
        "owner": stream.account_id,
        "logGroup": stream.log_group.name,
        "logStream": stream.log_stream_name,
        "subscriptionFilters": [filter_name],
        "logEvents": log_events,
    }
    return base64.b64encode(gzip.compress(json.dumps(said).encode())).decode()


def _destination(arn: str) -> Any:
    from moto.logs.models import logs_backends

    _, _, _, region, account, _ = arn.split(":", 5)
    return logs_backends[account][region].destinations.get(arn)


def _lets(destination: Any, account: str) -> bool:
    sender = Sender(account)
    wanted = Request("logs:PutSubscriptionFilter", destination.arn, sender_context(sender))
    return resource_admits(parsed(destination.access_policy), sender, wanted)


def _check_destination(arn: str, account: str) -> None:
    from moto.logs.exceptions import InvalidParameterException

    destination = _destination(arn)
    if destination is None or not _lets(destination, account):
        raise InvalidParameterException(
            f"Could not deliver test message to specified destination {arn}. "
            "Check that it exists and that its access policy admits the account."
        )
