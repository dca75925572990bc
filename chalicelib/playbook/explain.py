"""What JSON Schema finds wrong, said so that a person knows what would be right."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from chalicelib.paths import suggest
from chalicelib.playbook.draft import Found
from chalicelib.playbook.schema import schema


@cache
def _shape() -> Draft202012Validator:
    return Draft202012Validator(schema({}))


def shape_problems(document: Any) -> Found:
    """Yield what is wrong with the shape of a playbook."""
    for error in _shape().iter_errors(document):
        yield from explain(error)


def value_problems(value: Any, parameter: Mapping[str, Any]) -> Iterator[ValidationError]:
    """Yield the ways in which a value is none that a parameter takes."""
    yield from Draft202012Validator(parameter).iter_errors(value)


def explain(error: ValidationError, at: str = "") -> Found:
    """Yield where an error lies, below `at`, and what would be right."""
    path = at + "".join(_step(part) for part in error.absolute_path)
    known = _member(error.schema, "properties", {})
    if error.validator == "required":
        name = error.message.split("'")[1]
        wanted = _member(known.get(name), "description", "")
        yield _join(path, name), f"is missing: {wanted}" if wanted else "is missing"
    elif error.validator == "additionalProperties":
        for name in sorted(set(cast(Any, error.instance)) - set(known)):
            yield _join(path, name), f"is not known here: {suggest(name, known)}"
    else:
        yield path.removeprefix("."), _reason(error)


def _member(schema: Any, name: str, otherwise: Any) -> Any:
    return schema.get(name, otherwise) if isinstance(schema, Mapping) else otherwise


def _step(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part:.60}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name:.60}".removeprefix(".")


NAMES = {
    "object": "an object", "array": "a list", "string": "a text", "boolean": "true or false",
    "integer": "a whole number", "number": "a number", "null": "null",
}  # fmt: skip


LENGTHS = {
    "minItems": "short", "minLength": "short", "minProperties": "short",
    "maxItems": "long", "maxLength": "long", "maxProperties": "long",
}  # fmt: skip
BOUNDS = {
    "minimum": "at least", "exclusiveMinimum": "more than",
    "maximum": "at most", "exclusiveMaximum": "less than",
}  # fmt: skip


def _reason(error: ValidationError) -> str:
    rule, wanted = str(error.validator), _wanted(error)
    if rule in LENGTHS:
        bound = "at least" if LENGTHS[rule] == "short" else "at most"
        return f"is too {LENGTHS[rule]}: {wanted} ({bound} {error.validator_value})"
    return f"is {shown(error.instance)}, but has to be {wanted}"


def _wanted(error: ValidationError) -> str:
    rule, value = str(error.validator), error.validator_value
    about = str(_member(error.schema, "description", ""))
    if rule == "type":
        kinds = value if isinstance(value, list) else [value]
        return " or ".join(NAMES.get(str(kind), str(kind)) for kind in kinds)
    if rule == "enum" and isinstance(value, list):
        return f"one of {', '.join(map(str, value))}"
    if rule in BOUNDS:
        return f"{BOUNDS[rule]} {value}"
    return about or f"what {rule} {shown(value)} allows"


def shown(value: Any) -> str:
    """Return a value as messages show it: short, on one line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:60]}…"
