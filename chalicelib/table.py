"""The two DynamoDB tables: items as JSON, and writes that always carry their audit record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.audit import Entry, Record, seal
from chalicelib.clock import Clock
from chalicelib.effect import canonical_text
from chalicelib.errors import Busy, Corrupt

# The conditions under which an item is written or a transaction holds.
ABSENT = "attribute_not_exists(pk)"
SAME_VERSION = "version = :version"
SAME_OR_ABSENT = "attribute_not_exists(pk) OR version = :version"
IN_PHASE = "phase = :phase"
LEASED = "#owner = :owner"
LEASE_FREE = "attribute_not_exists(pk) OR #owner = :owner OR #owner = :nobody OR expires < :now"

NOBODY = "-"
ATTEMPTS = 12  # a chain is written by the steps of one remediation, which may run side by side


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


class ConditionFailed(Exception):
    """A condition did not hold; `names` are the items whose it was."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(f"changed meanwhile: {', '.join(self.names)}")


class Tables:
    """Read and write the remediations table, and the audit table with it."""

    def __init__(self, client: Any, remediations: str, audit: str, clock: Clock) -> None:
        self._client = client
        self._remediations = remediations
        self._audit = audit
        self._clock = clock
        self._heads: dict[str, Record] = {}

    def get(self, *keys: tuple[str, str]) -> list[Item | None]:
        """Return the items of up to 100 keys, None where there is none; reads are consistent."""
        wanted = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in dict.fromkeys(keys)]
        request: dict[str, Any] = {
            self._remediations: {"Keys": wanted, "ConsistentRead": True},
        }
        found: dict[tuple[str, str], Item] = {}
        while request:
            answer = self._client.batch_get_item(RequestItems=request)
            for raw in answer["Responses"].get(self._remediations, []):
                item = decode(raw)
                found[item.pk, item.sk] = item
            request = answer.get("UnprocessedKeys") or {}
        return [found.get(key) for key in keys]

    def query(self, pk: str, prefix: str = "") -> list[Item]:
        """Return the items of a partition whose sort key begins with a prefix, in order."""
        return list(
            self._query(self._remediations, "pk = :pk AND begins_with(sk, :sk)", pk, prefix)
        )

    def _query(self, table: str, condition: str, pk: str, prefix: str) -> Iterable[Item]:
        pages = self._client.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues={":pk": {"S": pk}, ":sk": {"S": prefix}},
            ConsistentRead=True,
        )
        return (decode(raw) for page in pages for raw in page["Items"])

    def remediation_ids(self) -> list[str]:
        """Return the ids of all remediations, in no order; reads the whole table."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._remediations,
            FilterExpression="sk = :meta",
            ExpressionAttributeValues={":meta": {"S": "META"}},
            ProjectionExpression="pk",
        )
        return [raw["pk"]["S"].partition("#")[2] for page in pages for raw in page["Items"]]

    def put(self, item: Item) -> None:
        """Write an item that no state depends on yet: a part of a finding, named by its content."""
        self._client.put_item(TableName=self._remediations, Item=encode(item))

    def put_where(self, item: Item, condition: str, values: Mapping[str, str | int]) -> bool:
        """Write one item that is no state of its own, such as a lease; say whether it could be."""
        try:
            self._client.put_item(
                TableName=self._remediations,
                Item=encode(item),
                ConditionExpression=condition,
                **_expression(condition, values),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def commit(self, entry: Entry, build: Callable[[int], Sequence[Operation]]) -> Record:
        """Write operations and the record that speaks of them in one transaction.

        `build` gets the record's sequence number and returns the operations. Raise ConditionFailed
        where a condition does not hold, Busy where the chain stays contended.
        """
        for attempt in range(ATTEMPTS):
            head = self._heads.get(entry.chain) or self.head(entry.chain)
            record = seal(entry, head, self._clock.now())
            if self._write(build(record.seq), record):
                self._heads[entry.chain] = record
                return record
            self._heads.pop(entry.chain, None)
            self._clock.sleep(0.01 * attempt)
        raise Busy(f"audit chain {entry.chain} is written by others")

    def _write(self, operations: Sequence[Operation], record: Record) -> bool:
        """Write; return False where only the place in the chain was taken, or another write won."""
        items = [self._operation(each) for each in operations]
        items.append({"Put": self._record_put(record)})
        try:
            self._client.transact_write_items(TransactItems=items)
        except self._client.exceptions.TransactionCanceledException as cancelled:
            reasons = [
                each.get("Code", "None") for each in cancelled.response["CancellationReasons"]
            ]
            failed = [
                operation.name
                for operation, reason in zip(operations, reasons, strict=False)
                if reason == "ConditionalCheckFailed"
            ]
            if failed:
                raise ConditionFailed(failed) from cancelled
            if any(
                r not in ("None", "ConditionalCheckFailed", "TransactionConflict") for r in reasons
            ):
                raise
            return False
        return True

    def _operation(self, operation: Operation) -> dict[str, Any]:
        kind = type(operation).__name__.replace("Check", "ConditionCheck")
        body: dict[str, Any] = {"TableName": self._remediations}
        if isinstance(operation, Put):
            body["Item"] = encode(operation.item)
        else:
            body["Key"] = {"pk": {"S": operation.pk}, "sk": {"S": operation.sk}}
        if operation.condition:
            body["ConditionExpression"] = operation.condition
            body |= _expression(operation.condition, operation.values)
        return {kind: body}

    def _record_put(self, record: Record) -> dict[str, Any]:
        item = {
            "chain": {"S": record.chain},
            "seq": {"N": str(record.seq)},
            "hash": {"S": record.hash},
            "record": {"S": canonical_text(asdict(record))},
        }
        return {
            "TableName": self._audit,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(chain)",
        }

    def head(self, chain: str) -> Record | None:
        """Return the last record of a chain, or None."""
        answer = self._client.query(
            TableName=self._audit,
            KeyConditionExpression="chain = :chain",
            ExpressionAttributeValues={":chain": {"S": chain}},
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=1,
        )
        return decode_record(answer["Items"][0]) if answer["Items"] else None

    def records(self, chain: str) -> list[Record]:
        """Return a chain's records in order."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._audit,
            KeyConditionExpression="chain = :chain",
            ExpressionAttributeValues={":chain": {"S": chain}},
            ConsistentRead=True,
        )
        return [decode_record(raw) for page in pages for raw in page["Items"]]

    def chains(self) -> list[str]:
        """Return the names of all chains, sorted; reads the whole table."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._audit, ProjectionExpression="chain"
        )
        return sorted({raw["chain"]["S"] for page in pages for raw in page["Items"]})


def _expression(condition: str, values: Mapping[str, str | int]) -> dict[str, Any]:
    typed = {
        f":{name}": {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in values.items()
    }
    named = {"ExpressionAttributeNames": {"#owner": "owner"}} if "#owner" in condition else {}
    return ({"ExpressionAttributeValues": typed} if typed else {}) | named


def encode(item: Item) -> dict[str, Any]:
    """Return an item as DynamoDB's typed attributes."""
    return {
        "pk": {"S": item.pk},
        "sk": {"S": item.sk},
        "data": {"S": canonical_text(item.data)},
        "version": {"N": str(item.version)},
        "phase": {"S": item.phase},
        "owner": {"S": item.owner},
        "expires": {"N": str(item.expires)},
    }


def decode(raw: Mapping[str, Any]) -> Item:
    """Return the item of DynamoDB's typed attributes. Raise Corrupt for what `encode` never wrote."""
    try:
        data = json.loads(raw["data"]["S"])
        numbers = int(raw["version"]["N"]), int(raw["expires"]["N"])
        texts = raw["pk"]["S"], raw["sk"]["S"], raw["phase"]["S"], raw["owner"]["S"]
    except (KeyError, TypeError, ValueError) as wrong:
        where = f"{raw.get('pk', {}).get('S')} / {raw.get('sk', {}).get('S')}"
        raise Corrupt(f"item {where}: {type(wrong).__name__}: {wrong}") from wrong
    return Item(texts[0], texts[1], data, numbers[0], texts[2], texts[3], numbers[1])


def decode_record(raw: Mapping[str, Any]) -> Record:
    """Return the audit record of DynamoDB's typed attributes. Raise Corrupt where it is none."""
    try:
        fields = json.loads(raw["record"]["S"])
        record = Record(**fields)
        keys = raw["chain"]["S"], int(raw["seq"]["N"])
    except (KeyError, TypeError, ValueError) as wrong:
        raise Corrupt(f"audit record {raw.get('chain')} {raw.get('seq')}: {wrong}") from wrong
    if keys != (record.chain, record.seq):
        raise Corrupt(
            f"audit record {keys[0]} {keys[1]} says that it is {record.chain} {record.seq}"
        )
    return record
