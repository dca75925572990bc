"""The service authorization reference: what an IAM action can be limited to.

cfn-lint, which the embedded AWS comes with, carries a copy.
https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

WILDCARD = ".*"  # what stands for any name in the reference's ARNs


def resource_types(prefix: str, action: str) -> tuple[str, ...]:
    """Return the resource types an action can be limited to; none means only `*` allows it."""
    entry = _reference().get(prefix, {}).get("Actions", {}).get(action.lower(), {})
    return tuple(entry.get("Resources", ()))


def arn_formats(prefix: str, resource_type: str) -> tuple[str, ...]:
    """Return the ARNs of a resource type, over partition, region and account, each with wildcards.

    Where the reference leaves out a name that stands within, it ends there with a wildcard.
    """
    known = _reference()[prefix]["Resources"][resource_type.lower()]["ARNFormats"]
    return tuple(_format(each) for each in known)


def _format(arn: str) -> str:
    named = {"${Partition}": "{partition}", "${Region}": "{region}", "${Account}": "{account}"}
    for name, place in named.items():
        arn = arn.replace(name, place)
    return arn.replace(WILDCARD, "*")


@cache
def _reference() -> Mapping[str, Any]:
    package = find_spec("cfnlint")  # finding it does not import it, which would take half a second
    if package is None or package.origin is None:
        raise ModuleNotFoundError("cfn-lint is not installed; it comes with moto[all]")
    path = Path(package.origin).parent / "data/AdditionalSpecs/Policies.json"
    reference: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return reference
