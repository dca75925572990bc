from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib import telling
from chalicelib.errors import Transient
from firebreak.stage import Stage
from tests.worlds import failing, head, refusal, world

EVIL = "i-1\r\nStatus: contained\n\x1b[31m\u202ehttps://evil.example/?a=<b> é"
HEAD = head(
    playbook={"name": "contain"},
    target=EVIL,
    why=EVIL,
    plan={"hash": "abc123"},
)
TELLINGS: dict[str, Callable[[Any], object]] = {
    "asked": lambda desk: telling.ask(desk, HEAD, 7_200),
    "closed": lambda desk: telling.closed(desk, HEAD, "failed", EVIL),
    "rejected": lambda desk: telling.rejected(desk, "event-1", EVIL),
    "review": lambda desk: telling.review(desk, HEAD, 2, 3_600),
    "expiry": lambda desk: telling.expiry(desk, HEAD, 1_790_000_000),
    "drifted": lambda desk: telling.drifted(desk, HEAD, EVIL, {"live": EVIL}),
    "undelivered": lambda desk: telling.undelivered(desk, {EVIL: EVIL}),
    "corrupt": lambda desk: telling.corrupt(desk, EVIL, "problem-1"),
}


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Give a stage without playbooks."""
    with world() as made:
        yield made


def published(stage: Stage) -> dict[str, str]:
    """Return the one message that was published."""
    (call,) = [call for call in stage.cloud.calls if call.operation == "Publish"]
    return dict(call.params)


@pytest.mark.parametrize("tell", TELLINGS.values(), ids=TELLINGS)
def test_nothing_of_a_finding_passes_for_our_own_words(
    stage: Stage, tell: Callable[[Any], object]
) -> None:
    """Text from outside has no lines, links or hidden characters of its own wherever it stands."""
    tell(stage.desk)
    message = published(stage)
    lines = message["Message"].splitlines()

    assert stage.settings.topic_arn == message["TopicArn"]
    assert len(message["Subject"]) < 100
    assert message["Subject"].isascii()
    assert not any(line.startswith("Status: contained") for line in lines)
    assert all(not {"\x1b", "\u202e", "\r"} & set(text) for text in message.values())
    assert all("://" not in text and "evil.example" not in text for text in message.values())


def test_who_is_asked_is_told_what_about(stage: Stage) -> None:
    """A question names the remediation, why it asks, the plan's hash, and how long there is."""
    TELLINGS["asked"](stage.desk)
    message = published(stage)

    assert message["Subject"].startswith("Approval needed: contain on i-1")
    for line in (f"Remediation: {HEAD.id}", "Plan: abc123", "Expires in: 2h", "Playbook: contain"):
        assert line in message["Message"].splitlines()
    for line in ("Approve: firebreak approve", "Deny: firebreak deny"):
        answer = f"{line} {HEAD.id} --plan abc123 --stage {stage.settings.stage}"
        assert answer in message["Message"].splitlines()


def test_a_bad_end_is_told_with_where_to_look(stage: Stage) -> None:
    """What went wrong is told with its status, and the command that shows what was done."""
    TELLINGS["closed"](stage.desk)
    message = published(stage)

    assert "Status: failed" in message["Message"].splitlines()
    assert f"firebreak audit show {HEAD.id}" in message["Message"]


def test_a_rejected_event_is_told_with_where_it_is_kept(stage: Stage) -> None:
    """Of an event that was rejected people learn why, and under which id it lies."""
    TELLINGS["rejected"](stage.desk)
    message = published(stage)

    assert "Event rejected" == message["Subject"]
    assert "Kept as: event-1" in message["Message"].splitlines()


def test_a_long_text_is_cut(stage: Stage) -> None:
    """SNS takes 256 KB; what one value may take of it is bounded."""
    telling.rejected(stage.desk, "event-1", "x" * 10**6)

    assert len(published(stage)["Message"]) < 3_000


STATEMENTS = {name: tell for name, tell in TELLINGS.items() if name != "asked"}


@pytest.mark.parametrize("tell", STATEMENTS.values(), ids=STATEMENTS)
@pytest.mark.parametrize(
    "error", [refusal("AuthorizationError"), EndpointConnectionError(endpoint_url="sns")]
)
def test_a_topic_that_is_down_holds_up_nothing(
    stage: Stage, tell: Callable[[Any], object], error: Exception
) -> None:
    """Whatever SNS answers, what has to be recorded goes on."""
    stage.cloud.inject = failing("Publish", lambda: error)
    tell(stage.desk)

    assert "ok" not in [call.code for call in stage.cloud.calls if call.operation == "Publish"]


def test_a_question_that_nobody_hears_is_asked_again(stage: Stage) -> None:
    """Where SNS is down, asking for approval is tried again: a question unheard is none."""
    stage.cloud.inject = failing("Publish", lambda: refusal("InternalError"))

    with pytest.raises(Transient):
        TELLINGS["asked"](stage.desk)
