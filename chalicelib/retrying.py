"""Events that a function failed on are handed to it again for hours, then kept with their error.

Lambda itself tries an event three times within some three minutes. What failed then waits in the
retry queue; `retry_intake` is given it from there.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import clock, ingest, intake, letters, machine, telling
from chalicelib.errors import Rejected
from chalicelib.letters import Letter
from chalicelib.log import note
from chalicelib.playbook import Playbook
from chalicelib.runner.work import Desk

# An event is given up after so many attempts and so many seconds: both, since a queue counts as an
# attempt what a throttled function never saw, and an event may have waited long for its first.
ATTEMPTS = 16
LONG = 6 * 3_600
FIRST, MOST = 60, 1_800  # seconds until the second attempt, and the most between two
JITTER = 1.25

SETTLED, DEAD = "settled", "dead_letter"


@dataclass(frozen=True, slots=True)
class Message:
    """Hold a message as the retry queue gives it.

    attempt: which one this is, from 1. sent: when it came into the queue, seconds since 1970.
    """

    id: str
    handle: str
    body: str
    attributes: Mapping[str, str]
    attempt: int
    sent: float


def message_of(record: Mapping[str, Any]) -> Message:
    """Return the message of a record of the event that Lambda makes of a queue's messages.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    counted = record["attributes"]
    return Message(
        id=record["messageId"],
        handle=record["receiptHandle"],
        body=record["body"],
        attributes=letters.attributes_of(record.get("messageAttributes") or {}),
        attempt=int(counted["ApproximateReceiveCount"]),
        sent=int(counted["SentTimestamp"]) / 1_000,
    )


def again(
    desk: Desk, playbooks: Mapping[str, Playbook], message: Message, request: str, remaining: float
) -> dict[str, Any]:
    """Hand a message's event to its function; return what became of it.

    What holds no event, and what failed for the last time, goes to the dead letters. Raise what
    the function raises where it is to be tried later, and what SQS raises where a dead letter
    cannot be sent: the message then stays where it is, and waits.
    """
    try:
        letter = letters.read(message.body, message.attributes, desk.settings.stage)
        handler = _handler(letter)
    except Rejected as wrong:
        return _bury(desk, message, letters.UNREADABLE, str(wrong))
    try:
        told = handler(desk, playbooks, letter.event, request, remaining)
    except Exception as error:  # noqa: BLE001  # whatever an event makes a function raise, it is kept
        failure = error
    else:
        return {"function": letter.function, "became": SETTLED, "told": told}
    if not _given_up(message, desk.clock.seconds()):
        _put_off(desk, message)
        raise failure
    return _bury(desk, message, type(failure).__name__, str(failure), letter.failed_at)


def _put_off(desk: Desk, message: Message) -> None:
    """Let a message wait for its next attempt, longer each time.

    Where SQS does not answer, it waits as long as the queue lets any message.
    """
    shortest = min(MOST, FIRST * 2 ** (message.attempt - 1))
    seconds = int(random.uniform(shortest, shortest * JITTER))  # noqa: S311  # jitter
    try:
        desk.access.home("sqs").change_message_visibility(
            QueueUrl=desk.settings.queue_url(desk.settings.retry_queue),
            ReceiptHandle=message.handle,
            VisibilityTimeout=seconds,
        )
    except (BotoCoreError, ClientError) as error:
        note("not_put_off", f"{message.id}: {error}")


def _given_up(message: Message, now: float) -> bool:
    return message.attempt >= ATTEMPTS and now - message.sent >= LONG


def _bury(
    desk: Desk, message: Message, error: str, why: str, failed_at: str = ""
) -> dict[str, Any]:
    """Send a message to the dead letters with its error, and tell people.

    It leaves the retry queue only after that; dying in between makes two letters of it, not none.
    """
    said = {
        letters.ERROR: error,
        letters.WHY: why,
        letters.ATTEMPTS: str(message.attempt),
        letters.FAILED_AT: failed_at or clock.text(message.sent),
    }
    sent = desk.access.home("sqs").send_message(
        QueueUrl=desk.settings.queue_url(desk.settings.dead_letters),
        MessageBody=message.body,
        MessageAttributes=letters.as_attributes({**message.attributes, **said}),
    )
    telling.dead_letter(desk, sent["MessageId"], error, why, message.attempt)
    return {
        "became": DEAD,
        "letter": sent["MessageId"],
        "error": error,
        "why": why[: letters.LONGEST],
    }


# --- whose event it is ----------------------------------------------------------------------------

Handler = Callable[[Desk, Mapping[str, Playbook], Any, str, float], Any]


def _handler(letter: Letter) -> Handler:
    known = HANDLERS.get(letter.function)
    if known is None:
        raise Rejected("function", f"{letter.function!r:.80} is none whose events are tried again")
    return known


def _on_event(
    desk: Desk, playbooks: Mapping[str, Playbook], event: Any, request: str, remaining: float
) -> Any:
    handled = intake.handle(desk, playbooks, event, request)
    return [(d.decision, d.playbook, d.remediation, d.audit) for d in handled.decisions]


def _on_execution_ended(
    desk: Desk, playbooks: Mapping[str, Playbook], event: Any, request: str, remaining: float
) -> Any:
    return machine.ended(desk, event.get("detail", {}), request, remaining)


def _ingest_firewall_logs(
    desk: Desk, playbooks: Mapping[str, Playbook], event: Any, request: str, remaining: float
) -> Any:
    return ingest.ingest(desk, event, request)


HANDLERS: Mapping[str, Handler] = {
    "on_event": _on_event,
    "on_execution_ended": _on_execution_ended,
    "ingest_firewall_logs": _ingest_firewall_logs,
}
