"""Items, operations and conditions, as DynamoDB takes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from chalicelib.audit import Record
from chalicelib.effect import JSON, canonical_text
from chalicelib.errors import Corrupt

# The conditions under which an item is written or a transaction holds.
ABSENT = "attribute_not_exists(pk)"
SAME_VERSION = "version = :version"
SAME_OR_ABSENT = "attribute_not_exists(pk) OR version = :version"
IN_PHASE = "phase = :phase"
LEASED = "#owner = :owner"
LEASE_FREE = "attribute_not_exists(pk) OR #owner = :owner OR #owner = :nobody OR expires < :now"

NOBODY = "-"
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Item:
    """Hold one item: its key, its JSON, and the few attributes that conditions compare."""

    pk: str
    sk: str
    data: Mapping[str, Any]
    version: int = 1
    phase: str = "-"
    owner: str = NOBODY
    expires: int = 0


@dataclass(frozen=True, slots=True)
class Put:
    """Write an item where the condition holds."""

    item: Item
    condition: str = ""
    values: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return which item this is about."""
        return self.item.sk


@dataclass(frozen=True, slots=True)
class Check:
    """Let a transaction hold only where the condition does."""

    pk: str
    sk: str
    condition: str
    values: Mapping[str, str | int]

    @property
    def name(self) -> str:
        """Return which item this is about."""
        return self.sk


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an item where the condition holds."""

    pk: str
    sk: str
    condition: str = ""
    values: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return which item this is about."""
        return self.sk


Operation = Put | Check | Delete


def expression(condition: str, values: Mapping[str, str | int]) -> dict[str, Any]:
    """Return a condition and its values as parameters of a request."""
    typed = {
        f":{name}": {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in values.items()
    }
    parts: dict[str, Any] = {"ConditionExpression": condition}
    if typed:
        parts["ExpressionAttributeValues"] = typed
    if "#owner" in condition:
        parts["ExpressionAttributeNames"] = {"#owner": "owner"}
    return parts


def request(operation: Operation, table: str) -> dict[str, Any]:
    """Return an operation as an entry of a transaction."""
    body: dict[str, Any] = {"TableName": table}
    if isinstance(operation, Put):
        body["Item"] = encode(operation.item)
    else:
        body["Key"] = {"pk": {"S": operation.pk}, "sk": {"S": operation.sk}}
    if operation.condition:
        body |= expression(operation.condition, operation.values)
    return {type(operation).__name__.replace("Check", "ConditionCheck"): body}


def stored_text(value: JSON) -> str:
    """Return the canonical text of a JSON value as DynamoDB takes it, which is UTF-8.

    A surrogate without its other half has no UTF-8; it is written as JSON's escape.
    """
    return SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", canonical_text(value))


def encode(item: Item) -> dict[str, Any]:
    """Return an item as DynamoDB's typed attributes."""
    return {
        "pk": {"S": item.pk},
        "sk": {"S": item.sk},
        "data": {"S": stored_text(item.data)},
        "version": {"N": str(item.version)},
        "phase": {"S": item.phase},
        "owner": {"S": item.owner},
        "expires": {"N": str(item.expires)},
    }


def decode(raw: Mapping[str, Any]) -> Item:
    """Return the item of DynamoDB's typed attributes. Raise Corrupt where it is none."""
    try:
        data = json.loads(raw["data"]["S"])
        numbers = int(raw["version"]["N"]), int(raw["expires"]["N"])
        texts = raw["pk"]["S"], raw["sk"]["S"], raw["phase"]["S"], raw["owner"]["S"]
    except (KeyError, TypeError, ValueError) as wrong:
        raise Corrupt(f"item {_key(raw)}: {type(wrong).__name__}: {wrong}") from wrong
    if not isinstance(data, dict):
        raise Corrupt(f"item {_key(raw)}: its data is no object")
    return Item(texts[0], texts[1], data, numbers[0], texts[2], texts[3], numbers[1])


def decode_entry(raw: Mapping[str, Any]) -> Item:
    """Return the item of an entry of a list, without data where that cannot be read.

    Its key says what it is about; one that is damaged must not hide the others.
    """
    try:
        return decode(raw)
    except Corrupt:
        return Item(str(raw["pk"]["S"]), str(raw["sk"]["S"]), {})


def _key(raw: Mapping[str, Any]) -> str:
    return f"{raw.get('pk')} / {raw.get('sk')}"


def encode_record(record: Record) -> dict[str, Any]:
    """Return an audit record as DynamoDB's typed attributes."""
    return {
        "chain": {"S": record.chain},
        "seq": {"N": str(record.seq)},
        "hash": {"S": record.hash},
        "record": {"S": stored_text(asdict(record))},
    }


def decode_record(raw: Mapping[str, Any]) -> Record:
    """Return the audit record of DynamoDB's typed attributes. Raise Corrupt where it is none."""
    where = f"audit record {raw.get('chain')} / {raw.get('seq')}"
    try:
        record = Record(**json.loads(raw["record"]["S"]))
        stored = raw["chain"]["S"], int(raw["seq"]["N"]), raw["hash"]["S"]
    except (KeyError, TypeError, ValueError) as wrong:
        raise Corrupt(f"{where}: {type(wrong).__name__}: {wrong}") from wrong
    said = record.chain, record.seq, record.hash
    if stored != said:
        raise Corrupt(f"{where}: says that it is {said[0]} / {said[1]}, of hash {said[2]}")
    return record
