"""Statements of the policies that are written in templates: who may do what, on which condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.cfn import ACCOUNT, VERSION, Value, Values

Texts = str | Sequence[str]


def policy(*statements: Values) -> Value:
    """Return a policy document of some statements."""
    return {"Version": VERSION, "Statement": list(statements)}


def allow(
    sid: str, principal: Any, action: Texts, resource: Any, condition: Values | None = None
) -> Value:
    """Return a statement of a resource's policy that allows."""
    return _statement("Allow", sid, principal, action, resource, condition)


def deny(sid: str, action: Texts, resource: Any, condition: Values | None = None) -> Value:
    """Return a statement of a resource's policy that denies to everybody, on a condition."""
    return _statement("Deny", sid, {"AWS": "*"}, action, resource, condition)


def _statement(
    effect: str, sid: str, principal: Any, action: Texts, resource: Any, condition: Values | None
) -> Value:
    said = {
        **({"Sid": sid} if sid else {}),
        "Effect": effect,
        "Principal": principal,
        "Action": action,
        "Resource": resource,
    }
    return {**said, **({"Condition": condition} if condition else {})}


def may(sid: str, action: Texts, resource: Any, condition: Values | None = None) -> Value:
    """Return a statement of an identity's policy."""
    said = {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource}
    return {**said, **({"Condition": condition} if condition else {})}


def assumed_by(sid: str, principal: Values, condition: Values) -> Value:
    """Return a statement of a trust policy."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }


def assumed_by_service(service: str, source_arn: Texts) -> Value:
    """Return the trust in a service of AWS, when it acts for something of this account.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    return assumed_by("Service", {"Service": service}, for_source(source_arn))


def for_source(arn: Any, account: Any = ACCOUNT) -> Value:
    """Return the condition that a service acts for something of an account."""
    return {"StringEquals": {"aws:SourceAccount": account}, "ArnLike": {"aws:SourceArn": arn}}


def tls_only(action: Texts, resource: Any) -> Value:
    """Return the statement that refuses what is not encrypted on its way."""
    return deny("OnlyTls", action, resource, {"Bool": {"aws:SecureTransport": "false"}})
