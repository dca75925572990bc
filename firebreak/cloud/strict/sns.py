"""SNS: what a message's subject and body may be."""

from __future__ import annotations

import re

from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()

MAX_MESSAGE_BYTES = 262_144
# Printable ASCII that does not begin with a space.
SUBJECT = re.compile(r"[!-~][ -~]{0,99}")


@CORRECTIONS.refuses("Publish")
def subject(info: CallInfo, principal: Principal) -> None:
    """Refuse a subject that is no plain ASCII line of at most 100 characters.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    text = info.params.get("Subject")
    if text is not None and not SUBJECT.fullmatch(text):
        raise Refusal("InvalidParameter", "Invalid parameter: Subject")


@CORRECTIONS.refuses("Publish")
def message(info: CallInfo, principal: Principal) -> None:
    """Refuse an empty message, and one of more than 256 KB.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    text = str(info.params.get("Message", ""))
    if not text:
        raise Refusal("InvalidParameter", "Invalid parameter: Empty message")
    if len(text.encode()) > MAX_MESSAGE_BYTES:
        raise Refusal("InvalidParameter", "Invalid parameter: Message too long")
