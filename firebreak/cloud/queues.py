"""Put messages into SQS queues, as the AWS services that own them would."""

from __future__ import annotations

import json


def send_to_queue(arn: str, body: object) -> None:
    """Put a message into an SQS queue, as the AWS service that owns it would."""
    from moto.sqs.models import sqs_backends

    _, _, _, region, account, name = arn.split(":", 5)
    sqs_backends[account][region].send_message(queue_name=name, message_body=json.dumps(body))
