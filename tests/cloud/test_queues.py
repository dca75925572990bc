from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from firebreak.cloud import Cloud, ProcessKilled
from firebreak.cloud.queues import Mapped

HOME = "111122223333"


class Reader:
    """A function that reads a queue: what it was given, and what it answers."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []
        self.answer: Any = None
        self.dies = False

    def __call__(self, event: Any, _context: Any) -> Any:
        """Note the records, and answer as told."""
        self.given = event["Records"]
        if self.dies:
            raise ProcessKilled
        return self.answer


@pytest.fixture
def queue() -> Iterator[tuple[Mapped, Reader, str]]:
    """Give a mapping of a queue with three messages, the function that reads it, and its URL."""
    reader = Reader()
    with Cloud(HOME) as cloud:
        sqs = boto3.client("sqs")
        url = sqs.create_queue(QueueName="letters")["QueueUrl"]
        for number in range(3):
            attribute = {"number": {"DataType": "String", "StringValue": str(number)}}
            sqs.send_message(QueueUrl=url, MessageBody=f"{number}", MessageAttributes=attribute)
        cloud.add_function("read", reader)
        yield cloud.map_queue("letters", "read"), reader, url


def left(url: str) -> int:
    """Return how many messages are in the queue, seen or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(count) for count in found["Attributes"].values())


def test_what_a_function_handles_leaves_the_queue(queue: tuple[Mapped, Reader, str]) -> None:
    """A function is handed records as Lambda makes them, in batches, until none is left."""
    mapped, reader, url = queue
    polled = [mapped.poll(2)]
    first = reader.given
    polled += [mapped.poll(2), mapped.poll(2)]

    assert [2, 1, 0] == polled
    assert 0 == left(url)
    assert mapped.next_visible() is None
    assert ["0", "1"] == [record["body"] for record in first]
    assert {"stringValue": "1", "dataType": "String"} == first[1]["messageAttributes"]["number"]
    assert {"1"} == {record["attributes"]["ApproximateReceiveCount"] for record in first}
    assert {mapped.queue_arn} == {record["eventSourceARN"] for record in first}


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}])
def test_no_failure_is_success(queue: tuple[Mapped, Reader, str], answer: Any) -> None:
    """An answer that names no failure is one of success."""
    mapped, reader, url = queue
    reader.answer = answer
    mapped.poll()

    assert 0 == left(url)


def test_a_function_that_dies_leaves_everything(queue: tuple[Mapped, Reader, str]) -> None:
    """Without an answer every message stays, and is hidden for the queue's visibility timeout."""
    mapped, reader, url = queue
    reader.dies = True

    assert (3, 3, 0) == (mapped.poll(), left(url), mapped.poll())


def test_an_answer_that_makes_no_sense_leaves_everything(
    queue: tuple[Mapped, Reader, str],
) -> None:
    """An identifier that is no message of the batch fails the batch as a whole."""
    mapped, reader, url = queue
    reader.answer = {"batchItemFailures": [{"itemIdentifier": ""}]}
    mapped.poll()

    assert 3 == left(url)


def test_what_is_named_as_failed_stays() -> None:
    """Only the messages that the function names are left in the queue."""
    with Cloud(HOME) as cloud:
        sqs = boto3.client("sqs")
        url = sqs.create_queue(QueueName="letters")["QueueUrl"]
        sent = [sqs.send_message(QueueUrl=url, MessageBody=str(n))["MessageId"] for n in range(2)]
        failed = {"batchItemFailures": [{"itemIdentifier": sent[0]}]}
        cloud.add_function("read", lambda event, context: failed)
        mapped = cloud.map_queue("letters", "read")
        mapped.poll()

        assert 1 == left(url)


def test_a_queue_goes_by_the_clock_it_is_given() -> None:
    """A message can be put off again however old it is; seen again when that clock says so."""
    now = [1_800_000_000.0]
    with Cloud(HOME) as cloud:
        sqs = boto3.client("sqs")
        url = sqs.create_queue(QueueName="letters")["QueueUrl"]
        mapped = cloud.map_queue("letters", "read", lambda: now[0])
        sqs.send_message(QueueUrl=url, MessageBody="x")
        now[0] += 86_400
        (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=3_600
        )
        hidden = sqs.receive_message(QueueUrl=url).get("Messages", [])
        until = mapped.next_visible()
        now[0] += 3_601
        (again,) = sqs.receive_message(QueueUrl=url)["Messages"]

        assert ([], 1_800_000_000.0 + 86_400 + 3_600) == (hidden, until)
        assert message["MessageId"] == again["MessageId"]


def test_a_dead_letter_of_a_rule_says_what_went_wrong() -> None:
    """EventBridge names rule, target and error beside the event that it could not hand over."""
    with Cloud(HOME) as cloud:
        sqs = boto3.client("sqs")
        url = sqs.create_queue(QueueName="dead")["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{HOME}:dead"
        cloud.add_rule("all", {"source": ["a"]}, "nobody", dead_letter_arn=arn)
        event = {"id": "1", "source": "a", "detail-type": "b", "detail": {}}
        cloud.emit(event)
        (message,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
        said = {n: each["StringValue"] for n, each in message["MessageAttributes"].items()}

        assert event == json.loads(message["Body"])
        assert "RESOURCE_NOT_FOUND" == said["ERROR_CODE"]
        assert said["TARGET_ARN"].endswith(":function:nobody")
