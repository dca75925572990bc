from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from chalicelib import letters, retrying
from chalicelib.errors import Rejected
from firebreak import retry_queue
from firebreak.cloud import ProcessKilled
from firebreak.cloud.calls import CallInfo
from firebreak.cloud.queues import Mapped
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.worlds import HOME, failing, finding_event, playbook, recorded, refusal, world

ASKING = {"test": playbook(guardrails={"mode": "approve"})}
ENDED = {
    "version": "0",
    "id": "1",
    "source": "aws.states",
    "detail-type": "Step Functions Execution Status Change",
    "account": HOME,
    "region": "us-east-1",
    "time": "2026-11-21T00:00:00Z",
    "resources": [],
    "detail": {"status": "ABORTED", "name": "0" * 24},
}
FOREVER = 10_000


class Queues:
    """A stage with its queues, and what lies in them."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.mapped: Mapped = stage.provide_queues()
        self._sqs = stage.cloud.session().client("sqs")

    def url(self, name: str) -> str:
        """Return the URL of a queue."""
        return self.stage.settings.queue_url(name)

    def send(self, body: str, **attributes: str) -> None:
        """Put a message into the retry queue."""
        self._sqs.send_message(
            QueueUrl=self.url(self.stage.settings.retry_queue),
            MessageBody=body,
            MessageAttributes=letters.as_attributes(attributes),
        )

    def waiting(self) -> int:
        """Return how many messages are in the retry queue."""
        return len(self._messages(self.stage.settings.retry_queue))

    def dead(self) -> list[tuple[Any, dict[str, str]]]:
        """Return the bodies and attributes of the dead letters."""
        found = self._messages(self.stage.settings.dead_letters)
        return [(each.body, letters.attributes_of(each.message_attributes)) for each in found]

    def _messages(self, name: str) -> list[Any]:
        from moto.sqs.models import sqs_backends

        return list(sqs_backends[HOME]["us-east-1"].get_queue(name)._messages)

    def drain(self) -> None:
        """Let time pass until nothing waits to be tried again."""
        retry_queue.drain(self.mapped, self.stage.desk.clock)
        settle(self.stage)


@pytest.fixture
def queues() -> Iterator[Queues]:
    """Give a stage with a playbook that asks, and with its queues."""
    with world(ASKING) as stage:
        yield Queues(stage)


def down(*operations: str) -> Callable[[CallInfo], None]:
    """Return a hook that lets these operations fail, and keeps doing so."""

    def hook(info: CallInfo) -> None:
        if info.operation in operations and info.phase == "before":
            raise refusal("InternalServerError", info.operation)

    return hook


def told(stage: Stage) -> list[str]:
    return [call.params["Subject"] for call in stage.cloud.calls if call.operation == "Publish"]


def kinds(stage: Stage) -> list[str]:
    tables = stage.desk.tables
    return sorted(r.kind for chain in tables.chains() for r in tables.records(chain))


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems", "StartExecution"])
def test_what_intake_failed_on_is_decided_once_aws_is_back(queues: Queues, operation: str) -> None:
    """With AWS down an event waits in the retry queue; when it is back, it starts its execution."""
    stage = queues.stage
    stage.cloud.inject = down(operation)
    (report,) = stage.cloud.emit(finding_event())
    queues.mapped.poll()
    before = queues.waiting(), len(stage.cloud.executions)
    stage.cloud.inject = None
    queues.drain()

    assert "ClientError" == report["errorType"]
    assert (1, 0) == before
    assert (0, 1, []) == (queues.waiting(), len(stage.cloud.executions), queues.dead())
    assert 1 == kinds(stage).count("admitted") == kinds(stage).count("started")


def test_a_retry_waits_longer_each_time(queues: Queues) -> None:
    """From one minute on, twice as long each time up to half an hour, for more than six hours."""
    clock, tries = queues.stage.desk.clock, []
    queues.stage.cloud.inject = down("TransactWriteItems")
    queues.stage.followers.append(lambda name, _event, _answer: tries.append(clock.seconds()))
    queues.stage.cloud.emit(finding_event())
    queues.drain()
    waits = [after - before for before, after in pairwise(tries)]

    assert retrying.ATTEMPTS <= len(tries) <= retrying.ATTEMPTS + 2
    for wait, least in zip(waits, [60, 120, 240, 480, 960] + [1_800] * 20, strict=False):
        assert least <= wait + 1 <= least * retrying.JITTER + 5
    assert sum(waits) >= retrying.LONG


def test_after_the_last_attempt_it_is_a_dead_letter(queues: Queues) -> None:
    """It goes to the dead letters with its error, people are told once, nothing is left."""
    stage = queues.stage
    stage.cloud.inject = down("TransactWriteItems")
    stage.cloud.emit(finding_event())
    queues.drain()
    ((body, attributes),) = queues.dead()

    assert finding_event() == json.loads(body)["requestPayload"]
    assert "ClientError" == attributes["error"]
    assert "InternalServerError" in attributes["why"]
    assert int(attributes["attempts"]) >= retrying.ATTEMPTS
    assert attributes["first_failed_at"].startswith(json.loads(body)["timestamp"])
    assert (0, ["Attention: an event could not be handled"]) == (queues.waiting(), told(stage))


def test_a_throttled_function_does_not_use_up_the_attempts(queues: Queues) -> None:
    """A queue counts what a function never saw as an attempt: the time has to be over as well."""
    stage = queues.stage
    stage.cloud.inject = down("TransactWriteItems")
    stage.cloud.emit(finding_event())
    for _ in range(retrying.ATTEMPTS + 5):
        backend_receive(queues)
    queues.mapped.poll()

    assert (1, []) == (queues.waiting(), queues.dead())


def backend_receive(queues: Queues) -> None:
    """Receive what is visible, and let the time pass after which it is seen again."""
    sqs = queues.stage.cloud.session().client("sqs")
    url = queues.url(queues.stage.settings.retry_queue)
    sqs.receive_message(QueueUrl=url, VisibilityTimeout=1)
    queues.stage.desk.clock.sleep(2)


def test_what_waited_long_for_its_first_attempt_is_still_tried(queues: Queues) -> None:
    """An event that lay in the queue for a day, since nothing read it, gets its attempts too."""
    stage = queues.stage
    stage.cloud.inject = failing("TransactWriteItems", lambda: refusal("InternalServerError"), 4)
    stage.cloud.emit(finding_event())
    stage.desk.clock.sleep(86_400)
    queues.drain()

    assert ([], 1) == (queues.dead(), len(stage.cloud.executions))


@pytest.mark.parametrize(
    ("operation", "phase", "copies"), [("SendMessage", "before", 1), ("SendMessage", "after", 2)]
)
def test_dying_beside_the_dead_letters_loses_nothing(
    queues: Queues, operation: str, phase: str, copies: int
) -> None:
    """Killed before or after the dead letter is sent, it is sent; at worst there are two of it."""
    stage = queues.stage
    tables, kill = down("TransactWriteItems"), failing(operation, ProcessKilled, phase=phase)

    def hook(info: CallInfo) -> None:
        tables(info)
        kill(info)

    stage.cloud.inject = hook
    stage.cloud.emit(finding_event())
    queues.drain()

    assert (copies, 0) == (len(queues.dead()), queues.waiting())


@pytest.mark.parametrize("operation", ["SendMessage", "ChangeMessageVisibility", "Publish"])
def test_a_queue_that_fails_meanwhile_loses_nothing(queues: Queues, operation: str) -> None:
    """Where SQS or SNS fails too, the message stays, and arrives when that has passed."""
    stage = queues.stage
    tables = down("TransactWriteItems")
    fails = failing(operation, lambda: refusal("InternalError"), 3)

    def hook(info: CallInfo) -> None:
        tables(info)
        fails(info)

    stage.cloud.inject = hook
    stage.cloud.emit(finding_event())
    queues.drain()

    assert (1, 0) == (len(queues.dead()), queues.waiting())


def test_an_error_nobody_expected_holds_up_no_other(
    queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a batch, one event that makes the code raise waits alone; the others are handled."""
    poison = finding_event(id="poison")

    def handle(desk: Any, books: Any, event: Any, request: str) -> Any:
        if event["detail"]["id"] == "poison":
            raise KeyError("a defect")
        return handled(desk, books, event, request)

    handled = retrying.intake.handle
    monkeypatch.setattr(retrying.intake, "handle", handle)
    for event in (poison, finding_event()):
        queues.send(json.dumps(event))
    polled = queues.mapped.poll()
    left = queues.waiting()
    queues.drain()
    ((body, attributes),) = queues.dead()

    assert (2, 1, 1) == (polled, left, len(queues.stage.cloud.executions))
    assert (poison, "KeyError") == (json.loads(body), attributes["error"])


def test_what_eventbridge_could_not_hand_over_is_tried_too(queues: Queues) -> None:
    """The rule's target has the queue for its dead letters: the event itself lies in it."""
    stage = queues.stage
    gone = f"arn:aws:lambda:us-east-1:{HOME}:function:on_event"
    function = stage.cloud._functions._functions.pop(gone)
    assert [] == stage.cloud.emit(finding_event())
    stage.cloud._functions._functions[gone] = function
    queues.drain()

    assert (1, []) == (len(stage.cloud.executions), queues.dead())


def test_an_execution_that_ended_while_tables_were_down_is_closed(queues: Queues) -> None:
    """What on_execution_ended failed on is retried by it, not by intake."""
    stage = queues.stage
    stage.cloud.emit(finding_event())
    settle(stage)
    (arn,) = stage.cloud.executions
    stage.cloud.inject = down("BatchGetItem")
    stage.cloud.session().client("stepfunctions").stop_execution(executionArn=arn)
    settle(stage)
    identity = arn.rpartition(":")[2]
    before = queues.waiting()
    stage.cloud.inject = None
    queues.drain()

    assert 1 == before
    assert "closed" in {r.kind for r in stage.desk.tables.records(identity)}
    assert ([], 0) == (queues.dead(), queues.waiting())


def test_a_delivery_of_logs_is_retried_by_its_own_function(queues: Queues) -> None:
    """Alerts that could not be put on the bus are put there later."""
    stage = queues.stage
    delivery = recorded("network_firewall/cloudwatch_logs_subscription.json")
    stage.cloud.inject = down("PutEvents")
    client = stage.cloud.session().client("lambda")
    client.invoke(
        FunctionName="ingest_firewall_logs",
        InvocationType="Event",
        Payload=json.dumps(delivery).encode(),
    )
    before = queues.waiting()
    stage.cloud.inject = None
    queues.drain()

    assert 1 == before
    assert [c for c in stage.cloud.calls if c.operation == "PutEvents" and c.code == "ok"]
    assert ([], 0) == (queues.dead(), queues.waiting())


ARN = "arn:aws:lambda:us-east-1:111122223333:function:{}:$LATEST"


def record(name: str, **parts: Any) -> str:
    """Return what Lambda tells of a function's failure."""
    context = {"functionArn": ARN.format(name), "condition": "RetriesExhausted"}
    return json.dumps({"version": "1.0", "requestContext": context, **parts})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("not { json", "no JSON"),
        ("[" * 5_000 + "]" * 5_000, "no JSON"),
        ("[]", "no JSON object"),
        ("7", "no JSON object"),
        ('{"some": "thing"}', "neither a failure"),
        (record("on_event"), "requestPayload"),
        (record("somebody_elses", requestPayload={}), "somebody_elses"),
        ('{"requestContext": {}, "requestPayload": {}}', "none whose events"),
    ],
)
def test_what_holds_no_event_is_kept_with_the_reason(
    queues: Queues, body: str, reason: str
) -> None:
    """Garbage is not tried for hours: it goes to the dead letters as it is, and people are told."""
    queues.send(body)
    queues.mapped.poll()
    ((kept, attributes),) = queues.dead()

    assert body == kept
    assert ("Unreadable", "1") == (attributes["error"], attributes["attempts"])
    assert reason in attributes["why"]
    assert 1 == len(told(queues.stage))


@pytest.mark.parametrize("name", ["on_event", "firebreak-dev-on_event"])
def test_a_function_is_known_by_its_name_on_aws(name: str) -> None:
    """The stage's prefix, which a deployment gives the function, is taken off."""
    letter = letters.read(record(name, requestPayload={"a": 1}), {}, "dev")

    assert ("on_event", {"a": 1}, "RetriesExhausted") == (
        letter.function,
        letter.event,
        letter.error,
    )


def test_an_event_of_eventbridge_says_for_whom_it_was() -> None:
    """The target's ARN names the function; without one, the event's source does."""
    given = {"TARGET_ARN": ARN.format("firebreak-dev-on_event"), "ERROR_CODE": "NO_PERMISSIONS"}

    assert "on_event" == letters.read(json.dumps(ENDED), given, "dev").function
    assert "NO_PERMISSIONS" == letters.read(json.dumps(ENDED), given, "dev").error
    assert "on_execution_ended" == letters.read(json.dumps(ENDED), {}, "dev").function
    assert "on_event" == letters.read(json.dumps(finding_event()), {}, "dev").function


def test_attributes_are_as_sqs_takes_them() -> None:
    """Bounded, printable ASCII, none empty, whatever an error says."""
    made = letters.as_attributes({"why": "\x00é\ud800\n" * 3_000, "empty": "", "ok": "fine"})

    assert {"why", "ok"} == set(made)
    assert made["why"]["StringValue"].isascii()
    assert made["why"]["StringValue"].isprintable()
    assert len(made["why"]["StringValue"]) <= letters.LONGEST


def test_a_message_that_is_no_event_is_rejected() -> None:
    """The reason says what it is not."""
    with pytest.raises(Rejected, match="neither"):
        letters.read("{}", {}, "dev")


def test_a_message_a_dying_function_never_answers_for_is_moved_by_the_queue(
    queues: Queues,
) -> None:
    """The queue's own redrive policy is the backstop of a function that always dies."""
    queues.stage.cloud.inject = failing("BatchGetItem", ProcessKilled, FOREVER)
    queues.send(json.dumps(finding_event()))
    queues.drain()

    assert [json.dumps(finding_event())] == [body for body, _ in queues.dead()]
