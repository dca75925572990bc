"""The graph of a definition: every transition leads somewhere, every state can be reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_ENDS = ("Succeed", "Fail")


def problems(scope: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield what is wrong with the transitions of one scope."""
    members = scope["States"]
    start = scope.get("StartAt")
    if start not in members:
        yield f"{place}/StartAt: there is no state {start!r} here"
    for name, state in members.items():
        for target, where in transitions(state):
            if target not in members:
                yield f"{place}/States/{name}/{where}: there is no state {target!r} here"
    reached = reachable(scope)
    for name in members:
        if name not in reached:
            yield f"{place}/States/{name}: this state cannot be reached from {start!r}"
    if not any(_is_terminal(members[name]) for name in reached):
        yield f"{place}: no terminal state (End, Succeed or Fail) can be reached"


def reachable(scope: Mapping[str, Any]) -> list[str]:
    """Return the states of a scope that can be reached from its start."""
    members = scope["States"]
    reached: list[str] = []
    waiting = [scope.get("StartAt")]
    while waiting:
        name = waiting.pop()
        if isinstance(name, str) and name in members and name not in reached:
            reached.append(name)
            waiting += [target for target, _ in transitions(members[name])]
    return reached


def transitions(state: Any) -> Iterator[tuple[Any, str]]:
    """Yield every state a state can go to, and the field that says so."""
    if not isinstance(state, Mapping):
        return
    for name in ("Next", "Default"):
        if name in state:
            yield state[name], name
    for collection in ("Catch", "Choices"):
        for index, each in enumerate(_list(state.get(collection))):
            if isinstance(each, Mapping) and "Next" in each:
                yield each["Next"], f"{collection}/{index}/Next"


def inner_scopes(state: Mapping[str, Any], place: str) -> Iterator[tuple[Any, str]]:
    """Yield the branches of a Parallel state, or the processor of a Map."""
    for index, branch in enumerate(_list(state.get("Branches"))):
        yield branch, f"{place}/Branches/{index}"
    for name in ("ItemProcessor", "Iterator"):
        if name in state:
            yield state[name], f"{place}/{name}"


def _is_terminal(state: Any) -> bool:
    return isinstance(state, Mapping) and (state.get("Type") in _ENDS or "End" in state)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
