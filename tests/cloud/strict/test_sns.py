"""Tests of the subject and the body of messages."""

from __future__ import annotations

from typing import Any

import pytest

from firebreak.cloud import Cloud
from tests.cloud.strict.conftest import code_of


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"Message": "m", "Subject": "x" * 100}, "ok"),
        ({"Message": "m", "Subject": "[Firebreak] contained i-1"}, "ok"),
        ({"Message": "m"}, "ok"),
        ({"Message": "m", "Subject": "x" * 101}, "InvalidParameter"),
        ({"Message": "m", "Subject": "two\nlines"}, "InvalidParameter"),
        ({"Message": "m", "Subject": "bell\x07"}, "InvalidParameter"),
        ({"Message": "m", "Subject": "é"}, "InvalidParameter"),
        ({"Message": "m", "Subject": " begins with a space"}, "InvalidParameter"),
        ({"Message": "m", "Subject": ""}, "InvalidParameter"),
        ({"Message": ""}, "InvalidParameter"),
        ({"Message": "x" * 262_144}, "ok"),
        ({"Message": "é" * 131_073}, "InvalidParameter"),
    ],
)
def test_messages(cloud: Cloud, message: dict[str, Any], code: str) -> None:
    """A subject is a plain line of ASCII, a message has at most 256 KB."""
    sns = cloud.session().client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    assert code_of(sns.publish, TopicArn=topic, **message) == code
