"""SQS queues as AWS services use them: what they put in, and what Lambda takes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from firebreak.cloud.lambdas import Result
from firebreak.cloud.patching import Patch

BATCH = 10  # messages that Lambda takes at a time, if it is told nothing else
Invoke = Callable[[str, Any], Result]


def send_to_queue(arn: str, body: object, attributes: Mapping[str, str] | None = None) -> None:
    """Put a message into an SQS queue, as the AWS service that owns it would."""
    backend, name = _place(arn)
    texts = {n: {"DataType": "String", "StringValue": v} for n, v in (attributes or {}).items()}
    backend.send_message(queue_name=name, message_body=json.dumps(body), message_attributes=texts)


def time_patches(now: Callable[[], float]) -> list[Patch]:
    """Return what lets SQS go by another clock; visibility is counted from when it is set.

    AWS bounds it to 12 hours from when a message was received, moto from when it was sent.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
    """
    from moto.sqs import models
    from moto.sqs.exceptions import ReceiptHandleIsInvalid

    def change_visibility(
        backend: Any, queue_name: str, receipt_handle: str, visibility_timeout: int
    ) -> None:
        for message in backend.get_queue(queue_name)._messages:
            if message.had_receipt_handle(receipt_handle):
                message.change_visibility(int(visibility_timeout))
                return
        raise ReceiptHandleIsInvalid

    return [
        Patch(models, "unix_time_millis", lambda: now() * 1_000),
        Patch(models.SQSBackend, "change_message_visibility", change_visibility),
    ]


@dataclass(frozen=True, slots=True)
class Mapped:
    """An event source mapping: messages of a queue to a function.

    reports: whether the function's answer may say which messages of a batch failed.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """

    queue_arn: str
    function_arn: str
    invoke: Invoke
    lock: AbstractContextManager[Any]
    reports: bool = True

    def poll(self, batch: int = BATCH) -> int:
        """Hand visible messages to the function once, and delete what it handled.

        Return how many there were. What the function names in `batchItemFailures`, and everything
        where it failed as a whole, stays in the queue.
        """
        backend, name = _place(self.queue_arn)
        with self.lock:
            visibility = int(backend.get_queue(name).visibility_timeout)
            messages = backend.receive_message(name, batch, 0, visibility, ["All"])
        if messages:
            records = [self._record(message) for message in messages]
            result = self.invoke(self.function_arn, {"Records": records})
            ids = [message.id for message in messages]
            failed = set(failed_items(result, ids, reports=self.reports))
            with self.lock:
                for message in messages:
                    if message.id not in failed:
                        backend.delete_message(name, message.receipt_handle)
        return len(messages)

    def next_visible(self) -> float | None:
        """Return when the next message can be received, seconds since 1970; None in no queue."""
        backend, name = _place(self.queue_arn)
        times = [each.visible_at / 1_000 for each in backend.get_queue(name)._messages]
        return min(times, default=None)

    def _record(self, message: Any) -> dict[str, Any]:
        """Return a message as Lambda hands it to a function.

        https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
        """
        return {
            "messageId": message.id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "attributes": {
                "ApproximateReceiveCount": str(message.approximate_receive_count),
                "SentTimestamp": str(message.sent_timestamp),
                "SenderId": message.sender_id,
                "ApproximateFirstReceiveTimestamp": str(
                    message.approximate_first_receive_timestamp
                ),
            },
            "messageAttributes": {
                name: {"dataType": each["DataType"], "stringValue": each["StringValue"]}
                for name, each in message.message_attributes.items()
            },
            "md5OfBody": message.body_md5,
            "eventSource": "aws:sqs",
            "eventSourceARN": self.queue_arn,
            "awsRegion": self.queue_arn.split(":")[3],
        }


def _place(arn: str) -> tuple[Any, str]:
    from moto.sqs.models import sqs_backends

    _, _, _, region, account, name = arn.split(":", 5)
    return sqs_backends[account][region], name


def failed_items(result: Result, ids: list[str], *, reports: bool = True) -> list[str]:
    """Return which items of a batch failed, in their order.

    That is all of them where the function failed, or where its answer names one that is not there.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    if result.failed:
        return ids
    value = result.value if reports and isinstance(result.value, dict) else {}
    named = [each.get("itemIdentifier") for each in value.get("batchItemFailures") or []]
    return ids if set(named) - set(ids) else [each for each in ids if each in named]
