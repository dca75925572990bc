"""IAM policies derived from what actions declare; nothing wider is ever asked for."""

from __future__ import annotations

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


def session_policy(action: Action, params: Mapping[str, Any], scope: Scope) -> str:
    """Return one step's session policy: its action's permissions, in its region, on its target.

    Raise Failed where a parameter would widen the policy or make it longer than AWS takes.
    """
    grouped: dict[tuple[tuple[str, ...], bool], list[str]] = {}
    for permission in action.permissions:
        regional = permission.partition(":")[0] not in GLOBAL_SERVICES
        grouped.setdefault((_arns(action, permission, params, scope), regional), []).append(
            permission
        )
    statements = [
        _statement(permissions, arns, scope.region if regional else "")
        for (arns, regional), permissions in grouped.items()
    ]
    text = canonical_text({"Version": "2012-10-17", "Statement": statements})
    if len(text) > SESSION_POLICY_LIMIT:
        raise Failed(
            f"{action.name}: its session policy has {len(text)} characters, AWS takes 2,048"
        )
    return text


def reading_policy(permissions: Iterable[str], region: str) -> str:
    """Return the policy of a session that only reads: these permissions, in its region."""
    grouped: dict[bool, list[str]] = {}
    for permission in permissions:
        regional = permission.partition(":")[0] not in GLOBAL_SERVICES
        grouped.setdefault(regional, []).append(permission)
    statements = [
        _statement(each, ("*",), region if regional else "") for regional, each in grouped.items()
    ]
    return canonical_text({"Version": "2012-10-17", "Statement": statements})


def _statement(permissions: list[str], arns: tuple[str, ...], region: str) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": sorted(permissions),
        "Resource": sorted(arns),
    }
    if region:
        statement["Condition"] = {"StringEquals": {"aws:RequestedRegion": region}}
    return statement


def _arns(
    action: Action, permission: str, params: Mapping[str, Any], scope: Scope
) -> tuple[str, ...]:
    formats = action.target.get(permission, action.target.get("*", ()))
    arns = tuple(_arn(each, params, scope) for each in formats)
    return tuple(arn for arn in arns if arn) or ("*",)


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
