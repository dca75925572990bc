"""EventBridge rules: match events as EventBridge does, and deliver them to functions and buses."""

from __future__ import annotations

import datetime as dt
import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from firebreak.cloud.functions import Functions
from firebreak.cloud.lambdas import Result
from firebreak.cloud.patching import Patch
from firebreak.cloud.roles import Roles
from firebreak.cloud.targets import Event, Targets

NOT_AUTHORIZED = "NotAuthorizedForSourceException"


class Rules:
    """The rules of every bus of a world, and what they deliver."""

    def __init__(self, functions: Functions, roles: Roles) -> None:
        self._targets = Targets(functions, roles, self.deliver)
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
        self._pending().append((*_bus_of(backend, entry), event))
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
                results += self._targets.hand_over(rule, target, event, hops)
        return results

    def _matching(self, backend: Any, bus_name: str, event: Event) -> Iterator[Any]:
        bus = backend.event_buses.get(bus_name)
        for rule in list(bus.rules.values()) if bus else ():
            pattern = rule.event_pattern.get_pattern()
            if rule.state != "DISABLED" and pattern and matches(pattern, event):
                yield rule

    def run_schedules(self, part: str = "") -> list[Result]:
        """Let every enabled schedule whose rule's name holds `part` come due once.

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
        """
        results: list[Result] = []
        for rule in _scheduled(part):
            event = _due(rule)
            for target in list(rule.targets):
                results += self._targets.hand_over(rule, target, event, 0)
        return results


def _scheduled(part: str) -> list[Any]:
    from moto.events.models import events_backends

    backends = [each for regions in list(events_backends.values()) for each in regions.values()]
    rules = [
        r for each in backends for bus in each.event_buses.values() for r in bus.rules.values()
    ]
    return [r for r in rules if r.scheduled_expression and r.state != "DISABLED" and part in r.name]


def _due(rule: Any) -> Event:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": rule.account_id,
        "time": f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": rule.region_name,
        "resources": [str(rule.arn)],
        "detail": {},
    }


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


def _bus_of(backend: Any, entry: Mapping[str, Any]) -> tuple[Any, str]:
    """Return where an entry goes: a bus of the caller's, or that of an ARN, perhaps another's."""
    from moto.events.models import events_backends

    named = str(entry.get("EventBusName") or "default")
    if named.startswith("arn:"):
        _, _, _, region, account, _ = named.split(":", 5)
        backend = events_backends[account][region]
    return backend, named.rsplit("/", 1)[-1]


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
