"""Derive the ARNs a request acts on, from the service authorization reference and its parameters.

https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from firebreak.cloud.arns import ANY, DERIVERS, by_name
from firebreak.cloud.calls import CallInfo

__all__ = ["ANY", "resource_types", "resources"]


def resources(info: CallInfo, action: str) -> tuple[str, ...]:
    """Return the ARNs on which an action of the call is asked for; `*` where there is none."""
    prefix, _, name = action.partition(":")
    types = resource_types(prefix, name)
    if not types:
        return (ANY,)
    derive = DERIVERS.get(info.service, by_name)
    found = tuple(dict.fromkeys(derive(info, types)))
    return found or (ANY,)


def resource_types(prefix: str, action: str) -> tuple[str, ...]:
    """Return the resource types an action can be limited to; none means only `*` allows it."""
    entry = _reference().get(prefix, {}).get("Actions", {}).get(action.lower(), {})
    return tuple(entry.get("Resources", ()))


@cache
def _reference() -> Mapping[str, Any]:
    """Load the service authorization reference, which cfn-lint (a part of moto) carries."""
    package = find_spec("cfnlint")  # finding it does not import it, which would take half a second
    if package is None or package.origin is None:
        raise ModuleNotFoundError("cfn-lint is not installed; it comes with moto[all]")
    path = Path(package.origin).parent / "data/AdditionalSpecs/Policies.json"
    reference: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return reference
