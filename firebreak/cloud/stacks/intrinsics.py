"""Evaluate what a template computes: references, conditions and functions.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from firebreak.cloud.stacks.errors import invalid

NO_VALUE = "AWS::NoValue"
IN_TEXT = re.compile(r"\$\{(!?)([^${}]+)\}")


@dataclass(frozen=True, slots=True)
class Scope:
    """What expressions of a template may speak of.

    values: parameters and pseudo parameters; look: the Ref (attribute None) or an attribute of a
    resource; exports: what other stacks give out.
    """

    template: Mapping[str, Any]
    values: Mapping[str, Any]
    look: Callable[[str, str | None], Any]
    exports: Mapping[str, str] = field(default_factory=dict)

    def holds(self, condition: str) -> bool:
        """Say whether a condition of the template holds."""
        conditions = self.template.get("Conditions", {})
        if condition not in conditions:
            raise invalid(f"Template format error: Unresolved condition dependency {condition}")
        return bool(evaluate(conditions[condition], self))


def evaluate(value: Any, scope: Scope) -> Any:
    """Return a value with every function in it replaced by what it gives."""
    if isinstance(value, Mapping):
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in FUNCTIONS:
                return FUNCTIONS[name](argument, scope)
        pairs = ((key, evaluate(each, scope)) for key, each in value.items())
        return {key: each for key, each in pairs if each is not ABSENT}
    if isinstance(value, list):
        items = (evaluate(each, scope) for each in value)
        return [each for each in items if each is not ABSENT]
    return value


class _Absent:
    """What AWS::NoValue stands for: the property is not there."""


ABSENT = _Absent()


def _ref(name: str, scope: Scope) -> Any:
    if name == NO_VALUE:
        return ABSENT
    return scope.values[name] if name in scope.values else scope.look(name, None)


def _get_att(argument: Any, scope: Scope) -> Any:
    path = argument.split(".", 1) if isinstance(argument, str) else argument
    return scope.look(path[0], ".".join(path[1:]))


def _sub(argument: Any, scope: Scope) -> str:
    text, given = (argument, {}) if isinstance(argument, str) else argument
    given = evaluate(given, scope)

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return f"${{{match[2]}}}"
        name = match[2].strip()
        if name in given:
            return as_text(given[name])
        if "." in name:
            return as_text(_get_att(name, scope))
        return as_text(_ref(name, scope))

    return IN_TEXT.sub(value, text)


def as_text(value: Any) -> str:
    """Return a value as CloudFormation writes it into a text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _join(argument: Any, scope: Scope) -> str:
    return str(argument[0]).join(as_text(each) for each in evaluate(argument[1], scope))


def _split(argument: Any, scope: Scope) -> list[str]:
    return str(evaluate(argument[1], scope)).split(argument[0])


def _select(argument: Any, scope: Scope) -> Any:
    return evaluate(argument[1], scope)[int(evaluate(argument[0], scope))]


def _if(argument: Any, scope: Scope) -> Any:
    condition, then, otherwise = argument
    return evaluate(then if scope.holds(condition) else otherwise, scope)


def _find_in_map(argument: Any, scope: Scope) -> Any:
    found: Any = scope.template.get("Mappings", {})
    for key in evaluate(argument, scope):
        if key not in found:
            raise invalid(f"Template error: Unable to get mapping for {'::'.join(argument)}")
        found = found[key]
    return found


def _import_value(argument: Any, scope: Scope) -> str:
    name = evaluate(argument, scope)
    if name not in scope.exports:
        raise invalid(f"No export named {name} found.")
    return scope.exports[name]


def _equals(argument: Any, scope: Scope) -> bool:
    left, right = evaluate(argument, scope)
    return as_text(left) == as_text(right)


FUNCTIONS: dict[str, Callable[[Any, Scope], Any]] = {
    "Ref": _ref,
    "Condition": lambda name, scope: scope.holds(name),
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::If": _if,
    "Fn::FindInMap": _find_in_map,
    "Fn::ImportValue": _import_value,
    "Fn::Equals": _equals,
    "Fn::Not": lambda argument, scope: not evaluate(argument[0], scope),
    "Fn::And": lambda argument, scope: all(evaluate(each, scope) for each in argument),
    "Fn::Or": lambda argument, scope: any(evaluate(each, scope) for each in argument),
    "Fn::Base64": lambda argument, scope: base64.b64encode(
        str(evaluate(argument, scope)).encode()
    ).decode(),
    "Fn::ToJsonString": lambda argument, scope: json.dumps(
        evaluate(argument, scope), separators=(",", ":")
    ),
}


def references(value: Any) -> Iterator[str]:
    """Yield the name of everything that a value refers to: parameters and resources."""
    if isinstance(value, list):
        for each in value:
            yield from references(each)
    if not isinstance(value, Mapping):
        return
    for name, argument in value.items():
        if name == "Ref" and isinstance(argument, str):
            yield argument
        elif name == "Fn::GetAtt":
            yield argument.split(".")[0] if isinstance(argument, str) else argument[0]
        elif name == "Fn::Sub":
            yield from _in_sub(argument)
        else:
            yield from references(argument)


def _in_sub(argument: Any) -> Iterator[str]:
    text, given = (argument, {}) if isinstance(argument, str) else argument
    yield from references(given)
    for escaped, name in IN_TEXT.findall(text):
        if not escaped and name.strip() not in given:
            yield name.strip().split(".")[0]
