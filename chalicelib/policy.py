"""IAM policies derived from what actions declare; nothing wider is ever asked for."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.actions import Action
from chalicelib.effect import canonical_text
from chalicelib.errors import Failed

SESSION_POLICY_LIMIT = 2048  # characters; AWS STS API reference, AssumeRole, Policy
GLOBAL_SERVICES = ("iam", "sts", "s3")  # their requests may name another region than the target's
WIDENING = re.compile(r"[^!-~]|[*?$\"\\]")  # wildcards, variables, what is no printable ASCII


@dataclass(frozen=True, slots=True)
class Scope:
    """Say where a step acts: what the ARNs that narrow its session are made of."""

    partition: str
    account: str
    region: str
    topic_arn: str
    stage: str


@dataclass(frozen=True, slots=True)
class _Limit:
    """What a statement is limited to: ARNs, conditions, a region."""

    arns: tuple[str, ...]
    condition: str
    region: str


def session_policy(action: Action, params: Mapping[str, Any], scope: Scope) -> str:
    """Return one step's session policy: its action's permissions, in its region, on its target.

    Raise Failed where a parameter would widen the policy or make it longer than AWS takes.
    """
    limits = [
        (permission, limit)
        for permission in action.permissions
        for limit in _limits(action, permission, params, scope)
    ]
    text = _policy(limits)
    if len(text) > SESSION_POLICY_LIMIT:
        raise Failed(
            f"{action.name}: its session policy has {len(text)} characters, AWS takes 2,048"
        )
    return text


def reading_policy(permissions: Iterable[str], region: str) -> str:
    """Return the policy of a session that only reads: these permissions, in its region."""
    everything = ("*",)
    return _policy(
        [(each, _Limit(everything, "{}", _region(each, region))) for each in permissions]
    )


def _policy(limits: Iterable[tuple[str, _Limit]]) -> str:
    """Return a policy with a statement for each limit that permissions have in common."""
    grouped: dict[_Limit, list[str]] = {}
    for permission, limit in limits:
        grouped.setdefault(limit, []).append(permission)
    statements = [_statement(each, limit) for limit, each in grouped.items()]
    return canonical_text({"Version": "2012-10-17", "Statement": statements})


def _statement(permissions: list[str], limit: _Limit) -> dict[str, Any]:
    condition: dict[str, dict[str, Any]] = json.loads(limit.condition)
    if limit.region:
        equal = condition.get("StringEquals", {})
        condition["StringEquals"] = {"aws:RequestedRegion": limit.region, **equal}
    statement = {"Effect": "Allow", "Action": sorted(permissions), "Resource": sorted(limit.arns)}
    return {**statement, "Condition": condition} if condition else statement


def _region(permission: str, region: str) -> str:
    return "" if permission.partition(":")[0] in GLOBAL_SERVICES else region


def _limits(
    action: Action, permission: str, params: Mapping[str, Any], scope: Scope
) -> list[_Limit]:
    """Return what a permission is limited to, once for each condition that its ARNs have."""
    found: dict[str, list[str]] = {}
    for each in action.on(permission):
        if params.get(each.unless) is None and (arn := _arn(each.arn, params, scope)):
            found.setdefault(canonical_text(each.condition), []).append(arn)
    region = _region(permission, scope.region)
    return [
        _Limit(tuple(arns), condition, "" if _all_in(arns, region) else region)
        for condition, arns in (found or {"{}": ["*"]}).items()
    ]


def _all_in(arns: Iterable[str], region: str) -> bool:
    """Say whether ARNs name the region themselves, so that no condition has to."""
    return all(arn.split(":")[3:4] == [region] for arn in arns)


def _arn(template: str, params: Mapping[str, Any], scope: Scope) -> str:
    """Return the ARN of a format, or "" where it needs a parameter that is not given."""
    values: dict[str, Any] = {
        **params,
        "partition": scope.partition,
        "account": scope.account,
        "region": scope.region,
        "topic_arn": scope.topic_arn,
        "stage": scope.stage,
    }
    for _, name, _, _ in string.Formatter().parse(template):
        if name and values.get(name) is None:
            return ""
        if name and (not values[name] or WIDENING.search(str(values[name]))):
            raise Failed(f"{name}: {str(values[name])[:80]!r} cannot stand in an ARN")
    return template.format(**values)
