"""Tests of how large the event of an invocation may be."""

from __future__ import annotations

import json

import pytest

from firebreak.cloud import Cloud
from tests.cloud.strict.conftest import code_of


@pytest.mark.parametrize(
    ("kind", "size", "code"),
    [
        ("RequestResponse", 6_000_000, "ok"),
        ("RequestResponse", 6_291_457, "RequestTooLargeException"),
        ("Event", 1_000_000, "ok"),
        ("Event", 1_048_577, "RequestTooLargeException"),
    ],
)
def test_size_of_event(cloud: Cloud, kind: str, size: int, code: str) -> None:
    """6 MB when somebody waits for the answer, 1 MB when nobody does."""
    cloud.add_function("f", lambda event, context: None)
    payload = json.dumps("x" * (size - 2)).encode()
    invoke = cloud.session().client("lambda").invoke
    assert code_of(invoke, FunctionName="f", InvocationType=kind, Payload=payload) == code
