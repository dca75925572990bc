"""CloudFormation's registry of resource types: their properties, and what their handlers may call.

cfn-lint carries the schemas that AWS publishes; nothing is imported from it, its data is read.
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Schema = Mapping[str, Any]


@cache
def known_types() -> Mapping[str, str]:
    """Return every resource type of AWS, and the file of its schema."""
    listed: Mapping[str, str] = _read("providers/us-east-1.json")
    return listed


@cache
def schema(kind: str) -> Schema:
    """Return the schema of a resource type. Raise KeyError where AWS has no such type."""
    read: Schema = _read(f"resources/{known_types()[kind]}.json")
    return read


def handler(kind: str, operation: str) -> frozenset[str]:
    """Return every permission that a type's handler may need for an operation."""
    handlers = schema(kind).get("handlers", {})
    return frozenset(handlers.get(operation, {}).get("permissions", ()))


def properties(kind: str, role: str) -> frozenset[str]:
    """Return the top-level properties of a role, such as `createOnlyProperties`."""
    return frozenset(path.split("/")[2] for path in schema(kind).get(role, ()))


def _read(name: str) -> Any:
    package = find_spec("cfnlint")  # finding it does not import it, which would take half a second
    if package is None or package.origin is None:
        raise ModuleNotFoundError("cfn-lint is not installed; it comes with moto[all]")
    path = Path(package.origin).parent / "data/schemas" / name
    return json.loads(path.read_text(encoding="utf-8"))
