"""What a step is given: its paths resolved, its parameters checked, its items counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from chalicelib import paths
from chalicelib.actions import Action
from chalicelib.effect import JSON, holds_placeholder
from chalicelib.errors import NotApplicable, Refused
from chalicelib.pattern import EventPattern
from chalicelib.playbook import Step
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation, pass_name, results

ITEMS = 200  # a Map over more is refused: its history would outgrow an execution's


def parameters(
    step: Step, action: Action, document: Mapping[str, JSON], *, planning: bool = False
) -> dict[str, JSON] | None:
    """Return the step's parameters, resolved and checked; None where its `when` does not hold.

    Raise NotApplicable where a required one has no value, or one that cannot be right. In a plan, a
    value that is not known yet is not checked.
    """
    if step.when is not None and not EventPattern(step.when).matches(document):
        return None
    given = {name: paths.resolve_value(value, document) for name, value in step.params.items()}
    params = {}
    for name, schema in action.params.items():
        value = given.get(name)
        if value is None and "default" not in schema:
            raise NotApplicable(f"{name} has no value: {step.params.get(name)} is not in the event")
        if value is None:
            value = schema["default"]
        elif not (planning and holds_placeholder(value)):
            _check(name, value, schema)
        params[name] = value
    return params


def _check(name: str, value: JSON, schema: Mapping[str, Any]) -> None:
    error = next(_validator()(schema).iter_errors(value), None)
    if error is not None:
        wanted = schema.get("description", "what the action takes")
        raise NotApplicable(f"{name}: {value!r:.120} is not {wanted}")


@cache
def _validator() -> Any:
    """Return JSON Schema's validator; a tenth of a second, and not for every function."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    return extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # jsonschema's


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[Exception]:
    """Match a pattern as JSON Schema means it: `$` is the end, not the end before a line break."""
    from jsonschema import ValidationError

    if isinstance(instance, str):
        line_break = pattern.endswith("$") and instance.endswith("\n")
        if line_break or not re.search(pattern, instance):
            yield ValidationError(f"{instance!r} does not match {pattern!r}")


def document_of(
    desk: Desk, head: Remediation, finding: Mapping[str, Any], step: Step, phase: str
) -> dict[str, Any]:
    """Return what a step's paths lead into, its item left out."""
    document: dict[str, Any] = {
        "finding": finding,
        "remediation": {"id": head.id, "playbook": head.playbook["name"]},
    }
    if "steps" in repr((step.params, step.for_each, step.when)):
        document["steps"] = _facts(desk, head, phase)
    return document


def _facts(desk: Desk, head: Remediation, phase: str) -> dict[str, JSON]:
    """Return the facts of the steps that ended; what was applied counts before what was planned."""
    ended = results(desk.tables, head.id, pass_name(head, "plan")) if phase == "plan" else []
    ended += results(desk.tables, head.id, "apply")
    return {result.step: result.facts for result in ended}


def items(step: Step, document: Mapping[str, JSON]) -> list[JSON]:
    """Return what a step with for_each runs for. Raise Refused for more than a Map takes."""
    found = paths.resolve_value(step.for_each, document)
    if not isinstance(found, list):
        return []
    if len(found) > ITEMS:
        many = f"{step.for_each} holds {len(found)} items; at most {ITEMS} are run"
        raise Refused("too_many_items", many)
    return found


def item(step: Step, document: Mapping[str, JSON], index: int) -> JSON:
    """Return one of a step's items. Raise NotApplicable where there is none of that number."""
    found = items(step, document)
    if not 0 <= index < len(found):
        raise NotApplicable(f"{step.for_each} holds {len(found)} items, none of number {index}")
    return found[index]


def expected(step: Step, document: Mapping[str, JSON]) -> int:
    """Return how many results a step has once it ran through."""
    if step.for_each is None:
        return 1
    try:
        return len(items(step, document))
    except Refused:
        return 1
