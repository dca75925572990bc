"""Network Firewall logs in, alert events out: what cannot be read is kept, and somebody is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib import intake
from chalicelib.errors import Transient
from chalicelib.firewall_logs import alert_events, entries, records
from chalicelib.runner.work import Desk


def ingest(desk: Desk, payload: Any, request: str) -> dict[str, Any]:
    """Put the alerts of one delivery on the bus; return what was done with its records.

    Raise Transient where the bus refuses an entry: a delivery tried again changes nothing, since
    an alert's id is a hash of what it says.
    """

    def read_object(bucket: str, key: str) -> bytes:
        body = desk.access.home("s3").get_object(Bucket=bucket, Key=key)["Body"]
        return bytes(body.read())

    batch = records(payload, read_object)
    settings = desk.settings
    events = alert_events(
        batch.records, settings.home_account, settings.region, settings.own_networks
    )
    for chunk in entries(events):
        _put(desk, chunk)
    kept = [
        intake.reject(desk, {"where": r.where, "raw": r.raw}, f"{r.where}: {r.reason}", request)
        for r in batch.rejected
    ]
    return {
        "alerts": len(batch.records),
        "events": len(events),
        "ignored": batch.ignored,
        "rejected": [decision.reason for decision in kept],
    }


def _put(desk: Desk, chunk: Sequence[Mapping[str, Any]]) -> None:
    answer = desk.access.home("events").put_events(Entries=list(chunk))
    failed = [entry for entry in answer["Entries"] if entry.get("ErrorCode")]
    if failed:
        first = failed[0]
        raise Transient(
            f"{len(failed)} entries refused: {first['ErrorCode']}: {first.get('ErrorMessage')}"
        )
