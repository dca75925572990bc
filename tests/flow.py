"""Which paths a state can rely on: a check of the data that flows through a state machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]
Guaranteed = frozenset[Path]
State = Mapping[str, Any]

GIVEN: Guaranteed = frozenset({("remediation",), ("pass",)})  # what every execution is given
ANSWERS = {  # what the function answers, by what it is asked to do
    "step": {"status"},
    "items": {"indices"},
    "seal": {"next"},
    "undo": {"more"},
    "close": {"status"},
    "ask": set[str](),
    "park": set[str](),
}


def problems(scope: State, given: Guaranteed = GIVEN) -> list[str]:
    """Return every reference to a path that is not set on every way to its state."""
    before = _before(scope, given)
    return [
        f"{name}: {wrong}"
        for name, guaranteed in before.items()
        for wrong in _of_state(scope["States"][name], guaranteed)
    ]


def successors(state: State) -> set[str]:
    """Return the names of the states that a state may lead to."""
    found = {rule["Next"] for rule in (*state.get("Choices", ()), *state.get("Catch", ()))}
    return found | {state[field] for field in ("Next", "Default") if field in state}


def _before(scope: State, given: Guaranteed) -> dict[str, Guaranteed]:
    """Return what is set on all ways to each state that can be reached."""
    before = {scope["StartAt"]: given}
    changed = [scope["StartAt"]]
    while changed:
        name = changed.pop()
        for after, guaranteed in _ways(scope["States"][name], before[name]):
            known = before.get(after)
            merged = guaranteed if known is None else known & guaranteed
            if merged != known:
                before[after] = merged
                changed.append(after)
    return before


def _ways(state: State, before: Guaranteed) -> Iterator[tuple[str, Guaranteed]]:
    for catch in state.get("Catch", ()):
        yield catch["Next"], _put(before, catch.get("ResultPath", "$"), {"Error", "Cause"})
    for choice in state.get("Choices", ()):
        yield choice["Next"], before
    if "Default" in state:
        yield state["Default"], before
    if "Next" in state:
        result = {name.removesuffix(".$") for name in state.get("ResultSelector", {})}
        yield state["Next"], _put(before, state.get("ResultPath", "$"), result)


def _put(before: Guaranteed, path: str | None, result: set[str]) -> Guaranteed:
    """Return what is set once a result with these fields was put at a path."""
    if path is None:
        return before
    place = _parts(path)
    kept = {p for p in before if p[: len(place)] != place} if place else set()
    return frozenset(kept | {place} - {()} | {(*place, name) for name in result})


def _parts(path: str) -> Path:
    return tuple(path.removeprefix("$").strip(".").split(".")) if path != "$" else ()


def _of_state(state: State, before: Guaranteed) -> Iterator[str]:
    for path in _references(state):
        if _parts(path) not in before:
            yield f"{path} is not set on every way"
    asked = state.get("Parameters", {}).get("Payload", {}).get("do")
    for path in _of_result(state.get("ResultSelector", {})):
        if path not in {f"$.Payload.{name}" for name in ANSWERS.get(asked, ())} | {"$"}:
            yield f"{path} is not in the result"
    if "OutputPath" in state and state["OutputPath"] not in _outputs(state):
        yield f"{state['OutputPath']} is not in the output"
    if "ItemProcessor" in state:
        items = frozenset((name.removesuffix(".$"),) for name in state["ItemSelector"])
        yield from problems(state["ItemProcessor"], items)
    for branch in state.get("Branches", ()):
        yield from problems(branch, before)


def _references(state: State) -> Iterator[str]:
    """Yield the paths of its input that a state refers to, but those it asks for itself."""
    for field in ("Parameters", "ItemSelector"):
        yield from _dynamic(state.get(field, {}))
    if "ItemsPath" in state:
        yield state["ItemsPath"]
    for choice in state.get("Choices", ()):
        tests = choice.get("And", [choice])
        asked = {test["Variable"] for test in tests if "IsPresent" in test}
        yield from (test["Variable"] for test in tests if test["Variable"] not in asked)


def _dynamic(value: Any) -> Iterator[str]:
    for name, inner in value.items() if isinstance(value, Mapping) else ():
        if name.endswith(".$") and not inner.startswith("$$."):
            yield inner
        else:
            yield from _dynamic(inner)


def _of_result(selector: Mapping[str, str]) -> Iterator[str]:
    for value in selector.values():
        yield value.partition("(")[2].partition(",")[0] if value.startswith("States.") else value


def _outputs(state: State) -> set[str]:
    """Return the paths of the output of a state whose result replaces its input."""
    if state.get("ResultPath", "$") != "$":
        return set()
    return {f"$.{name.removesuffix('.$')}" for name in state.get("ResultSelector", {})}
