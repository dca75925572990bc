"""The queues of events that functions fail on, and who may send to them."""

from __future__ import annotations

import json
from typing import Any

from firebreak import cfn, retry_queue
from firebreak.cfn import ACCOUNT, Value, Values
from firebreak.cfn.policies import allow, for_source, policy, tls_only

KEPT = retry_queue.KEPT


def both(stage: str) -> dict[str, Value]:
    """Return the retry queue, the dead letters, and the policy of both."""
    own = cfn.names(stage)
    dead = cfn.arn("sqs", own.dead_letters)
    key = {"KmsMasterKeyId": own.stage_key}
    attributes = _properties(retry_queue.attributes(dead))
    kept = {"MessageRetentionPeriod": KEPT}
    rules = [cfn.arn("events", f"rule/{cfn.rule_name(stage, name)}") for name in cfn.triggered()]
    return {
        "DeadLetters": cfn.resource("SQS::Queue", {"QueueName": own.dead_letters, **kept, **key}),
        "RetryIntake": cfn.resource(
            "SQS::Queue",
            {"QueueName": own.retry_queue, **attributes, **key},
            DependsOn="DeadLetters",
        ),
        "DeadLettersPolicy": queue_policy("DeadLetters", rules),
        "RetryIntakePolicy": queue_policy("RetryIntake", rules),
    }


def _properties(attributes: Values) -> dict[str, Any]:
    """Return the attributes of a queue as CloudFormation takes them: no texts, but values."""
    return {name: json.loads(value) for name, value in attributes.items()}


def queue_policy(queue: str, rules: list[str], **more: str) -> Value:
    """Return the policy of a queue of the template: these rules may send to it, and only by TLS.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    itself = f"${{{queue}.Arn}}"
    events = {"Service": "events.amazonaws.com"}
    sends = allow("Rules", events, "sqs:SendMessage", itself, for_source(rules, ACCOUNT))
    document = policy(sends, tls_only("sqs:*", itself))
    properties = {"Queues": [{"Ref": queue}], "PolicyDocument": document}
    return cfn.resource("SQS::QueuePolicy", properties, **more)
