"""Tests of evaluating IAM policy documents."""

from __future__ import annotations

from typing import Any

import pytest

from firebreak.cloud.policy import Decision, Request, conditions_hold, evaluate, like, names


def statement(effect: str = "Allow", **fields: Any) -> dict[str, Any]:
    """Return a statement about everything, but for the fields given."""
    return {"Effect": effect, "Action": "*", "Resource": "*", **fields}


def decide(*statements: dict[str, Any], **request: Any) -> Decision:
    """Decide a request to stop an instance."""
    asked = {"action": "ec2:StopInstances", "resource": "arn:aws:ec2:eu-west-1:1:instance/i-1"}
    return evaluate([{"Statement": list(statements)}], Request(**{**asked, **request}))


def test_nothing_allowed_is_denied_implicitly() -> None:
    """Without a matching Allow, the answer is no."""
    assert decide() is Decision.IMPLICIT_DENY
    assert decide(statement(Action="s3:*")) is Decision.IMPLICIT_DENY


def test_deny_wins() -> None:
    """A Deny anywhere outweighs every Allow."""
    assert decide(statement(), statement("Deny", Action="ec2:Stop*")) is Decision.EXPLICIT_DENY


@pytest.mark.parametrize("action", ["ec2:StopInstances", "EC2:stopinstances", "ec2:*", "ec2:St?p*"])
def test_actions_have_wildcards_and_no_case(action: str) -> None:
    """Actions match without regard to case, with `*` and `?`."""
    assert decide(statement(Action=[action])) is Decision.ALLOW


def test_resources_have_wildcards_and_case() -> None:
    """Resources match with wildcards, exactly otherwise."""
    arn = "arn:aws:ec2:*:1:instance/{}"
    assert decide(statement(Resource=arn.format("*"))) is Decision.ALLOW
    assert decide(statement(Resource=arn.format("I-1"))) is Decision.IMPLICIT_DENY


def test_negated_elements_select_the_rest() -> None:
    """NotAction and NotResource speak of everything else."""
    not_iam = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
    assert decide(not_iam) is Decision.ALLOW
    assert decide(not_iam, action="iam:GetUser") is Decision.IMPLICIT_DENY
    not_instances = {"Effect": "Allow", "Action": "*", "NotResource": "*:instance/*"}
    assert decide(not_instances) is Decision.IMPLICIT_DENY


def test_wildcards_are_not_regular_expressions() -> None:
    """Dots and brackets mean themselves."""
    assert like("a.b", "a.b")
    assert not like("axb", "a.b")


@pytest.mark.parametrize(
    ("operator", "expected", "actual", "holds"),
    [
        ("StringEquals", "eu-west-1", ["eu-west-1"], True),
        ("StringEquals", ["a", "b"], ["b"], True),
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringNotEquals", "a", ["b"], True),
        ("StringNotEquals", ["a", "b"], ["b"], False),
        ("StringNotEquals", "a", None, True),
        ("StringLike", "arn:*:role/f*", ["arn:x:role/firebreak"], True),
        ("ArnLike", "arn:aws:iam::1:role/*", ["arn:aws:iam::2:role/x"], False),
        ("Bool", "true", ["true"], True),
        ("Null", "true", None, True),
        ("Null", "false", ["x"], True),
        ("NumericLessThan", "10", ["9"], True),
        ("DateLessThan", "2026-01-02T00:00:00Z", ["2026-01-01T00:00:00+00:00"], True),
        ("DateGreaterThan", "2026-01-02T00:00:00Z", ["2026-01-01T00:00:00Z"], False),
        ("ForAllValues:StringEquals", ["a", "b"], ["a"], True),
        ("ForAllValues:StringEquals", ["a"], ["a", "c"], False),
        ("ForAllValues:StringEquals", ["a"], None, True),
        ("ForAnyValue:StringEquals", ["a"], ["c", "a"], True),
    ],
)
def test_condition_operators(
    operator: str, expected: object, actual: list[str] | None, holds: bool
) -> None:
    """Each operator compares as IAM documents it; keys are found without regard to case."""
    context = {} if actual is None else {"aws:key": actual}
    assert conditions_hold({operator: {"aws:Key": expected}}, context) is holds


def test_unknown_operator_is_an_error() -> None:
    """A misspelt operator is not taken for a condition that holds or fails."""
    with pytest.raises(KeyError):
        conditions_hold({"StringEqual": {"aws:x": "y"}}, {"aws:x": ["y"]})


def test_principals_are_named_by_account_or_arn() -> None:
    """The account's root stands for the whole account."""
    for principal in ("*", {"AWS": "*"}, {"AWS": ["1"]}, {"AWS": "arn:aws:iam::1:root"}):
        assert names({"Principal": principal}, "1", "arn:me")
    assert names({"Principal": {"AWS": "arn:me"}}, "1", "arn:me")
    assert not names({"Principal": {"Service": "lambda.amazonaws.com"}}, "1", "arn:me")
    assert not names({"Principal": {"AWS": "arn:aws:iam::2:root"}}, "1", "arn:me")
