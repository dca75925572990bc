"""The rules of Choice states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from firebreak.cloud.asl.fields import one_of
from firebreak.cloud.asl.paths import path_problem

_COMPARED = ("Equals", "GreaterThan", "GreaterThanEquals", "LessThan", "LessThanEquals")
_ORDERED = [f"{kind}{how}" for kind in ("String", "Numeric", "Timestamp") for how in _COMPARED]
_PRESENCE = ("IsBoolean", "IsNull", "IsNumeric", "IsPresent", "IsString", "IsTimestamp")
OPERATORS = frozenset(
    [
        *_ORDERED,
        *(f"{name}Path" for name in _ORDERED),
        *_PRESENCE,
        "BooleanEquals",
        "BooleanEqualsPath",
        "StringMatches",
    ]
)
_COMBINED = ("And", "Or", "Not")


def problems(state: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield what is wrong with the rules of a Choice."""
    rules = state.get("Choices")
    if not isinstance(rules, list) or not rules:
        yield f"{place}/Choices: must be a non-empty array"
        return
    for index, rule in enumerate(rules):
        where = f"{place}/Choices/{index}"
        if not isinstance(rule, Mapping):
            yield f"{where}: must be an object"
            continue
        if not isinstance(rule.get("Next"), str):
            yield f"{where}/Next: a choice rule names the next state"
        rest = {key: each for key, each in rule.items() if key not in ("Next", "Comment", "Assign")}
        yield from _rule(rest, where)


def _rule(rule: Any, place: str) -> Iterator[str]:
    if not isinstance(rule, Mapping):
        yield f"{place}: must be an object"
        return
    yield from one_of(rule, ("Variable", *_COMBINED), place)
    for name in ("And", "Or"):
        inner = rule.get(name, [None])
        if not isinstance(inner, list) or not inner:
            yield f"{place}/{name}: must be a non-empty array"
        elif name in rule:
            for index, each in enumerate(inner):
                yield from _rule(each, f"{place}/{name}/{index}")
    if "Not" in rule:
        yield from _rule(rule["Not"], f"{place}/Not")
    if "Variable" in rule:
        yield from _comparison(rule, place)


def _comparison(rule: Mapping[str, Any], place: str) -> Iterator[str]:
    problem = path_problem(rule["Variable"])
    if problem is not None:
        yield f"{place}/Variable: {problem}"
    operators = sorted(rule.keys() - {"Variable", "Comment"})
    if len(operators) != 1 or operators[0] not in OPERATORS:
        yield f"{place}: must have one comparison operator, not {operators}"
        return
    operand = rule[operators[0]]
    problem = path_problem(operand) if operators[0].endswith("Path") else None
    if problem is not None:
        yield f"{place}/{operators[0]}: {problem}"
