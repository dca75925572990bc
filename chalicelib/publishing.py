"""The stage's topic: messages sent, and those kept that could not be, until they can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.audit import Entry
from chalicelib.errors import Corrupt
from chalicelib.log import note
from chalicelib.store import listing, short_hash
from chalicelib.table import Item

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk


def publish(desk: Desk, subject: str, text: str) -> bool:
    """Publish to the stage's topic; return False where it is down, which holds up no record."""
    try:
        desk.access.home("sns").publish(
            TopicArn=desk.settings.topic_arn, Subject=subject, Message=text
        )
    except (ClientError, BotoCoreError) as error:
        note("not_told", f"{subject}: {error}")
        return False
    return True


def keep(desk: Desk, subject: str, text: str) -> None:
    """Keep a message that nobody could be told; the same message is kept once.

    Where the table is down too, the log alone tells of it.
    """
    message = {"subject": subject, "text": text}
    try:
        desk.tables.put(Item(*listing.place(listing.UNTOLD, short_hash(subject + text)), message))
    except (ClientError, BotoCoreError) as error:
        note("not_kept", f"{subject}: {error}")


def send_late(desk: Desk, item: Item, owner: str) -> bool:
    """Send a message that was kept, and take it off the list; return False where it stays there.

    What dies in between sends it twice. Raise Corrupt for an entry that is no message.
    """
    subject, text = (item.data.get(name) for name in ("subject", "text"))
    if not isinstance(subject, str) or not isinstance(text, str):
        raise Corrupt(f"item {item.pk} / {item.sk}: it holds no message")
    if not publish(desk, subject, text):
        return False
    who = {"function": "sweep", "request": owner}
    entry = Entry(f"message-{item.sk}", "told_late", who, {"subject": subject})
    desk.tables.commit(entry, lambda _seq: [listing.drop(listing.UNTOLD, item.sk)])
    return True
