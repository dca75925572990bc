"""What a person asks for is read strictly: anything else is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.deciding.asked import LARGEST, LONGEST, Asked, read
from chalicelib.errors import NotDecided

PLAN = "a" * 64
GOOD = {"decision": "approved", "plan": PLAN}


def test_a_decision_is_read() -> None:
    """A decision, a plan's hash and, if given, a reason."""
    body = json.dumps({**GOOD, "reason": " not ours "}).encode()

    assert Asked("approved", PLAN, "not ours") == read(body)
    assert Asked("denied", PLAN, "") == read(json.dumps({**GOOD, "decision": "denied"}).encode())
    assert LONGEST == len(read(json.dumps({**GOOD, "reason": "x" * LONGEST}).encode()).reason)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "object"),
        ("approved", "object"),
        (None, "object"),
        ({}, "decision"),
        ({"decision": "approved"}, "plan"),
        ({**GOOD, "decision": "approve"}, "approved or denied"),
        ({**GOOD, "decision": "Approved"}, "approved or denied"),
        ({**GOOD, "decision": ["approved"]}, "a text"),
        ({**GOOD, "plan": PLAN[:12]}, "64"),
        ({**GOOD, "plan": PLAN.upper()}, "64"),
        ({**GOOD, "plan": PLAN + "\n"}, "control"),
        ({**GOOD, "plan": None}, "plan"),
        ({**GOOD, "reason": 1}, "a text"),
        ({**GOOD, "reason": "x" * (LONGEST + 1)}, "longer"),
        ({**GOOD, "reason": "a\nb"}, "control"),
        ({**GOOD, "reason": "\x1b[2J"}, "control"),
        ({**GOOD, "by": "arn:aws:iam::111122223333:user/boss"}, "body.by"),
        ({**GOOD, "principal": "boss"}, "body.principal"),
        ({**GOOD, "identity": {"userArn": "boss"}}, "body.identity"),
    ],
    ids=str,
)
def test_anything_else_is_refused_by_name(body: Any, said: str) -> None:
    """Also a field that would name another approver."""
    with pytest.raises(NotDecided, match=said) as wrong:
        read(json.dumps(body).encode())
    assert 400 == wrong.value.status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 5_000,
        b'{"decision": "denied", "decision": "approved", "plan": "%s"}' % PLAN.encode(),
        json.dumps({**GOOD, "reason": "x" * LARGEST}).encode(),
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """Broken, nested without end, with a key twice, or too large."""
    with pytest.raises(NotDecided) as wrong:
        read(body)
    assert 400 == wrong.value.status
