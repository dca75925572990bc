"""Settle the parameters of a stack: what is given, what was before, what is the default.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from firebreak.cloud.stacks.errors import invalid

Given = Sequence[Mapping[str, Any]]


def settle(
    declared: Mapping[str, Any], given: Given, previous: Mapping[str, str]
) -> dict[str, str]:
    """Return every parameter's text. Raise ValidationError where one is missing or not allowed."""
    _check_names(declared, given)
    settled = {name: str(spec["Default"]) for name, spec in declared.items() if "Default" in spec}
    settled |= {each["ParameterKey"]: _given(each, previous) for each in given}
    missing = [name for name in declared if name not in settled]
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    for name, spec in declared.items():
        _check(name, spec, settled[name])
    return settled


def _check_names(declared: Mapping[str, Any], given: Given) -> None:
    unknown = [each["ParameterKey"] for each in given if each["ParameterKey"] not in declared]
    if unknown:
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")


def _given(parameter: Mapping[str, Any], previous: Mapping[str, str]) -> str:
    name = parameter["ParameterKey"]
    before = str(parameter.get("UsePreviousValue", False)).lower() == "true"
    if before and "ParameterValue" in parameter:
        raise invalid(
            f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and "
            "non empty value for a parameter"
        )
    if before and name not in previous:
        raise invalid(
            f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for "
            "a parameter key not in the previous template"
        )
    return previous[name] if before else str(parameter.get("ParameterValue", ""))


def _check(name: str, spec: Mapping[str, Any], text: str) -> None:
    kind = spec.get("Type", "String")
    values = text.split(",") if kind.startswith(("List<", "CommaDelimited")) else [text]
    allowed = [str(each) for each in spec.get("AllowedValues", ())]
    for value in values:
        problem = _problem(spec, kind, value.strip())
        if allowed and value.strip() not in allowed:
            problem = f"must be one of AllowedValues: [{', '.join(allowed)}]"
        if problem and spec.get("ConstraintDescription"):
            described = spec["ConstraintDescription"]
            raise invalid(f"Parameter '{name}' failed to satisfy constraint: {described}")
        if problem:
            raise invalid(f"Parameter '{name}' {problem}")


def _problem(spec: Mapping[str, Any], kind: str, text: str) -> str:
    if kind in ("Number", "List<Number>"):
        return _problem_of_number(spec, text)
    pattern = spec.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, text):
        return f"must match pattern {pattern}"
    if len(text) < int(spec.get("MinLength", 0)):
        return f"must contain at least {spec['MinLength']} characters"
    if len(text) > int(spec.get("MaxLength", len(text))):
        return f"must contain at most {spec['MaxLength']} characters"
    return ""


def _problem_of_number(spec: Mapping[str, Any], text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return "must be a number."
    if number < float(spec.get("MinValue", number)):
        return f"must be a number not less than {spec['MinValue']}"
    if number > float(spec.get("MaxValue", number)):
        return f"must be a number not greater than {spec['MaxValue']}"
    return ""


def values(declared: Mapping[str, Any], settled: Mapping[str, str]) -> dict[str, Any]:
    """Return what `Ref` gives for each parameter: lists for the types that are lists."""
    listed = ("List<", "CommaDelimited", "AWS::SSM::Parameter::Value<List")
    return {
        name: [each.strip() for each in text.split(",")]
        if declared[name].get("Type", "String").startswith(listed)
        else text
        for name, text in settled.items()
    }


def shown(declared: Mapping[str, Any], settled: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the parameters as they are described; what is secret is not shown."""
    return [
        {
            "ParameterKey": name,
            "ParameterValue": "****"
            if str(declared[name].get("NoEcho")).lower() == "true"
            else text,
        }
        for name, text in settled.items()
    ]
