"""Events that a function failed on, as the messages of the queues that keep them.

A message holds what Lambda tells a failure destination, or the event itself where EventBridge could
not hand it over. Dead letters are the same messages, with what went wrong as their attributes.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.errors import Rejected
from chalicelib.text import one_line, shortened

# The attributes of a dead letter.
ERROR, WHY, ATTEMPTS, FAILED_AT = "error", "why", "attempts", "first_failed_at"
LONGEST = 1_000  # characters of an attribute
UNREADABLE = "Unreadable"  # the error of a message that holds no event


@dataclass(frozen=True, slots=True)
class Letter:
    """Hold an event that could not be handled: for which function, and with what it failed.

    function: its name without the stage's. failed_at: ISO 8601, "" where the message does not say.
    """

    function: str
    event: Any
    error: str
    why: str
    failed_at: str = ""


def read(body: str, attributes: Mapping[str, str], stage: str) -> Letter:
    """Return the event of a message, and its error. Raise Rejected where it holds none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as wrong:
        raise Rejected("", f"the message is no JSON: {wrong}") from wrong
    if not isinstance(said, Mapping):
        raise Rejected("", "the message is no JSON object")
    if isinstance(said.get("requestContext"), Mapping):
        return _of_lambda(said, said["requestContext"], attributes, stage)
    if "detail-type" in said and "source" in said:
        return _of_eventbridge(said, attributes, stage)
    raise Rejected("", "it is neither a failure that Lambda tells of, nor an event")


def _of_lambda(
    said: Mapping[str, Any], context: Mapping[str, Any], attributes: Mapping[str, str], stage: str
) -> Letter:
    if "requestPayload" not in said:
        raise Rejected("requestPayload", "Lambda left the event out, or keeps it elsewhere")
    told = said.get("responsePayload")
    failure = told if isinstance(told, Mapping) else {}
    error = failure.get("errorType") or context.get("condition") or ""
    return Letter(
        _name(str(context.get("functionArn")), stage),
        said["requestPayload"],
        attributes.get(ERROR) or str(error),
        attributes.get(WHY) or str(failure.get("errorMessage") or ""),
        attributes.get(FAILED_AT) or str(said.get("timestamp") or ""),
    )


def _of_eventbridge(event: Mapping[str, Any], attributes: Mapping[str, str], stage: str) -> Letter:
    ended = event["source"] == "aws.states"
    target = attributes.get("TARGET_ARN", "")
    return Letter(
        _name(target, stage) if target else "on_execution_ended" if ended else "on_event",
        event,
        attributes.get(ERROR) or attributes.get("ERROR_CODE", ""),
        attributes.get(WHY) or attributes.get("ERROR_MESSAGE", ""),
        attributes.get(FAILED_AT, ""),
    )


def _name(arn: str, stage: str) -> str:
    """Return the name of a function of the stage, as app.py has it."""
    parts = arn.split(":")
    return parts[6].removeprefix(f"firebreak-{stage}-") if len(parts) > 6 else arn


def attributes_of(given: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return a message's attributes, as SQS or as Lambda writes them, by name."""
    texts = {n: each.get("StringValue", each.get("stringValue")) for n, each in given.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def as_attributes(texts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return texts as SQS takes attributes: bounded, of characters that it takes, none empty."""
    return {
        name: {"DataType": "String", "StringValue": _plain(text)}
        for name, text in texts.items()
        if text.strip()
    }


def _plain(text: str) -> str:
    visible = one_line(text, LONGEST).encode("ascii", "backslashreplace").decode()
    return shortened(visible, LONGEST, "...")
