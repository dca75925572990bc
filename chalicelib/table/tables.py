"""Reading and writing the remediations table, and the audit table with it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.audit import Entry, Record, seal
from chalicelib.clock import Clock
from chalicelib.errors import Busy
from chalicelib.table.items import (
    Item,
    Operation,
    decode,
    decode_entry,
    decode_record,
    encode,
    encode_record,
    expression,
    request,
)

ATTEMPTS = 40  # a chain is written by the steps of one remediation, which may run side by side
LONGEST = 0.5  # seconds between two attempts
BATCH = 100  # keys that one BatchGetItem takes
HEADS = 256  # chains whose last record a warm function remembers
TAKEN = frozenset({"None", "ConditionalCheckFailed", "TransactionConflict"})


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

    def _back_off(self, attempt: int) -> None:
        """Wait a little longer each time, and not as long as the others who wait."""
        most = min(LONGEST, 0.01 * 2**attempt)
        self._clock.sleep(random.uniform(0, most))  # noqa: S311  # jitter

    # --- reading ---

    def get(self, *keys: tuple[str, str]) -> list[Item | None]:
        """Return the items of these keys, None where there is none; reads are consistent."""
        wanted = list(dict.fromkeys(keys))
        found: dict[tuple[str, str], Item] = {}
        for at in range(0, len(wanted), BATCH):
            found |= self._batch(wanted[at : at + BATCH])
        return [found.get(key) for key in keys]

    def _batch(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        wanted = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys]
        asked: Any = {self._remediations: {"Keys": wanted, "ConsistentRead": True}}
        found: dict[tuple[str, str], Item] = {}
        for attempt in range(ATTEMPTS):
            answer = self._client.batch_get_item(RequestItems=asked)
            for raw in answer["Responses"].get(self._remediations, []):
                item = decode(raw)
                found[item.pk, item.sk] = item
            asked = answer.get("UnprocessedKeys")
            if not asked:
                return found
            self._back_off(attempt)
        raise Busy(f"{self._remediations} does not give all the items asked for")

    def query(self, pk: str, prefix: str = "") -> list[Item]:
        """Return the items of a partition in order, those whose sort key begins with a prefix."""
        return [decode(raw) for raw in self._queried(pk, prefix)]

    def entries(self, pk: str, prefix: str = "", upto: str = "") -> list[Item]:
        """Return the entries of a list in order; what cannot be read is one without data.

        prefix: only those whose sort key begins with it. upto: only those whose is not above it.
        """
        return [decode_entry(raw) for raw in self._queried(pk, prefix, upto)]

    def _queried(self, pk: str, prefix: str = "", upto: str = "") -> list[Mapping[str, Any]]:
        key, values = "pk = :pk", {":pk": {"S": pk}}
        if prefix:
            key, values = f"{key} AND begins_with(sk, :sk)", {**values, ":sk": {"S": prefix}}
        elif upto:
            key, values = f"{key} AND sk <= :sk", {**values, ":sk": {"S": upto}}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._remediations,
            KeyConditionExpression=key,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        return [raw for page in pages for raw in page["Items"]]

    def remediation_ids(self) -> list[str]:
        """Return the ids of all remediations, in no order; reads the whole table."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._remediations,
            FilterExpression="sk = :meta",
            ExpressionAttributeValues={":meta": {"S": "META"}},
            ProjectionExpression="pk",
        )
        return [raw["pk"]["S"].partition("#")[2] for page in pages for raw in page["Items"]]

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

    # --- writing ---

    def put(self, item: Item) -> None:
        """Write an item that no state depends on, such as a part of an event that is kept."""
        self._client.put_item(TableName=self._remediations, Item=encode(item))

    def put_where(self, item: Item, condition: str, values: Mapping[str, str | int]) -> bool:
        """Write one item that is no state of its own, such as a lease; say whether it could be.

        Raise Busy where transactions keep touching the item.
        """
        where = expression(condition, values)
        for attempt in range(ATTEMPTS):
            try:
                self._client.put_item(TableName=self._remediations, Item=encode(item), **where)
            except ClientError as error:
                if _code(error) == "ConditionalCheckFailedException":
                    return False
                if _code(error) != "TransactionConflictException":
                    raise
                self._back_off(attempt)
                continue
            return True
        raise Busy(f"item {item.pk} / {item.sk} is written by others")

    def commit(self, entry: Entry, build: Callable[[int], Sequence[Operation]]) -> Record:
        """Write operations and the record that speaks of them in one transaction.

        `build` gets the record's sequence number and returns the operations. Raise ConditionFailed
        where a condition does not hold, Busy where the chain stays contended.
        """
        for attempt in range(ATTEMPTS):
            head = self._heads.get(entry.chain) or self.head(entry.chain)
            record = seal(entry, head, self._clock.now())
            if self._write(build(record.seq), record):
                self._remember(record)
                return record
            self._heads.pop(entry.chain, None)
            self._back_off(attempt)
        raise Busy(f"audit chain {entry.chain} is written by others")

    def _remember(self, record: Record) -> None:
        if len(self._heads) >= HEADS:
            self._heads.clear()
        self._heads[record.chain] = record

    def _write(self, operations: Sequence[Operation], record: Record) -> bool:
        """Write; return False where only the place in the chain was taken, or another write won."""
        items = [request(each, self._remediations) for each in operations]
        items.append({"Put": self._record_put(record)})
        try:
            self._client.transact_write_items(TransactItems=items)
        except ClientError as error:
            if _code(error) != "TransactionCanceledException":
                raise
            _sort_reasons(error, operations)
            return False
        return True

    def _record_put(self, record: Record) -> dict[str, Any]:
        return {
            "TableName": self._audit,
            "Item": encode_record(record),
            "ConditionExpression": "attribute_not_exists(chain)",
        }


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _sort_reasons(cancelled: ClientError, operations: Sequence[Operation]) -> None:
    """Return where writing again may succeed. Raise ConditionFailed, or the error for the rest."""
    reasons = [str(each.get("Code")) for each in cancelled.response.get("CancellationReasons", ())]
    failed = [
        operation.name
        for operation, reason in zip(operations, reasons, strict=False)
        if reason == "ConditionalCheckFailed"
    ]
    if failed:
        raise ConditionFailed(failed) from cancelled
    if not reasons or set(reasons) - TAKEN:
        raise cancelled
