"""The dead-letter queue as people work with it: looked through, tried again, given up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chalicelib import clock, letters
from chalicelib.audit import Entry
from chalicelib.effect import JSON
from chalicelib.errors import Rejected
from chalicelib.letters import Letter
from chalicelib.runner.work import Desk
from chalicelib.store import keep_event

HIDDEN_FOR = 600  # seconds for which nobody else sees what is being looked at
WAIT = 1  # seconds; more than none makes SQS ask all of its servers
PAGE = 10  # messages, the most that SQS gives at once


@dataclass(frozen=True, slots=True)
class Dead:
    """Hold one message of the dead-letter queue; `letter` is None where it holds no event."""

    id: str
    handle: str
    body: str
    attributes: Mapping[str, str]
    sent: str
    letter: Letter | None
    unreadable: str = ""

    @property
    def failed_at(self) -> str:
        """Return when the event first failed, or when the message was sent."""
        first = self.attributes.get(letters.FAILED_AT) or (self.letter and self.letter.failed_at)
        return first or self.sent

    @property
    def error(self) -> str:
        """Return with what it failed last."""
        letter = self.letter or Letter("", None, letters.UNREADABLE, self.unreadable)
        error = self.attributes.get(letters.ERROR) or letter.error
        why = self.attributes.get(letters.WHY) or letter.why
        return f"{error}: {why}" if why else error or "unknown"

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the message, by which the audit trail names it."""
        return hashlib.sha256(self.body.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def chain(self) -> str:
        """Return the audit chain of what people decide of it."""
        return f"letter-{self.digest[:24]}"


@contextmanager
def looked_through(desk: Desk) -> Iterator[Iterator[Dead]]:
    """Give all messages of the dead-letter queue; when the block ends they can be seen again."""
    handles: list[str] = []
    try:
        yield _pages(desk, handles)
    finally:
        for at in range(0, len(handles), PAGE):
            _show_again(desk, handles[at : at + PAGE])


def _pages(desk: Desk, handles: list[str]) -> Iterator[Dead]:
    seen: set[str] = set()
    while True:
        answer = desk.access.home("sqs").receive_message(
            QueueUrl=_dead(desk),
            MaxNumberOfMessages=PAGE,
            VisibilityTimeout=HIDDEN_FOR,
            WaitTimeSeconds=WAIT,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        page = answer.get("Messages", [])
        handles += [each["ReceiptHandle"] for each in page]
        new = [each for each in page if each["MessageId"] not in seen]
        if not new:
            return
        for each in new:
            seen.add(each["MessageId"])
            yield _read(each, desk.settings.stage)


def _read(message: Mapping[str, Any], stage: str) -> Dead:
    attributes = letters.attributes_of(message.get("MessageAttributes", {}))
    letter, unreadable = None, ""
    try:
        letter = letters.read(message["Body"], attributes, stage)
    except Rejected as wrong:
        unreadable = str(wrong)
    return Dead(
        id=message["MessageId"],
        handle=message["ReceiptHandle"],
        body=message["Body"],
        attributes=attributes,
        sent=clock.text(int(message["Attributes"]["SentTimestamp"]) / 1_000),
        letter=letter,
        unreadable=unreadable,
    )


def _show_again(desk: Desk, handles: list[str]) -> None:
    """Let messages be seen again; those that were deleted meanwhile are answered for as failed."""
    entries = [
        {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
        for number, handle in enumerate(handles)
    ]
    desk.access.home("sqs").change_message_visibility_batch(QueueUrl=_dead(desk), Entries=entries)


def redrive(desk: Desk, dead: Dead, by: str) -> None:
    """Send a message to the retry queue, where it is tried for hours again.

    It is recorded who wanted it, then sent, then deleted here: dying in between loses nothing.
    """
    _record(desk, dead, "redriven", by, {})
    kept = {n: text for n, text in dead.attributes.items() if n != letters.ATTEMPTS}
    desk.access.home("sqs").send_message(
        QueueUrl=desk.settings.queue_url(desk.settings.retry_queue),
        MessageBody=dead.body,
        MessageAttributes=letters.as_attributes(kept | {letters.FAILED_AT: dead.failed_at}),
    )
    _delete(desk, dead)


def discard(desk: Desk, dead: Dead, by: str, reason: str) -> None:
    """Delete a message; what it held is kept in the table, and who gave it up is recorded."""
    keep_event(desk.tables, dead.chain, dead.letter.event if dead.letter else dead.body)
    _record(desk, dead, "discarded", by, {"reason": reason, "event": dead.chain})
    _delete(desk, dead)


def _record(desk: Desk, dead: Dead, kind: str, by: str, more: Mapping[str, JSON]) -> None:
    what: dict[str, JSON] = {
        "letter": dead.id,
        "sha256": dead.digest,
        "about": subject(dead),
        "error": dead.error,
        **more,
    }
    entry = Entry(dead.chain, kind, {"principal": by}, what)
    desk.tables.commit(entry, lambda _seq: [])


def _delete(desk: Desk, dead: Dead) -> None:
    desk.access.home("sqs").delete_message(QueueUrl=_dead(desk), ReceiptHandle=dead.handle)


def _dead(desk: Desk) -> str:
    return desk.settings.queue_url(desk.settings.dead_letters)


def retried(desk: Desk) -> int:
    """Return about how many messages are in the retry queue."""
    counts = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
    answer = desk.access.home("sqs").get_queue_attributes(
        QueueUrl=desk.settings.queue_url(desk.settings.retry_queue), AttributeNames=list(counts)
    )
    return sum(int(answer["Attributes"][name]) for name in counts)


def subject(dead: Dead) -> str:
    """Return in a few words what an event is: its kind, what it found, in which account."""
    if dead.letter is None:
        return "no event"
    event = dead.letter.event
    if not isinstance(event, Mapping) or "detail-type" not in event:
        return f"an event of {dead.letter.function}"
    detail = event.get("detail")
    inner = detail if isinstance(detail, Mapping) else {}
    of = inner.get("type") or inner.get("configRuleName") or inner.get("name") or ""
    account = inner.get("accountId") or inner.get("awsAccountId") or event.get("account") or ""
    return " ".join(str(part) for part in (event["detail-type"], of, account) if part)


def written(dead: Dead) -> str:
    """Return a message's event as indented ASCII JSON, or the message where it holds none."""
    held = dead.letter.event if dead.letter else dead.body
    return json.dumps(held, indent=2, sort_keys=True).replace("\x7f", "\\u007f")
