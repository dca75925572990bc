"""Network Firewall logs in, alert events out: what cannot be read is kept, and somebody is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import intake
from chalicelib.errors import Rejected, Transient
from chalicelib.firewall_logs import alert_events, entries, records
from chalicelib.gone import is_code
from chalicelib.runner.work import Desk

NAMED = "FIREBREAK_FIREWALL_LOG_BUCKETS"


def ingest(desk: Desk, payload: Any, request: str) -> dict[str, Any]:
    """Put the alerts of one delivery on the bus; return what was done with its records.

    What the bus refuses keeps nothing else back: the other alerts are put, what cannot be read is
    kept. Raise Transient then: a delivery tried again changes nothing, since an alert's id is a
    hash of what it says.
    """
    batch = records(payload, lambda *object_: _object(desk, *object_))
    settings = desk.settings
    events = alert_events(
        batch.records, settings.home_account, settings.region, settings.own_networks
    )
    refused = [reason for chunk in entries(events) for reason in _put(desk, chunk)]
    kept = [
        intake.reject(desk, {"where": r.where, "raw": r.raw}, f"{r.where}: {r.reason}", request)
        for r in batch.rejected
    ]
    if refused:
        raise Transient(f"{len(refused)} of {len(events)} events refused: {refused[0]}")
    return {
        "alerts": len(batch.records),
        "events": len(events),
        "ignored": batch.ignored,
        "rejected": [decision.reason for decision in kept],
    }


def _object(desk: Desk, bucket: str, key: str, account: str) -> bytes:
    """Return a log object. Raise Rejected for one of a bucket that the operator has not named."""
    if bucket not in desk.settings.firewall_log_buckets:
        known = ", ".join(desk.settings.firewall_log_buckets) or "none"
        why = f"{bucket:.63} is no bucket that logs are read from ({known}): see {NAMED}"
        raise Rejected("s3.bucket.name", why)
    return _owned(desk, bucket, key, account)


def _owned(desk: Desk, bucket: str, key: str, account: str) -> bytes:
    """Return an object of a bucket whose owner may speak for an account.

    Whoever owns a bucket writes whatever keys they like: by one alone it is nobody's log.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """
    known = (account, desk.settings.home_account, *desk.settings.administrators)
    *others, last = dict.fromkeys(known)
    for owner in others:
        try:
            return _read(desk, bucket, key, owner)
        except ClientError as error:
            if not is_code(error, "AccessDenied"):
                raise
    return _read(desk, bucket, key, last)


def _read(desk: Desk, bucket: str, key: str, owner: str) -> bytes:
    client = desk.access.home("s3")
    found = client.get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=owner)
    return bytes(found["Body"].read())


def _put(desk: Desk, chunk: Sequence[Mapping[str, Any]]) -> list[str]:
    """Put one chunk on the bus; return why what was refused was."""
    try:
        answer = desk.access.home("events").put_events(Entries=list(chunk))
    except (BotoCoreError, ClientError) as error:
        return [str(error)] * len(chunk)
    return [
        f"{entry['ErrorCode']}: {entry.get('ErrorMessage')}"
        for entry in answer["Entries"]
        if entry.get("ErrorCode")
    ]
