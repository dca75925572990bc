"""Firebreak never contains those who respond, nor itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from chalicelib.effect import Reader
from chalicelib.errors import Refused
from chalicelib.iam import DIFFERS, refuse_responder, revoking, size

ROLE = "arn:aws:iam::222233334444:role/firebreak/firebreak-prod-member"
USER = "arn:aws:iam::222233334444:user/break-glass"


def reader(*responders: str) -> Reader:
    """Return a reader that knows responders and nothing else."""
    return cast(Reader, SimpleNamespace(responders=responders))


@pytest.mark.parametrize(
    ("responder", "arn"),
    [
        (ROLE, ROLE),
        ("arn:aws:iam::*:role/*/firebreak-*-member", ROLE),
        ("arn:aws:iam::*:role/firebreak-prod-member", ROLE),
        ("arn:aws:iam::*:user/break-glass*", USER),
        ("firebreak-prod-member", ROLE),
        ("firebreak-*", ROLE),
    ],
)
def test_responders_are_refused(responder: str, arn: str) -> None:
    """A responder is known by ARN or, for a role, by name, with wildcards."""
    with pytest.raises(Refused, match="responder") as refused:
        refuse_responder(reader("other", responder), arn)

    assert "responder" == refused.value.code


@pytest.mark.parametrize(
    ("responder", "arn"),
    [
        ("arn:aws:iam::*:role/firebreak", ROLE),
        ("ARN:AWS:IAM::*:USER/BREAK-GLASS", USER),
        ("break-glass", USER),
        ("firebreak-prod", ROLE),
    ],
)
def test_others_are_not(responder: str, arn: str) -> None:
    """A name is whole and of a role; upper and lower case differ."""
    refuse_responder(reader(responder), arn)


def test_white_space_does_not_count() -> None:
    """IAM counts the characters of inline policies without white space."""
    policy: dict[str, Any] = {"Sid": "a b\n c"}

    assert len('{"Sid":"abnc"}') + 1 == size([policy])  # the line feed is written as \n


def test_a_policy_of_others_satisfies_no_cut_off() -> None:
    """What stands in for a policy that is not Firebreak's is before every time."""
    assert DIFFERS < "0001-01-01T00:00:00Z"
    assert "Deny" == revoking("2026-01-01T00:00:00Z")["Statement"][0]["Effect"]
