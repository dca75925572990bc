"""The fields of each type of state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from firebreak.cloud.asl import choices
from firebreak.cloud.asl.fields import STATES, at_most_one_of, one_of, unknown, whole
from firebreak.cloud.asl.paths import path_problem, reference_problem, template_problems

State = Mapping[str, Any]

_GO_ON = ("Task", "Parallel", "Map", "Pass", "Wait")
_TEMPLATES = ("Parameters", "ResultSelector", "ItemSelector", "Assign")
_REFERENCES = ("SecondsPath", "TimestampPath", "TimeoutSecondsPath", "HeartbeatSecondsPath")


def problems(state: State, place: str) -> Iterator[str]:
    """Yield what is wrong with the fields of a state."""
    kind = state["Type"]
    yield from unknown(state, STATES[kind], place)
    if kind in _GO_ON:
        yield from one_of(state, ("Next", "End"), place)
    if state.get("End", True) is not True:
        yield f"{place}/End: can only be true"
    if state.get("QueryLanguage") != "JSONata":
        yield from _paths(state, place)
    yield from _BY_TYPE.get(kind, _nothing)(state, place)


def _paths(state: State, place: str) -> Iterator[str]:
    checks: list[tuple[str, Callable[[object], str | None]]] = [
        *((name, path_problem) for name in ("InputPath", "OutputPath")),
        *((name, reference_problem) for name in ("ResultPath", "ItemsPath", *_REFERENCES)),
    ]
    for name, check in checks:
        problem = check(state[name]) if state.get(name) is not None else None
        if problem is not None:
            yield f"{place}/{name}: {problem}"
    for name in _TEMPLATES:
        yield from template_problems(state.get(name), f"{place}/{name}")


def _nothing(state: State, place: str) -> Iterator[str]:
    return iter(())


def _task(state: State, place: str) -> Iterator[str]:
    resource = state.get("Resource")
    if not isinstance(resource, str) or not resource.startswith("arn:"):
        yield f"{place}/Resource: a Task names its resource by ARN"
    for name in ("TimeoutSeconds", "HeartbeatSeconds"):
        yield from at_most_one_of(state, (name, f"{name}Path"), place)
        if name in state and not whole(state[name], 1, 99_999_999):
            yield f"{place}/{name}: must be a whole number from 1 to 99999999"
    timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
        yield f"{place}/HeartbeatSeconds: must be less than TimeoutSeconds"


def _wait(state: State, place: str) -> Iterator[str]:
    yield from one_of(state, ("Seconds", "SecondsPath", "Timestamp", "TimestampPath"), place)
    if "Seconds" in state and not whole(state["Seconds"], 0, 99_999_999):
        yield f"{place}/Seconds: must be a whole number from 0 to 99999999"


def _parallel(state: State, place: str) -> Iterator[str]:
    branches = state.get("Branches")
    if not isinstance(branches, list) or not branches:
        yield f"{place}/Branches: must be a non-empty array"


def _map(state: State, place: str) -> Iterator[str]:
    yield from one_of(state, ("ItemProcessor", "Iterator"), place)
    yield from at_most_one_of(state, ("MaxConcurrency", "MaxConcurrencyPath"), place)
    if "MaxConcurrency" in state and not whole(state["MaxConcurrency"], 0, 10_000):
        yield f"{place}/MaxConcurrency: must be a whole number from 0 to 10000"


def _fail(state: State, place: str) -> Iterator[str]:
    yield from at_most_one_of(state, ("Error", "ErrorPath"), place)
    yield from at_most_one_of(state, ("Cause", "CausePath"), place)


_BY_TYPE: dict[str, Callable[[State, str], Iterator[str]]] = {
    "Choice": choices.problems,
    "Fail": _fail,
    "Map": _map,
    "Parallel": _parallel,
    "Task": _task,
    "Wait": _wait,
}
