"""Validate state machine definitions as Step Functions does when one is created.

The rules are those of the Amazon States Language (https://states-language.net) and of the Step
Functions developer guide; every problem is reported with its place. JSONPath is the query
language; of a JSONata state only the graph is checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from firebreak.cloud.asl import errors, fields, graph, states

__all__ = ["validate"]

MAX_DEFINITION_BYTES = 1_048_576
MAX_NAME_CHARACTERS = 80


def validate(definition: Any) -> list[str]:
    """Return every problem of a definition, each with its place; none when AWS would take it."""
    if not isinstance(definition, Mapping):
        return ["a definition is an object"]
    problems = list(_machine(definition))
    if len(json.dumps(definition).encode()) > MAX_DEFINITION_BYTES:
        problems.append(f"a definition has at most {MAX_DEFINITION_BYTES} bytes")
    return problems


def _machine(definition: Mapping[str, Any]) -> Iterator[str]:
    yield from fields.unknown(definition, fields.MACHINE, "")
    timeout = definition.get("TimeoutSeconds")
    if timeout is not None and not fields.whole(timeout, 1, 99_999_999):
        yield "/TimeoutSeconds: must be a whole number of seconds from 1 to 99999999"
    if definition.get("Version", "1.0") != "1.0":
        yield "/Version: the only version is '1.0'"
    yield from _scope(definition, "", set())


def _scope(scope: Mapping[str, Any], place: str, seen: set[str]) -> Iterator[str]:
    """Validate a StartAt and its States: a machine, a branch or an item processor."""
    members = scope.get("States")
    if not isinstance(members, Mapping) or not members:
        yield f"{place}/States: must be an object with at least one state"
        return
    yield from graph.problems(scope, place)
    for name, state in members.items():
        where = f"{place}/States/{name}"
        if len(name) > MAX_NAME_CHARACTERS:
            yield f"{where}: a state's name has at most {MAX_NAME_CHARACTERS} characters"
        if name in seen:
            yield f"{where}: a state's name is used once in the whole state machine"
        seen.add(name)
        yield from _state(state, where, seen)


def _state(state: Any, place: str, seen: set[str]) -> Iterator[str]:
    if not isinstance(state, Mapping):
        yield f"{place}: must be an object"
        return
    kind = state.get("Type")
    if kind not in fields.STATES:
        yield f"{place}/Type: {kind!r} is none of {', '.join(fields.STATES)}"
        return
    yield from states.problems(state, place)
    yield from errors.problems(state, place)
    for inner, where in graph.inner_scopes(state, place):
        yield from _inner_scope(inner, where, seen)


def _inner_scope(inner: Any, place: str, seen: set[str]) -> Iterator[str]:
    if not isinstance(inner, Mapping):
        yield f"{place}: must be an object"
        return
    yield from fields.unknown(inner, fields.INNER, place)
    yield from _scope(inner, place, seen)
