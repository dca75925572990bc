"""What is there after a run: records, calls, live state."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.table import Item, decode
from firebreak.cloud import CallInfo
from tests.actions.drive import READS, SUPPORT, snake
from tests.actions.dump import dump
from tests.faults.fields import Field

OURS = "firebreak-"  # begins the session names of steps
APART = SUPPORT | {"sns", "sqs"}
INTENTS = ("intent", "undo_intent", "fixture")


@dataclass(frozen=True, slots=True)
class Intent:
    """One intent on record: written with which call, for which step, to do what."""

    at: int
    chain: str
    step: str
    does: tuple[str, ...]  # `service:operation`; empty where an edit or a way back decides


def live(field: Field) -> dict[str, Any]:
    """Return the canonical state of every account in which something may change."""
    return {account: dump(field.stage.cloud.session(account)) for account in field.accounts}


def items(field: Field) -> list[Item]:
    """Return every item of the remediations table."""
    client = field.stage.cloud.session().client("dynamodb")
    table = field.stage.settings.remediations_table
    pages = client.get_paginator("scan").paginate(TableName=table)
    return [decode(raw) for page in pages for raw in page["Items"]]


def took_effect(calls: Iterable[CallInfo], after: Iterable[int] = ()) -> list[CallInfo]:
    """Return the calls that took effect: answered, or failed only `after` they had."""
    late = set(after)
    return [call for call in calls if call.code == "ok" or call.sequence in late]


def changes(calls: Iterable[CallInfo]) -> list[CallInfo]:
    """Return the calls that change something outside Firebreak's own records and messages."""
    return [
        call for call in calls if call.service not in APART and not call.operation.startswith(READS)
    ]


def counted(calls: Iterable[CallInfo]) -> Counter[tuple[str, str]]:
    """Return how often each step made each change."""
    return Counter((str(call.session_name), api(call)) for call in changes(calls))


def api(call: CallInfo) -> str:
    """Return which operation a call is, as records name it."""
    return f"{call.service}:{snake(call.operation)}"


def intents(calls: Iterable[CallInfo], audit_table: str) -> list[Intent]:
    """Return the intents that calls wrote."""
    return [
        Intent(
            call.sequence, record["chain"], str(record["what"].get("step")), tuple(_does(record))
        )
        for call in calls
        if call.operation == "TransactWriteItems"
        for record in _records(call, audit_table)
        if record["kind"] in INTENTS
    ]


def _records(call: CallInfo, audit_table: str) -> Iterator[Mapping[str, Any]]:
    for entry in call.params["TransactItems"]:
        put = entry.get("Put", {})
        if put.get("TableName") == audit_table:
            yield json.loads(put["Item"]["record"]["S"])


def _does(record: Mapping[str, Any]) -> Iterator[str]:
    done = record["what"].get("do") or []
    for call in done if isinstance(done, list) else [done]:
        if "service" in call:
            yield f"{call['service']}:{call['operation']}"


def told(calls: Iterable[CallInfo]) -> list[str]:
    """Return the subjects of the messages that were published."""
    return [str(c.params.get("Subject")) for c in calls if c.operation == "Publish"]
