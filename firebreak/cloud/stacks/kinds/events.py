"""EventBridge: rules with their targets, and the statements of a bus's policy.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Events.html
"""

from __future__ import annotations

import json
from typing import Any

from firebreak.cloud.stacks.errors import ResourceFailed
from firebreak.cloud.stacks.kinds import (
    At,
    Kind,
    Made,
    Properties,
    as_text,
    kind,
    listed,
    only,
    retag_resource,
)

DEFAULT = "default"


def bus(properties: Properties) -> str:
    """Return the name of the bus that properties speak of."""
    return str(properties.get("EventBusName", DEFAULT)).rsplit("/", 1)[-1]


@kind("AWS::Events::Rule")
class Rule(Kind):
    """A rule and its targets."""

    name = "Name"
    arn = "arn:{partition}:events:{region}:{account}:rule/{Name}"

    def exists(self, at: At, properties: Properties) -> bool:
        """PutRule would change one that is there."""
        named = {"Name": properties["Name"], "EventBusName": bus(properties)}
        return at.found("events", "describe_rule", **named)

    def create(self, at: At, properties: Properties) -> Made:
        """Put the rule."""
        arn = _put_rule(at, properties, listed(properties.get("Tags")) or None)
        name = properties["Name"]
        reference = name if bus(properties) == DEFAULT else f"{bus(properties)}|{name}"
        return Made(reference, {"Arn": arn, "RuleName": name})

    def complete(self, at: At, made: Made, properties: Properties) -> Made:
        """Put its targets."""
        _put_targets(at, {}, properties)
        return made

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Put the rule anew, and bring its targets in line."""
        _put_rule(at, new, None)
        _put_targets(at, old, new)
        retag_resource(at, "events", old, new, ResourceARN=made.attributes["Arn"])
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the rule, its targets first."""
        _put_targets(at, properties, {})
        name = properties["Name"]
        at.call("events", "delete_rule", Name=name, EventBusName=bus(properties))


def _put_rule(at: At, properties: Properties, tags: Any) -> str:
    pattern = properties.get("EventPattern")
    text = None if pattern is None else as_text(pattern)
    put = at.call(
        "events",
        "put_rule",
        **only(properties, "Description", "Name", "RoleArn", "ScheduleExpression", "State"),
        EventBusName=bus(properties),
        EventPattern=text,
        Tags=tags,
    )
    return str(put["RuleArn"])


def _put_targets(at: At, old: Properties, new: Properties) -> None:
    rule = {"Rule": (old or new)["Name"], "EventBusName": bus(old or new)}
    before = {each["Id"]: each for each in old.get("Targets", ())}
    after = {each["Id"]: each for each in new.get("Targets", ())}
    gone = [name for name in before if name not in after]
    if gone:
        _whole(at.call("events", "remove_targets", **rule, Ids=gone))
    put = [each for name, each in after.items() if before.get(name) != each]
    if put:
        _whole(at.call("events", "put_targets", **rule, Targets=put))


def _whole(answer: Any) -> None:
    if answer.get("FailedEntryCount"):
        raise ResourceFailed(f'Resource handler returned message: "{answer["FailedEntries"]}"')


@kind("AWS::Events::EventBusPolicy")
class EventBusPolicy(Kind):
    """One statement of the policy of a bus."""

    name = "StatementId"
    arn = "arn:{partition}:events:{region}:{account}:event-bus/{EventBusName}"

    def exists(self, at: At, properties: Properties) -> bool:
        """PutPermission would change one that is there."""
        return properties["StatementId"] in _statements(at, bus(properties))

    def create(self, at: At, properties: Properties) -> Made:
        """Put the statement, given whole or in parts."""
        name, statement = properties["StatementId"], properties.get("Statement")
        if statement is None:
            at.call(
                "events",
                "put_permission",
                **only(properties, "Action", "Condition", "Principal", "StatementId"),
                EventBusName=bus(properties),
            )
        else:
            statements = {**_statements(at, bus(properties)), name: {**statement, "Sid": name}}
            policy = {"Version": "2012-10-17", "Statement": list(statements.values())}
            text = json.dumps(policy)
            at.call("events", "put_permission", EventBusName=bus(properties), Policy=text)
        return Made(f"{bus(properties)}|{name}")

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Put the statement anew."""
        return self.create(at, new)

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Take the statement away."""
        named = {"StatementId": properties["StatementId"], "EventBusName": bus(properties)}
        if properties["StatementId"] in _statements(at, bus(properties)):
            at.call("events", "remove_permission", **named)


def _statements(at: At, name: str) -> dict[str, Any]:
    policy = at.call("events", "describe_event_bus", Name=name).get("Policy")
    return {each["Sid"]: each for each in json.loads(policy)["Statement"]} if policy else {}
