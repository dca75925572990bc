"""Templates as CloudFormation makes them: parameters given, conditions decided, texts filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from firebreak import templates

STAGE = "dev"
HOME, MEMBER = "111122223333", "444455556666"
HOME_REGION, OTHER_REGION = "eu-west-1", "us-east-1"
ORGANIZATION = "o-a1b2c3d4e5"
NOTHING = object()

# What an operator gives for everything in a template to be made.
GIVEN = {
    "HomeAccount": HOME,
    "HomeRegion": HOME_REGION,
    "OrganizationId": ORGANIZATION,
    "NotifyEmail": "people@example.com",
    "Accounts": ["777788889999"],
    "AlsoTrusted": [f"arn:aws:iam::{HOME}:role/responders-*"],
    "OwnLogGroup": "/firewall/alerts",
    "LogGroupName": "/firewall/alerts",
    "LogBucket": "firewall-logs-*",
    "LogBucketAccount": MEMBER,
    "LogBucketName": "firewall-logs-example",
}


@cache
def built(name: str) -> dict[str, Any]:
    """Return a template of the stage."""
    return templates.build(name, templates.wanted(STAGE))


def made(
    name: str, account: str = HOME, region: str = HOME_REGION, **given: Any
) -> dict[str, dict[str, Any]]:
    """Return the resources that a template makes in a place, with all their values."""
    return Stack(built(name), account, region, given).resources()


def made_whole(name: str, account: str = HOME, region: str = HOME_REGION) -> dict[str, Any]:
    """Return the resources that a template makes where everything is given."""
    wanted = built(name).get("Parameters", {})
    return made(name, account, region, **{n: v for n, v in GIVEN.items() if n in wanted})


class Stack:
    """A template with its parameters, in an account and region."""

    def __init__(
        self, template: Mapping[str, Any], account: str, region: str, given: Mapping[str, Any]
    ) -> None:
        self.template = template
        self.known: dict[str, Any] = {
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": NOTHING,
        }
        for name, parameter in template.get("Parameters", {}).items():
            default = parameter.get("Default", NOTHING)
            if parameter["Type"] == "CommaDelimitedList" and default != NOTHING:
                default = default.split(",") if default else []
            value = given.get(name, default)
            assert value is not NOTHING, f"{name} is not given"
            self.known[name] = value
        assert set(given) <= set(self.known), f"no parameters: {set(given) - set(self.known)}"

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return what is made, each with its values."""
        return {
            name: {"Type": each["Type"], **self._value(each["Properties"])}
            for name, each in self.template["Resources"].items()
            if "Condition" not in each or self._holds(each["Condition"])
        }

    def _holds(self, condition: str) -> bool:
        return bool(self._value(self.template["Conditions"][condition]))

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [each for each in map(self._value, value) if each is not NOTHING]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name in {"Ref", "Condition"} and isinstance(argument, str):
                return self._holds(argument) if name == "Condition" else self._ref(argument)
            if name.startswith("Fn::"):
                return self._function(name.removeprefix("Fn::"), argument)
        inner = {name: self._value(each) for name, each in value.items()}
        return {name: each for name, each in inner.items() if each is not NOTHING}

    def _ref(self, name: str) -> Any:
        return self.known.get(name, f"<{name}>")

    def _function(self, name: str, argument: Any) -> Any:
        if name == "If":
            return self._value(argument[1] if self._holds(argument[0]) else argument[2])
        if name == "Sub":
            return self._text(argument)
        given = self._value(argument)
        done = {
            "Equals": lambda: given[0] == given[1],
            "Not": lambda: not given[0],
            "And": lambda: all(given),
            "Or": lambda: any(given),
            "Join": lambda: given[0].join(given[1]),
            "GetAtt": lambda: self._arn(given[0]),
            "ImportValue": lambda: f"<imported {given}>",
        }
        return done[name]()

    def _text(self, argument: Any) -> str:
        text, more = (argument, {}) if isinstance(argument, str) else argument
        local = {name: self._value(each) for name, each in more.items()}

        def filled(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if "." in name:
                return self._arn(name.partition(".")[0])
            return str(local[name] if name in local else self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", filled, text)

    def _arn(self, resource: str) -> str:
        """Return an ARN of the kind and place that the resource's would be."""
        kind = self.template["Resources"][resource]["Type"].split("::")[1].lower()
        properties = self.template["Resources"][resource]["Properties"]
        named = [v for n, v in properties.items() if n.endswith("Name") or n == "Name"]
        name = self._value(named[0]) if named else resource
        where = f"{self.known['AWS::Region']}:{self.known['AWS::AccountId']}"
        paths = {"iam": f"::{self.known['AWS::AccountId']}:role/{name}", "s3": f":::{name}"}
        kinds = {"kinesis": f"stream/{name}", "kms": f"key/{name}"}
        return f"arn:aws:{kind}{paths.get(kind, f':{where}:{kinds.get(kind, name)}')}"


def documents(resource: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the policy documents of a resource, wherever in it they are."""
    for value in _within(resource):
        if isinstance(value, Mapping) and "Effect" in value.get("Statement", ""):
            yield {"Version": "2012-10-17", "Statement": [value["Statement"]]}
        elif isinstance(value, Mapping) and "Statement" in value:
            yield dict(value)
        elif isinstance(value, str) and value.startswith('{"Version"'):
            yield json.loads(value)


def _within(value: Any) -> Iterator[Any]:
    yield value
    inner = value.values() if isinstance(value, Mapping) else value
    for each in inner if isinstance(value, Mapping | list) else ():
        yield from _within(each)


def statements(resource: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the statements of all policies of a resource."""
    return [each for document in documents(resource) for each in document["Statement"]]


def as_list(value: Any) -> list[Any]:
    """Return what a policy says of one thing or several."""
    return value if isinstance(value, list) else [value]
