"""Policy documents: statements in a fixed order, and what IAM counts of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chalicelib.actions import Condition
from chalicelib.effect import canonical

Document = dict[str, Any]
Statement = dict[str, Any]

# What IAM takes, white space not counted.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
INLINE_LIMIT = 10_240  # characters of all inline policies of a role
MANAGED_LIMIT = 6_144


def document(statements: Iterable[Statement]) -> Document:
    """Return a policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def statement(
    name: str,
    actions: Iterable[str],
    resources: Iterable[str],
    condition: Condition | None = None,
    effect: str = "Allow",
) -> Statement:
    """Return a statement: what it allows, or denies, in order, each once."""
    made: Statement = {
        **({"Sid": name} if name else {}),
        "Effect": effect,
        "Action": sorted(set(actions)),
        "Resource": sorted(set(resources)),
    }
    if condition:
        made["Condition"] = canonical(condition)
    return made


def filled(condition: Condition, fill: Callable[[str], str]) -> Condition:
    """Return a condition whose formats are filled."""
    return {
        operator: {
            key: fill(wanted) if isinstance(wanted, str) else tuple(map(fill, wanted))
            for key, wanted in keys.items()
        }
        for operator, keys in condition.items()
    }


def size(policy: Mapping[str, Any]) -> int:
    """Return how many characters of a policy IAM counts."""
    return len(json.dumps(policy, separators=(",", ":")))


def text(policy: Mapping[str, Any]) -> str:
    """Return a policy as it is printed and kept in a file."""
    return json.dumps(policy, indent=2) + "\n"
