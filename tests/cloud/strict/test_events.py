"""Tests of what a PutEvents request may hold."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import Cloud
from firebreak.cloud.strict.events import entry_size


def entry(**fields: Any) -> dict[str, Any]:
    """Return an entry for PutEvents."""
    return {"Source": "firebreak.x", "DetailType": "Alert", "Detail": '{"n": 1}', **fields}


def test_large_entry_is_refused(cloud: Cloud) -> None:
    """An entry of more than 1 MB fails the request; one of nearly 1 MB passes."""
    events = boto3.client("events")
    events.put_events(Entries=[entry(Detail=json.dumps({"x": "y" * 1_000_000}))])
    with pytest.raises(ClientError, match="ValidationException"):
        events.put_events(Entries=[entry(Detail=json.dumps({"x": "y" * 1_048_576}))])


def test_request_has_ten_entries(cloud: Cloud) -> None:
    """An eleventh entry fails the request."""
    with pytest.raises(ClientError, match="ValidationException"):
        boto3.client("events").put_events(Entries=[entry()] * 11)


def test_size_is_counted_in_bytes() -> None:
    """Source, type, detail and resources count in UTF-8, a time counts 14."""
    assert entry_size(entry(Source="é", DetailType="t", Detail="{}", Resources=["r"])) == 6
    assert entry_size({"Source": "s", "Time": 1}) == 15
