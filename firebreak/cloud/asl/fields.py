"""Which fields the States Language knows, and what the simple ones may hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MACHINE = frozenset({"Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"})
INNER = frozenset({"Comment", "ProcessorConfig", "QueryLanguage", "StartAt", "States"})

_COMMON = {"Type", "Comment", "QueryLanguage"}
_PATHS = {"InputPath", "OutputPath"}
_JSONATA = {"Output", "Arguments"}
_NEXT = {"Next", "End", "Assign"}
_RESULT = {"ResultPath", "ResultSelector", "Parameters", "Retry", "Catch"}
_WORK = _COMMON | _PATHS | _JSONATA | _NEXT | _RESULT

STATES: dict[str, frozenset[str]] = {
    "Task": frozenset(
        _WORK
        | {"Resource", "Credentials"}
        | {"TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath"}
    ),
    "Parallel": frozenset(_WORK | {"Branches"}),
    "Map": frozenset(
        _WORK
        | {"ItemProcessor", "Iterator", "ItemsPath", "Items", "ItemSelector", "ItemReader"}
        | {"ItemBatcher", "ResultWriter", "Label", "MaxConcurrency", "MaxConcurrencyPath"}
        | {"ToleratedFailureCount", "ToleratedFailureCountPath"}
        | {"ToleratedFailurePercentage", "ToleratedFailurePercentagePath"}
    ),
    "Pass": frozenset(_COMMON | _PATHS | _NEXT | {"Output", "Result", "ResultPath", "Parameters"}),
    "Wait": frozenset(
        _COMMON
        | _PATHS
        | _NEXT
        | {"Output"}
        | {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"}
    ),
    "Choice": frozenset(_COMMON | _PATHS | {"Output", "Assign", "Choices", "Default"}),
    "Succeed": frozenset(_COMMON | _PATHS | {"Output"}),
    "Fail": frozenset(_COMMON | {"Error", "ErrorPath", "Cause", "CausePath"}),
}
RETRIER = frozenset(
    {"BackoffRate", "Comment", "ErrorEquals", "IntervalSeconds", "JitterStrategy"}
    | {"MaxAttempts", "MaxDelaySeconds"}
)
CATCHER = frozenset({"Assign", "Comment", "ErrorEquals", "Next", "Output", "ResultPath"})


def unknown(value: Mapping[str, Any], known: frozenset[str], place: str) -> Iterator[str]:
    """Yield the fields that are not among the known ones."""
    for name in sorted(value.keys() - known):
        yield f"{place}/{name}: this field is not supported here"


def whole(value: object, low: int, high: int) -> bool:
    """Say whether a value is a whole number in a range."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def one_of(value: Mapping[str, Any], names: tuple[str, ...], place: str) -> Iterator[str]:
    """Yield a problem unless exactly one of the fields is there."""
    if sum(name in value for name in names) != 1:
        yield f"{place}: must have exactly one of {', '.join(names)}"


def at_most_one_of(value: Mapping[str, Any], names: tuple[str, ...], place: str) -> Iterator[str]:
    """Yield a problem when more than one of the fields is there."""
    if sum(name in value for name in names) > 1:
        yield f"{place}: must have at most one of {', '.join(names)}"
