"""EventBridge rules: match events as EventBridge does, and deliver them to functions and buses."""

from __future__ import annotations

import copy
import datetime as dt
import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from firebreak.cloud.functions import FailedDelivery, Functions
from firebreak.cloud.lambdas import Result
from firebreak.cloud.patching import Patch
from firebreak.cloud.queues import send_to_queue

Event = Mapping[str, Any]

NOT_AUTHORIZED = "NotAuthorizedForSourceException"


class Rules:
    """The rules of every bus of a world, and what they deliver."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._put = threading.local()

    def patches(self) -> list[Patch]:
        """Return the operation replaced in moto's EventBridge."""
        from moto.events.models import EventsBackend

        rules = self

        def put_events(backend: Any, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [rules.put_entry(backend, entry) for entry in entries]

        return [Patch(EventsBackend, "put_events", put_events)]

    def add(
        self,
        client: Any,
        name: str,
        pattern: Mapping[str, Any],
        function_arn: str,
        state: str = "ENABLED",
        dead_letter_arn: str | None = None,
    ) -> str:
        """Put a rule on the default bus with a function as its target; return the rule's ARN."""
        arn = client.put_rule(Name=name, EventPattern=json.dumps(pattern), State=state)["RuleArn"]
        target: dict[str, Any] = {"Id": name, "Arn": function_arn}
        if dead_letter_arn is not None:
            target["DeadLetterConfig"] = {"Arn": dead_letter_arn}
        client.put_targets(Rule=name, Targets=[target])
        return str(arn)

    def put_entry(self, backend: Any, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Accept or refuse one entry of a PutEvents request."""
        problem = _problem(entry)
        if problem is not None:
            return {"ErrorCode": problem[0], "ErrorMessage": problem[1]}
        event = _envelope(backend, entry)
        bus_name = str(entry.get("EventBusName") or "default").rsplit("/", 1)[-1]
        self._pending().append((backend, bus_name, event))
        return {"EventId": event["id"]}

    def _pending(self) -> list[tuple[Any, str, Event]]:
        """Return what the calling thread has put and not yet delivered."""
        pending: list[tuple[Any, str, Event]] = self._put.__dict__.setdefault("pending", [])
        return pending

    def deliver_pending(self) -> None:
        """Deliver what was put; called outside the lock, so that functions can run."""
        while self._pending():
            self.deliver(*self._pending().pop(0))

    def deliver(self, backend: Any, bus_name: str, event: Event, hops: int = 0) -> list[Result]:
        """Hand an event to the targets of every enabled rule of a bus that matches it."""
        results = []
        for rule in self._matching(backend, bus_name, event):
            for target in list(rule.targets):
                results += self._hand_over(rule, target, event, hops)
        return results

    def _matching(self, backend: Any, bus_name: str, event: Event) -> Iterator[Any]:
        bus = backend.event_buses.get(bus_name)
        for rule in list(bus.rules.values()) if bus else ():
            pattern = rule.event_pattern.get_pattern()
            if rule.state != "DISABLED" and pattern and matches(pattern, event):
                yield rule

    def _hand_over(self, rule: Any, target: Any, event: Event, hops: int) -> list[Result]:
        service = target["Arn"].split(":")[2]
        if service == "lambda":
            return self._to_function(rule, target, event)
        if service == "events" and ":event-bus/" in target["Arn"]:
            return self._to_bus(rule, target, event, hops)
        if service == "sqs" and not target.keys() & {"InputTransformer", "SqsParameters"}:
            send_to_queue(target["Arn"], event)
        else:
            _to_moto(rule, target, event)
        return []

    def _to_function(self, rule: Any, target: Any, event: Event) -> list[Result]:
        if self._functions.get(target["Arn"]) is None:
            self._undeliverable(rule, target, event, "RESOURCE_NOT_FOUND")
            return []
        return [self._functions.deliver(target["Arn"], copy.deepcopy(dict(event)))]

    def _to_bus(self, rule: Any, target: Any, event: Event, hops: int) -> list[Result]:
        """Forward an event as it is; EventBridge forwards it at most once more."""
        from moto.events.models import events_backends

        _, _, _, region, account, name = target["Arn"].split(":", 5)
        backend = events_backends[account][region]
        bus = backend.event_buses.get(name.split("/", 1)[1])
        if bus is None or hops > 0 or not _admits(bus, rule.account_id):
            self._undeliverable(rule, target, event, "NO_PERMISSIONS")
            return []
        return self.deliver(backend, bus.name, event, hops + 1)

    def _undeliverable(self, rule: Any, target: Any, event: Event, code: str) -> None:
        """Keep what EventBridge could not hand over: its dead-letter queue gets it, if any."""
        error = {"errorType": code, "errorMessage": f"{rule.arn} could not reach {target['Arn']}"}
        self._functions.failed_deliveries.append(FailedDelivery(target["Arn"], event, error, 1))
        queue = target.get("DeadLetterConfig", {}).get("Arn")
        if queue is not None:
            attributes = {
                "RULE_ARN": str(rule.arn),
                "TARGET_ARN": str(target["Arn"]),
                "ERROR_CODE": code,
                "ERROR_MESSAGE": error["errorMessage"],
            }
            send_to_queue(queue, event, attributes)


def matches(pattern: Mapping[str, Any], event: Event) -> bool:
    """Match with the project's own event patterns, which are EventBridge's."""
    from chalicelib.pattern import EventPattern

    return bool(EventPattern(pattern).matches(event))


def _problem(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            reason = f"Parameter {name} is not valid. Reason: {name} is a required argument."
            return "InvalidArgument", reason
    if str(entry["Source"]).startswith("aws."):
        return NOT_AUTHORIZED, "Not authorized for the source."
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        return "MalformedDetail", "Detail is malformed."
    return None if isinstance(detail, dict) else ("MalformedDetail", "Detail is malformed.")


def _envelope(backend: Any, entry: Mapping[str, Any]) -> Event:
    put_at = entry.get("Time")
    moment = dt.datetime.fromtimestamp(float(put_at), dt.UTC) if put_at else dt.datetime.now(dt.UTC)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": backend.account_id,
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": backend.region_name,
        "resources": list(entry.get("Resources", [])),
        "detail": json.loads(entry["Detail"]),
    }


def _admits(bus: Any, account: str) -> bool:
    """Say whether a bus's policy lets an account put events on it."""
    if bus.account_id == account:
        return True
    statements = json.loads(bus.policy)["Statement"] if bus.policy else []
    principals = [json.dumps(statement.get("Principal")) for statement in statements]
    return any("*" in principal or account in principal for principal in principals)


def _to_moto(rule: Any, target: Any, event: Event) -> None:
    """Let moto deliver to a target of another kind (queues, log groups)."""
    from moto.events.models import EventPattern

    only = copy.copy(rule)
    only.targets = [target]
    only.event_pattern = EventPattern(None, {})
    when = dt.datetime.fromisoformat(str(event["time"]))
    moment = when.timestamp()
    only.send_to_targets({**event, "time": moment, "ingestion-time": moment})
