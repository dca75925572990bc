"""Hold the properties of a resource against the schema of its type, and see what a change needs.

https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from firebreak.cloud.stacks.errors import ResourceFailed
from firebreak.iam import registry

Properties = Mapping[str, Any]

_PYTHON: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
_PLACEHOLDER = "{{"  # a value that is known only later


def checked(logical_id: str, kind: str, given: Properties) -> dict[str, Any]:
    """Return the properties with the types that the schema asks for. Raise ResourceFailed."""
    schema = registry.schema(kind)
    top = {**schema, "type": "object", "additionalProperties": False}
    value = _coerced(given, top, schema)
    read_only = registry.properties(kind, "readOnlyProperties") & set(_whole(schema))
    problems = list(_problems(value, top, schema, "#"))
    problems += [f"#: extraneous key [{name}] is not permitted" for name in read_only & set(value)]
    if problems:
        message = f"Properties validation failed for resource {logical_id} with message:"
        raise ResourceFailed(f"{message} [{', '.join(problems)}]")
    return dict(value)


def _whole(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the read-only properties that are so as a whole, not in a part of them."""
    for path in schema.get("readOnlyProperties", ()):
        if path.count("/") == 2:
            yield path.split("/")[2]


def _resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in part:
        found: Any = schema
        for key in part["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        part = found
    return part


def _types(part: Mapping[str, Any]) -> tuple[str, ...]:
    named = part.get("type", ())
    return (named,) if isinstance(named, str) else tuple(named)


def _coerced(value: Any, part: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    part = _resolved(part, schema)
    if isinstance(value, Mapping):
        known = part.get("properties", {})
        return {key: _coerced(each, known.get(key, {}), schema) for key, each in value.items()}
    if isinstance(value, list):
        return [_coerced(each, part.get("items", {}), schema) for each in value]
    return _scalar(value, _types(part))


def _scalar(value: Any, types: tuple[str, ...]) -> Any:
    if not types or any(_is(value, each) for each in types):
        return value
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            if "integer" in types:
                return int(value)
            if "number" in types:
                return float(value)
        if "boolean" in types and value.lower() in ("true", "false"):
            return value.lower() == "true"
    elif "string" in types and isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _PYTHON.get(kind, (object,)))


def _problems(
    value: Any, part: Mapping[str, Any], schema: Mapping[str, Any], at: str
) -> Iterator[str]:
    part = _resolved(part, schema)
    types = _types(part)
    if isinstance(value, str) and _PLACEHOLDER in value:
        return
    if types and not any(_is(value, each) for each in types):
        yield f"{at}: expected type: {types[0].title()}, found: {type(value).__name__.title()}"
    elif isinstance(value, Mapping):
        yield from _problems_of_object(value, part, schema, at)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _problems(each, part.get("items", {}), schema, f"{at}/{index}")
    elif "enum" in part and value not in part["enum"]:
        yield f"{at}: {value} is not a valid enum value"


def _problems_of_object(
    value: Mapping[str, Any], part: Mapping[str, Any], schema: Mapping[str, Any], at: str
) -> Iterator[str]:
    known = part.get("properties", {})
    for name in part.get("required", ()):
        if name not in value:
            yield f"{at}: required key [{name}] not found"
    for name, each in value.items():
        if name in known:
            yield from _problems(each, known[name], schema, f"{at}/{name}")
        elif part.get("additionalProperties") is False and "patternProperties" not in part:
            yield f"{at}: extraneous key [{name}] is not permitted"


def changed(old: Properties, new: Properties) -> tuple[str, ...]:
    """Return the properties that differ."""
    return tuple(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))


def replacing(kind: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of some changed properties that only a new resource can have."""
    fixed = registry.properties(kind, "createOnlyProperties")
    fixed |= registry.properties(kind, "conditionalCreateOnlyProperties")
    return tuple(name for name in names if name in fixed)
