"""Each record of the audit table's stream becomes an object of the vault.

A record is written once and never again: a change or a removal in the stream is an alarm, and so is
a record that is not what it says. The stream hands over again what failed, and what came after it:
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chalicelib import telling
from chalicelib.audit import Record, digest
from chalicelib.effect import canonical_text
from chalicelib.errors import Corrupt
from chalicelib.outside import records
from chalicelib.outside.vault import ALARMS, ARRIVALS, Vault, chain_name, vault
from chalicelib.runner.work import Desk
from chalicelib.table import decode_record

KEPT, ALARM = "kept", "alarm"
HAPPENED = {"MODIFY": "was changed", "REMOVE": "was removed"}


def keep(desk: Desk, change: Mapping[str, Any]) -> str:
    """Keep what a change of the audit table is; return `kept` or `alarm`.

    Keeping it again changes nothing; an alarm is told again. Raise what S3 raises.
    """
    safe = vault(desk)
    said = change["dynamodb"]
    if change["eventName"] != "INSERT":
        wrong = f"it {HAPPENED.get(change['eventName'], change['eventName'])} in the table"
        return _alarm(desk, safe, change, wrong)
    try:
        record = decode_record(said["NewImage"])
    except Corrupt as no_record:
        return _alarm(desk, safe, change, str(no_record))
    if wrong := _wrong(record):
        return _alarm(desk, safe, change, wrong)
    place = records.place(record)
    safe.add(f"{ARRIVALS}{desk.clock.now()}/{records.name(record)}", b"")  # first: none is unlisted
    if safe.add(records.key_of(place), records.written(record)) or records.kept(safe, place):
        return KEPT
    became = _alarm(desk, safe, change, "something else was kept under its name before it")
    safe.put(records.key_of(place), records.written(record))
    return became


def _wrong(record: Record) -> str:
    if record.hash != digest(asdict(record)):
        return "the record's hash is not its own"
    return "" if 0 < record.seq < 10**10 else "the record's number is out of bounds"


def _alarm(desk: Desk, safe: Vault, change: Mapping[str, Any], wrong: str) -> str:
    """Keep a change as evidence, then tell people; killed in between it is told the next time."""
    keys = change["dynamodb"].get("Keys", {})
    chain = str(keys.get("chain", {}).get("S", ""))
    seq = str(keys.get("seq", {}).get("N", ""))
    name = f"{ALARMS}{chain_name(chain)}/{chain_name(str(change['eventID']))}"
    evidence = {"at": desk.clock.now(), "what": wrong, "change": _plain(change)}
    safe.add(f"{name}.json", canonical_text(evidence).encode("utf-8", "backslashreplace"))
    telling.tampered(desk, f"{chain} / {seq}", wrong, name)
    return ALARM


def _plain(value: Any) -> Any:
    """Return what a stream holds as JSON: numbers, texts, and all else as text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
