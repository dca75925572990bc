"""Evaluate IAM policy documents: actions, resources and conditions, as IAM does.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

Document = Mapping[str, Any]
Context = Mapping[str, Sequence[str]]


class Decision(Enum):
    """What a set of policies says of a request."""

    ALLOW = "allow"
    EXPLICIT_DENY = "explicit deny"
    IMPLICIT_DENY = "implicit deny"


@dataclass(frozen=True)
class Request:
    """One action on one resource, with the keys conditions can ask for (in lower case)."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


def evaluate(documents: Iterable[Document], request: Request) -> Decision:
    """Decide: a Deny wins, else an Allow, else the request is denied implicitly."""
    effects = {
        statement["Effect"]
        for document in documents
        for statement in _list(document.get("Statement"))
        if applies(statement, request)
    }
    if "Deny" in effects:
        return Decision.EXPLICIT_DENY
    return Decision.ALLOW if "Allow" in effects else Decision.IMPLICIT_DENY


def applies(statement: Mapping[str, Any], request: Request) -> bool:
    """Say whether a statement speaks of the request."""
    return (
        _selects(statement, "Action", request.action, ignore_case=True)
        and _selects(statement, "Resource", request.resource, ignore_case=False)
        and conditions_hold(statement.get("Condition", {}), request.context)
    )


def _selects(statement: Mapping[str, Any], element: str, value: str, *, ignore_case: bool) -> bool:
    if f"Not{element}" in statement:
        patterns = _list(statement[f"Not{element}"])
        return not any(like(value, pattern, ignore_case=ignore_case) for pattern in patterns)
    if element not in statement:
        return element == "Resource"  # a trust policy has no Resource
    return any(
        like(value, pattern, ignore_case=ignore_case) for pattern in _list(statement[element])
    )


def names(statement: Mapping[str, Any], account: str, *arns: str | None) -> bool:
    """Say whether a resource's policy statement names a caller: its account or one of its ARNs."""
    if "NotPrincipal" in statement:
        raise NotImplementedError("NotPrincipal is not embedded")
    principal = statement.get("Principal", {})
    if principal == "*":
        return True
    named = set(_list(principal.get("AWS")))
    return bool(named & {"*", account, f"arn:aws:iam::{account}:root", *arns})


def conditions_hold(conditions: Mapping[str, Any], context: Context) -> bool:
    """Say whether every condition of a statement holds."""
    return all(
        _holds(operator, context.get(key.lower()), [str(each) for each in _list(expected)])
        for operator, keys in conditions.items()
        for key, expected in keys.items()
    )


def _holds(operator: str, actual: Sequence[str] | None, expected: list[str]) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if name == "Null":
        return (actual is None) == (expected[0].lower() == "true")
    optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    negated, test = _OPERATORS[name]
    if actual is None:
        return optional or negated or quantifier == "ForAllValues"
    matched = [any(test(value, each) for each in expected) != negated for value in actual]
    return all(matched) if quantifier == "ForAllValues" or negated else any(matched)


def like(value: str, pattern: str, *, ignore_case: bool = False) -> bool:
    """Match `*` and `?` as IAM does."""
    return (
        _compiled(pattern, re.IGNORECASE if ignore_case else re.NOFLAG).fullmatch(value) is not None
    )


@lru_cache(maxsize=4096)
def _compiled(pattern: str, flags: re.RegexFlag) -> re.Pattern[str]:
    translated = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(translated, re.DOTALL | flags)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _equals_ignoring_case(actual: str, expected: str) -> bool:
    return actual.lower() == expected.lower()


_Test = Callable[[str, str], bool]

_OPERATORS: dict[str, tuple[bool, _Test]] = {
    "StringEquals": (False, str.__eq__),
    "StringNotEquals": (True, str.__eq__),
    "StringEqualsIgnoreCase": (False, _equals_ignoring_case),
    "StringNotEqualsIgnoreCase": (True, _equals_ignoring_case),
    "StringLike": (False, like),
    "StringNotLike": (True, like),
    "ArnEquals": (False, like),
    "ArnNotEquals": (True, like),
    "ArnLike": (False, like),
    "ArnNotLike": (True, like),
    "Bool": (False, _equals_ignoring_case),
    "NumericEquals": (False, lambda a, b: float(a) == float(b)),
    "NumericNotEquals": (True, lambda a, b: float(a) == float(b)),
    "NumericLessThan": (False, lambda a, b: float(a) < float(b)),
    "NumericLessThanEquals": (False, lambda a, b: float(a) <= float(b)),
    "NumericGreaterThan": (False, lambda a, b: float(a) > float(b)),
    "NumericGreaterThanEquals": (False, lambda a, b: float(a) >= float(b)),
    "DateEquals": (False, lambda a, b: _moment(a) == _moment(b)),
    "DateNotEquals": (True, lambda a, b: _moment(a) == _moment(b)),
    "DateLessThan": (False, lambda a, b: _moment(a) < _moment(b)),
    "DateLessThanEquals": (False, lambda a, b: _moment(a) <= _moment(b)),
    "DateGreaterThan": (False, lambda a, b: _moment(a) > _moment(b)),
    "DateGreaterThanEquals": (False, lambda a, b: _moment(a) >= _moment(b)),
}
