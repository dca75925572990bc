"""Everything that can be wrong with the steps of a playbook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError

from chalicelib import paths
from chalicelib.errors import Invalid
from chalicelib.paths import Absent, Kind, Many, Tree, suggest
from chalicelib.playbook import explain
from chalicelib.playbook.draft import Draft, Found, Place, read_pattern


def _step_names(draft: Draft) -> Found:
    seen: dict[str, str] = {}
    for place in draft.places():
        if place.name in seen:
            other = seen[place.name]
            yield f"{place.path}.name", f"{place.name:.60} is also {other}: give it another name"
        elif place.name:
            seen[place.name] = place.path


def _actions(draft: Draft) -> Found:
    for place in draft.places():
        name, action = place.step.get("action"), draft.action(place)
        if isinstance(name, str) and action is None:
            yield f"{place.path}.action", f"{name:.60} is no action: {suggest(name, draft.actions)}"
        if action and action.final and place.step.get("accept_irreversible") is not True:
            why = f"{action.name} cannot be taken back ({action.final})"
            right = "write accept_irreversible: true"
            yield f"{place.path}.accept_irreversible", f"is missing: {why}; {right}"


def _whens(draft: Draft) -> Found:
    for place in draft.places():
        pattern = place.step.get("when")
        if isinstance(pattern, Mapping):
            found, fields = read_pattern(pattern, f"{place.path}.when")
            yield from found
            for path in sorted({path for alternative in fields for path in alternative}):
                yield from _field(path, _known(draft, place), f"{place.path}.when")


def _field(path: str, known: Mapping[str, Tree], at: str) -> Found:
    node: Tree = {name: known[name] for name in ("finding", "steps", "item")}
    for depth, name in enumerate(path.split(".")):
        here = ".".join(path.split(".")[:depth])
        node = node.of if isinstance(node, Many) else node
        try:
            node = paths.step_into(node, name, here or "when")
        except Invalid as wrong:
            yield f"{at}.{path:.120}", str(wrong)
            return
        if isinstance(node, Absent):
            yield f"{at}.{path:.120}", f"{here}.{name} {node.reason}".removeprefix(".")
            return
    if isinstance(node.of if isinstance(node, Many) else node, Mapping):
        yield f"{at}.{path:.120}", "is an object: ask for one of its fields"


def _for_each(draft: Draft) -> Found:
    for place in draft.places():
        value = place.step.get("for_each")
        if not isinstance(value, str) or not paths.is_path(value):
            continue
        at, known = f"{place.path}.for_each", paths.roots(_facts(draft, place))
        wrong = list(paths_in(value, known, at))
        yield from wrong
        if not wrong and not _is_list(paths.follow(paths.parse(value), known)):
            yield at, f"{value:.60} is no list: give the path of one, such as $.finding.resources"


def _is_list(node: Tree) -> bool:
    return node is Kind.ANY or isinstance(node, Many)


def _parameters(draft: Draft) -> Found:
    for place in draft.places():
        action, given = draft.action(place), place.step.get("with", {})
        if action is None or not isinstance(given, Mapping):
            continue
        at = f"{place.path}.with"
        for name in action.required:
            if name not in given:
                wanted = action.params[name].get("description", "")
                yield f"{at}.{name}", f"is missing: {action.name} needs it, {wanted}".rstrip(", ")
        for name, value in given.items():
            if name not in action.params:
                right = suggest(name, action.params)
                yield f"{at}.{name:.60}", f"is no parameter of {action.name}: {right}"
            else:
                yield from _value(value, action.params[name], _known(draft, place), f"{at}.{name}")


def _value(value: Any, wanted: Mapping[str, Any], known: Mapping[str, Tree], at: str) -> Found:
    wrong = list(paths_in(value, known, at))
    yield from wrong
    if wrong:
        return
    if paths.is_path(value):
        yield from _fits(paths.parse(value), wanted, known, at)
        return
    for error in explain.value_problems(value, wanted):
        if not _has_path(error.instance) or _is_inserted_into_no_text(error):
            yield from explain.explain(error, at)


def paths_in(value: Any, known: Mapping[str, Tree], at: str) -> Found:
    """Yield what is wrong with the paths in a value."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from paths_in(each, known, f"{at}.{name:.60}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from paths_in(each, known, f"{at}[{index}]")
    elif isinstance(value, str):
        try:
            found = [paths.parse(value)] if paths.is_path(value) else paths.pieces(value)
        except Invalid as wrong:
            yield at, str(wrong)
            return
        for path in found:
            if isinstance(path, paths.Path) and (reason := paths.check(path, known)):
                yield at, reason


def _has_path(value: Any) -> bool:
    return next(paths.paths_of(value), None) is not None


def _is_inserted_into_no_text(error: ValidationError) -> bool:
    value = error.instance
    return error.validator == "type" and isinstance(value, str) and not paths.is_path(value)


def _fits(path: paths.Path, wanted: Mapping[str, Any], known: Mapping[str, Tree], at: str) -> Found:
    node, kinds = paths.follow(path, known), wanted.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if node is Kind.ANY or not kinds:
        return
    if isinstance(node, Many) and "array" not in kinds:
        yield at, f"{path} is a list, but this takes one value: add [0], or run for_each of it"
    if node is Kind.ONE and not set(kinds) & {"string", "integer", "number", "boolean"}:
        right = f"write [{path}]" if "array" in kinds else "give the path of an object"
        yield at, f"{path} is a single value, but this takes {explain.NAMES[kinds[0]]}: {right}"
    if isinstance(node, Mapping) and "object" not in kinds:
        yield at, f"{path} is an object, but this takes one of its fields: {', '.join(node)}"


def _known(draft: Draft, place: Place) -> Mapping[str, Tree]:
    facts, source = _facts(draft, place), place.step.get("for_each")
    if not paths.is_path(source):
        return paths.roots(facts) if source is None else paths.roots(facts, Kind.ANY)
    try:
        items = paths.follow(paths.parse(source), paths.roots(facts))
    except Invalid:
        return paths.roots(facts, Kind.ANY)
    return paths.roots(facts, items.of if isinstance(items, Many) else Kind.ANY)


def _facts(draft: Draft, place: Place) -> Mapping[str, Tree]:
    late = "runs beside this step or after it: only earlier steps have facts"
    found: dict[str, Tree] = {other.name: Absent(late) for other in draft.places()}
    for other in place.earlier:
        action = draft.action(other)
        if "for_each" in other.step:
            found[other.name] = Absent("runs for each of a list, and so has no facts of its own")
        else:
            found[other.name] = dict.fromkeys(action.facts, Kind.ANY) if action else Kind.ANY
    return found


CHECKS: tuple[Callable[[Draft], Found], ...] = (
    _step_names,
    _actions,
    _whens,
    _for_each,
    _parameters,
)
