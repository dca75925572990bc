"""`firebreak dlq`, against a stage in the embedded AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib import letters
from chalicelib.audit import Record
from chalicelib.store import get_event
from firebreak import dead_letters, retry_queue
from firebreak.cli import firebreak
from firebreak.cloud.queues import Mapped
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.worlds import HOME, failing, finding_event, playbook, refusal, world

HOSTILE = "\x1b[31mred\u202e\x9b\x7f"


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Stage, Mapped]]:
    """Give a stage with its queues; nobody waits for messages that are not there."""
    monkeypatch.setattr(dead_letters, "WAIT", 0)
    with world({"test": playbook(guardrails={"mode": "approve"})}) as stage:
        yield stage, stage.provide_queues()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(firebreak, ["dlq", *arguments])


def bury(stage: Stage, body: Any, **attributes: str) -> str:
    """Put a dead letter; return its id."""
    sqs = stage.cloud.session().client("sqs")
    sent = sqs.send_message(
        QueueUrl=stage.settings.queue_url(stage.settings.dead_letters),
        MessageBody=body if isinstance(body, str) else json.dumps(body),
        MessageAttributes=letters.as_attributes(attributes),
    )
    return str(sent["MessageId"])


def ids(stage: Stage) -> set[str]:
    """Return the ids of the dead letters that anybody can receive now."""
    from moto.sqs.models import sqs_backends

    stage.desk.clock.sleep(1)
    queue = sqs_backends[HOME]["us-east-1"].get_queue(stage.settings.dead_letters)
    return {message.id for message in queue._messages if message.visible}


def decided(stage: Stage) -> list[Record]:
    """Return what people decided of dead letters."""
    tables = stage.desk.tables
    chains = [chain for chain in tables.chains() if chain.startswith("letter-")]
    return [record for chain in chains for record in tables.records(chain)]


def test_what_failed_for_hours_is_listed_shown_and_tried_again(
    queues: tuple[Stage, Mapped],
) -> None:
    """From the failure to the decision: listed, shown whole, redriven, handled, gone."""
    stage, mapped = queues
    stage.cloud.inject = failing("TransactWriteItems", lambda: refusal("InternalServerError"), 999)
    stage.cloud.emit(finding_event())
    retry_queue.drain(mapped, stage.desk.clock)
    stage.cloud.inject = None
    (letter,) = ids(stage)
    listed, shown = run("list"), run("show", letter)
    redriven = run("redrive", letter)
    waiting = run("list").output
    retry_queue.drain(mapped, stage.desk.clock)
    settle(stage)
    ((record),) = decided(stage)

    assert letter in listed.output
    assert "GuardDuty Finding" in listed.output
    assert "InternalServerError" in listed.output
    assert "1 dead letters; about 0 events are tried again" in listed.output
    assert finding_event() == json.loads(shown.output[shown.output.index("\n{") :])
    assert "InternalServerError" in shown.output
    assert (0, 0, 0) == (listed.exit_code, shown.exit_code, redriven.exit_code)
    assert "0 dead letters; about 1 events are tried again" in waiting
    assert (set(), 1) == (ids(stage), len(stage.cloud.executions))
    assert ("redriven", letter) == (record.kind, record.what["letter"])
    assert record.who["principal"].startswith("arn:aws:")
    assert record.what["sha256"] in shown.output


def test_listing_consumes_nothing(queues: tuple[Stage, Mapped]) -> None:
    """However many there are, each is listed once, and all can be received at once afterwards."""
    stage, _ = queues
    buried = {bury(stage, finding_event(id=str(number))) for number in range(25)}
    first, second = run("list").output, run("list").output

    assert buried == {line.split()[0] for line in first.splitlines()[:-1]}
    assert first == second
    assert first.endswith("25 dead letters; about 0 events are tried again\n")
    assert buried == ids(stage)


def test_all_are_tried_again(queues: tuple[Stage, Mapped]) -> None:
    """With --all every dead letter goes to the retry queue, each with a record."""
    stage, mapped = queues
    for number in range(12):
        bury(stage, finding_event(id=str(number)), attempts="16", first_failed_at="2026-01-01")
    result = run("redrive", "--all")
    sent = [c for c in stage.cloud.calls if c.operation == "SendMessage"][-12:]
    retry_queue.drain(mapped, stage.desk.clock)

    assert "12 events are tried again" in result.output
    assert (set(), 12) == (ids(stage), len(decided(stage)))
    assert {"2026-01-01"} == {
        each.params["MessageAttributes"]["first_failed_at"]["StringValue"] for each in sent
    }
    assert all("attempts" not in each.params["MessageAttributes"] for each in sent)


def test_what_is_given_up_is_kept_and_recorded(queues: tuple[Stage, Mapped]) -> None:
    """A discarded event lies in the table, and the record says who gave it up, and why."""
    stage, _ = queues
    stays, goes = bury(stage, finding_event()), bury(stage, "no { json", error="Unreadable")
    event = bury(stage, finding_event(id="other"))
    result = run("discard", goes, event, "--reason", "a test")
    records = {record.what["letter"]: record for record in decided(stage)}

    assert (0, {stays}) == (result.exit_code, ids(stage))
    assert {goes, event} == set(records)
    assert {("discarded", "a test")} == {(r.kind, r.what["reason"]) for r in records.values()}
    assert "no { json" == get_event(stage.desk.tables, records[goes].chain)
    assert finding_event(id="other") == get_event(stage.desk.tables, records[event].chain)


@pytest.mark.parametrize("verb", ["show", "redrive", "discard"])
def test_an_unknown_id_is_one_clear_line(queues: tuple[Stage, Mapped], verb: str) -> None:
    """It is named, nothing is done with the others, and those that were named are handled."""
    stage, _ = queues
    other = bury(stage, finding_event())
    result = run(verb, "no-such-id")

    assert 0 != result.exit_code
    assert "there is no dead letter 'no-such-id'" in str(result.exception)
    assert {other} == ids(stage)


@pytest.mark.parametrize("arguments", [["redrive"], ["redrive", "x", "--all"]])
def test_redrive_is_told_which(queues: tuple[Stage, Mapped], arguments: list[str]) -> None:
    """Nothing is tried again unless ids or --all are given, and not both."""
    stage, _ = queues
    other = bury(stage, finding_event())

    assert "give the ids of dead letters, or --all" in str(run(*arguments).exception)
    assert {other} == ids(stage)


@pytest.mark.parametrize(
    ("operation", "left"), [("TransactWriteItems", 1), ("SendMessage", 1), ("DeleteMessage", 1)]
)
def test_redriving_that_fails_loses_nothing(
    queues: tuple[Stage, Mapped], operation: str, left: int
) -> None:
    """Recorded, sent, then deleted: wherever that ends, the dead letter is still there."""
    stage, _ = queues
    letter = bury(stage, finding_event())
    stage.cloud.inject = failing(operation, lambda: refusal("InternalError"))
    result = run("redrive", letter)

    assert 0 != result.exit_code
    assert left == len(ids(stage))


def test_what_an_event_says_cannot_steer_the_terminal(queues: tuple[Stage, Mapped]) -> None:
    """Escapes and characters that hide text are shown as such, in events, errors and garbage."""
    stage, _ = queues
    event = finding_event(type=HOSTILE, title=HOSTILE)
    first = bury(stage, event, error=HOSTILE, why=HOSTILE)
    second = bury(stage, HOSTILE.replace("\x1b", ""))
    told = run("list").output + run("show", first).output + run("show", second).output

    assert not {"\x1b", "\u202e", "\x9b", "\x7f"} & set(told)
    assert "\\x1b[31mred" in told
    assert event == json.loads(run("show", first).output.partition("\n{")[2].join(["{", ""]))


def test_each_kind_of_letter_says_what_it_is(queues: tuple[Stage, Mapped]) -> None:
    """A finding, an execution's end, a log delivery and garbage can be told apart in the list."""
    stage, _ = queues
    context = {"functionArn": f"arn:aws:lambda:us-east-1:{HOME}:function:ingest_firewall_logs"}
    bury(stage, finding_event())
    bury(stage, {"requestContext": context, "requestPayload": {"awslogs": {"data": "x"}}})
    bury(stage, "garbage")
    ended = {"source": "aws.states", "detail-type": "Step Functions Execution Status Change"}
    bury(stage, {**ended, "detail": {"name": "0" * 24}}, ERROR_CODE="NO_PERMISSIONS")
    told = run("list").output

    assert "GuardDuty Finding CryptoCurrency:EC2/BitcoinTool.B " in told
    assert "an event of ingest_firewall_logs" in told
    assert "no event" in told
    assert f"Step Functions Execution Status Change {'0' * 24}" in told
    assert "NO_PERMISSIONS" in told
