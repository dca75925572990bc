"""Hand events to the targets of rules, as far as the policies of both ends let EventBridge.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html
"""

from __future__ import annotations

import copy
import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any

from firebreak.cloud.admission import Sender, bus_admits, function_admits, queue_admits, source
from firebreak.cloud.functions import FailedDelivery, Functions, uploaded_function
from firebreak.cloud.lambdas import Result
from firebreak.cloud.queues import send_to_queue
from firebreak.cloud.roles import Denied, NotAdmitted, Roles

Event = Mapping[str, Any]
Forward = Callable[[Any, str, Event, int], list[Result]]

SERVICE = "events.amazonaws.com"


class Targets:
    """The targets of every rule of a world."""

    def __init__(self, functions: Functions, roles: Roles, forward: Forward) -> None:
        self._functions, self._roles, self._forward = functions, roles, forward

    def hand_over(self, rule: Any, target: Any, event: Event, hops: int) -> list[Result]:
        """Give an event to a target; what it may not have goes to the target's dead letters."""
        service = target["Arn"].split(":")[2]
        if "Input" in target:
            event = json.loads(target["Input"])
        if service == "lambda":
            return self._to_function(rule, target, event)
        if service == "events" and ":event-bus/" in target["Arn"]:
            return self._to_bus(rule, target, event, hops)
        if service == "sqs" and not target.keys() & {"InputTransformer", "SqsParameters"}:
            self._to_queue(rule, target, event)
        else:
            _to_moto(rule, target, event)
        return []

    def _to_function(self, rule: Any, target: Any, event: Event) -> list[Result]:
        arn = target["Arn"]
        if not self._functions.exists(arn):
            self._undeliverable(rule, target, event, "RESOURCE_NOT_FOUND")
            return []
        in_process = self._functions.get(arn) is not None  # whoever added it wanted its rules
        if not in_process and not function_admits(uploaded_function(arn), SERVICE, rule.arn):
            self._refuse(rule, target, event, "lambda", "InvokeFunction")
            return []
        return [self._functions.deliver(arn, copy.deepcopy(dict(event)))]

    def _to_queue(self, rule: Any, target: Any, event: Event) -> None:
        if queue_admits(target["Arn"], SERVICE, rule.arn):
            send_to_queue(target["Arn"], event)
        else:
            self._refuse(rule, target, event, "sqs", "SendMessage")

    def _to_bus(self, rule: Any, target: Any, event: Event, hops: int) -> list[Result]:
        """Forward an event as it is; EventBridge forwards it at most once more."""
        from moto.events.models import events_backends

        _, _, _, region, account, name = target["Arn"].split(":", 5)
        backend = events_backends[account][region]
        bus = backend.event_buses.get(name.split("/", 1)[1])
        if bus is None or hops > 0 or not self._may_forward(rule, target, bus, event):
            self._refuse(rule, target, event, "events", "PutEvents")
            return []
        return self._forward(backend, bus.name, event, hops + 1)

    def _may_forward(self, rule: Any, target: Any, bus: Any, event: Event) -> bool:
        role = target.get("RoleArn")
        if role is None:
            return bus_admits(bus, Sender(rule.account_id), event)
        try:
            keys = self._roles.assume(role, SERVICE, "events", source(rule.arn))
            self._roles.check(keys, "events:PutEvents", bus.arn)
        except NotAdmitted:
            return False
        return bus_admits(bus, Sender(rule.account_id, role), event)

    def _refuse(self, rule: Any, target: Any, event: Event, service: str, operation: str) -> None:
        message = f"{rule.arn} may not call {service}:{operation} on {target['Arn']}"
        self._roles.denied.append(Denied(rule.arn, service, operation, message))
        self._undeliverable(rule, target, event, "NO_PERMISSIONS")

    def _undeliverable(self, rule: Any, target: Any, event: Event, code: str) -> None:
        """Keep what EventBridge could not hand over: its dead-letter queue gets it, if any."""
        error = {"errorType": code, "errorMessage": f"{rule.arn} could not reach {target['Arn']}"}
        self._functions.failed_deliveries.append(FailedDelivery(target["Arn"], event, error, 1))
        queue = target.get("DeadLetterConfig", {}).get("Arn")
        if queue is None:
            return
        if not queue_admits(queue, SERVICE, rule.arn):
            message = f"{rule.arn} may not call sqs:SendMessage on {queue}"
            self._roles.denied.append(Denied(rule.arn, "sqs", "SendMessage", message))
            return
        attributes = {
            "RULE_ARN": str(rule.arn),
            "TARGET_ARN": str(target["Arn"]),
            "ERROR_CODE": code,
            "ERROR_MESSAGE": error["errorMessage"],
        }
        send_to_queue(queue, event, attributes)


def _to_moto(rule: Any, target: Any, event: Event) -> None:
    """Let moto deliver to a target of another kind (queues, log groups)."""
    from moto.events.models import EventPattern

    only = copy.copy(rule)
    only.targets = [target]
    only.event_pattern = EventPattern(None, {})
    when = dt.datetime.fromisoformat(str(event["time"]))
    moment = when.timestamp()
    only.send_to_targets({**event, "time": moment, "ingestion-time": moment})
