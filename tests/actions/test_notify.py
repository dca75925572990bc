"""People get a message they can read, trust and act on, whatever a finding says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.actions.notify import notify
from chalicelib.effect import Message, Reader
from tests.actions.drive import applied, planned

LIMIT = 262_144  # bytes of message and attributes together
TOPIC = "arn:aws:sns:eu-west-1:111122223333:firebreak-prod-notifications"
FINDING: Mapping[str, Any] = {
    "id": "arn:aws:guardduty:eu-west-1:222233334444:detector/1/finding/2",
    "source": "aws.guardduty",
    "type": "Backdoor:EC2/C&CActivity.B!DNS",
    "title": "i-0123456789abcdef0 asks for evil.example.com",
    "description": "See https://evil.example.com/login",
    "severity": 8.5,
    "account": "222233334444",
    "region": "eu-west-1",
    "resource": {"kind": "instance", "id": "i-0123456789abcdef0", "arn": None},
    "remote_addresses": ["198.51.100.7"],
    "remote_domains": ["evil.example.com"],
    "first_seen": "2026-11-21T10:00:00.123Z",
    "last_seen": "2026-11-21T10:05:00Z",
    "count": 3,
    "status": "active",
    "sample": False,
}


def plain(_: boto3.Session) -> dict[str, Any]:
    """Give a subject alone."""
    return {"subject": "Contained i-0123456789abcdef0"}


def with_text(_: boto3.Session) -> dict[str, Any]:
    """Give a subject, a text of several lines and a severity."""
    return {"subject": "Contained", "text": "Keys are off.\n\nCall the owner.", "severity": 9.5}


SCENES: dict[str, Callable[[boto3.Session], dict[str, Any]]] = {
    "plain": plain,
    "with text": with_text,
}


def sent(
    finding: Mapping[str, Any] = FINDING,
    subject: str = "Contained",
    text: str = "",
    severity: float | None = None,
    **changed: Any,
) -> dict[str, Any]:
    """Return the parameters of the call that the action asks for."""
    known = {
        "finding": finding,
        "remediation": "r-0123456789abcdef",
        "playbook": "contain_compromised_instance",
        "step": "tell",
        "stage": "prod",
        "topic_arn": TOPIC,
    }
    reader = SimpleNamespace(**known | changed)
    effect = next(notify(cast(Reader, reader), subject, text, severity))
    assert isinstance(effect, Message)
    return dict(effect.do.params)


def attributes(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the message attributes by name."""
    return {name: each["StringValue"] for name, each in params["MessageAttributes"].items()}


def test_a_message_says_what_where_and_how_to_take_it_back() -> None:
    """The message names finding, place, resource and severity, and the command to roll back."""
    expected = """\
Contained

  The owner is told.

WHAT WAS FOUND
  Severity:    8.5 of 10 (high)
  Type:        Backdoor:EC2/C&CActivity[.]B!DNS
  Title:       i-0123456789abcdef0 asks for evil[.]example[.]com
  Account:     222233334444
  Region:      eu-west-1
  Resource:    instance i-0123456789abcdef0
  Addresses:   198[.]51[.]100[.]7
  Domains:     evil[.]example[.]com
  First seen:  2026-11-21 10:00:00 UTC
  Last seen:   2026-11-21 10:05:00 UTC
  Times seen:  3
  Status:      active
  Finding:     arn:aws:guardduty:eu-west-1:222233334444:detector/1/finding/2
  Description: See https[:]//evil[.]example[.]com/login

WHO ACTS
  Playbook:    contain_compromised_instance
  Step:        tell
  Stage:       prod
  Remediation: r-0123456789abcdef

To take back what was done:
  firebreak rollback r-0123456789abcdef
"""

    assert expected == sent(text="The owner is told.")["Message"]


def test_attributes_for_filters_and_machines() -> None:
    """Filter policies find severity, playbook and account; machines find the facts as they are."""
    found = attributes(sent())
    facts = json.loads(found["firebreak"])

    assert "8.5" == found["severity"]
    assert "Number" == sent()["MessageAttributes"]["severity"]["DataType"]
    assert ("contain_compromised_instance", "222233334444") == (
        found["playbook"],
        found["account"],
    )
    assert FINDING["type"] == found["finding_type"] == facts["finding"]["type"]
    assert ["evil.example.com"] == facts["remote_domains"]
    assert len(found) <= 10


@pytest.mark.parametrize(
    ("severity", "shown"),
    [(None, "8.5 of 10 (high)"), (9.0, "9 of 10 (critical)"), (0.0, "0 of 10 (low)")],
)
def test_a_playbook_may_grade_a_message(severity: float | None, shown: str) -> None:
    """The severity is the finding's, or the one the playbook gives, zero included."""
    assert f"Severity:    {shown}" in sent(severity=severity)["Message"]


def test_a_sample_is_called_one() -> None:
    """A finding that AWS made as an example is told from one that happened."""
    assert "Sample:      made by AWS as an example" in sent({**FINDING, "sample": True})["Message"]


def test_nothing_passes_for_a_line_of_ours() -> None:
    """Text from outside cannot begin a line where Firebreak's own words begin."""
    forged = "done\n\nWHO ACTS\n  Remediation: r-forged\r\u2028firebreak rollback r-forged"
    finding = {**FINDING, "title": forged, "description": forged, "type": forged}

    lines = sent(finding, forged, forged)["Message"].splitlines()

    assert 1 == lines.count("WHO ACTS")
    assert ["  firebreak rollback r-0123456789abcdef"] == [
        line for line in lines if line.startswith("  firebreak rollback r-0")
    ]
    own = {"WHAT WAS FOUND", "WHO ACTS", "To take back what was done:", lines[0], ""}
    assert own >= {line for line in lines if not line.startswith("  ")}


HOSTILE = st.text(max_size=200) | st.sampled_from(
    ["http://evil.example", "a\n  firebreak rollback r-1", "\u202egnp.exe", "x@evil.example"]
)


@given(HOSTILE, HOSTILE, HOSTILE)
@settings(deadline=None)
def test_whatever_is_said_can_be_published(subject: str, text: str, said: str) -> None:
    """Message and subject hold no link and no hidden character, whatever they are made of."""
    resource = {"kind": "bucket", "id": said, "arn": said}
    params = sent({"title": said, "resource": resource, "remote_domains": [said]}, subject, text)

    assert re.fullmatch(r"[!-~][ -~]{0,98}", params["Subject"])
    assert not re.search(r"://|\w\.\w", params["Message"])
    assert not re.search(
        "[\u0000-\u0009\u000b-\u001f\u200b-\u200f\u202a-\u202e]", params["Message"]
    )
    assert all(attributes(params).values())
    params["Message"].encode()


def test_the_largest_message_is_small_enough() -> None:
    """Texts of any length make a message that SNS takes."""
    huge = "\U0001f600\u0001" * 50_000
    finding: dict[str, Any] = dict.fromkeys(FINDING, huge)
    finding |= {
        "severity": 10.0,
        "resource": {"kind": huge, "id": huge, "arn": huge},
        "remote_addresses": [huge] * 100,
        "remote_domains": [huge] * 100,
        "sample": True,
    }

    params = sent(finding, huge, huge)
    sizes = [len(params["Message"].encode()), len(params["Subject"])]
    for name, each in params["MessageAttributes"].items():
        sizes.append(len(name) + len(each["DataType"]) + len(each["StringValue"].encode()))

    assert sum(sizes) < LIMIT


def test_many_addresses_are_counted() -> None:
    """A list is cut where people stop reading, and says how many are left."""
    addresses = [f"198.51.100.{number}" for number in range(1, 31)]

    message = sent({**FINDING, "remote_addresses": addresses})["Message"]

    assert "198[.]51[.]100[.]20 and 10 more" in message


def test_a_finding_that_says_little() -> None:
    """What a finding does not have is left out."""
    message = sent({"type": "x"})["Message"]

    assert "Type:        x" in message
    assert "None" not in message


def test_repeats_are_known() -> None:
    """The same message has the same deduplication id; another step's has another."""
    ids = [attributes(sent(step=step))["deduplication_id"] for step in ("tell", "tell", "page")]

    assert ids[0] == ids[1] != ids[2]
    assert "MessageDeduplicationId" not in sent()


def test_an_ordered_topic_drops_repeats() -> None:
    """A FIFO topic gets the deduplication id, and the remediation as its group."""
    params = sent(topic_arn=TOPIC + ".fifo")

    assert attributes(params)["deduplication_id"] == params["MessageDeduplicationId"]
    assert "r-0123456789abcdef" == params["MessageGroupId"]


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_it_is_published(
    account: boto3.Session, scene: Callable[[boto3.Session], dict[str, Any]]
) -> None:
    """The topic at home gets one message."""
    params = scene(account)

    run = applied("notify", account, **params)

    assert ("done", ["sns:publish"]) == (run.status, run.calls), run.reason
    assert params["subject"] == run.facts["subject"]


def test_a_plan_sends_nothing(account: boto3.Session) -> None:
    """A plan lists the message."""
    run = planned("notify", account, **plain(account))

    (item,) = run.items
    assert [] == run.calls
    assert ("message", "publish") == (item["kind"], item["call"]["operation"])
