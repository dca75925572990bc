"""DynamoDB's request units, by the sizes of what is read and written.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from firebreak.cloud.calls import CallInfo
from firebreak.stage import Stage

ITEM_OVERHEAD = 100  # bytes that DynamoDB adds to what it stores of an item
KEYS = (("pk", "sk"), ("chain", "seq"))
Item = Mapping[str, Any]


def item_size(item: Item) -> int:
    """Return the bytes of an item, as DynamoDB counts them."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Item) -> int:
    ((kind, held),) = value.items()
    if kind == "N":
        return math.ceil(len(str(held).strip("-").replace(".", "").strip("0")) / 2) + 1
    if kind in {"NULL", "BOOL"}:
        return 1
    if kind == "M":
        return 3 + len(held) + item_size(held)
    if kind == "L":
        return 3 + len(held) + sum(_value_size(each) for each in held)
    if kind in {"SS", "BS", "NS"}:
        return sum(_value_size({kind[0]: each}) for each in held)
    return len(held.encode() if isinstance(held, str) else bytes(held))


def units(size: float, kilobytes: int) -> int:
    """Return the units of so many bytes; what is not there counts as one."""
    return max(1, math.ceil(size / (kilobytes * 1_024)))


@dataclass(frozen=True, slots=True)
class Written:
    """Hold an item that a call may write, and what it was before."""

    table: str
    item: Item
    was: int


@dataclass(frozen=True, slots=True)
class Units:
    """Count the units of the calls that functions make, under their prices' names."""

    stage: Stage
    billed: Counter[str]

    def before(self, info: CallInfo) -> list[Written]:
        """Return the items that a call may write."""
        if info.operation == "TransactWriteItems":
            each = [next(iter(write.values())) for write in info.params["TransactItems"]]
        elif info.operation in {"PutItem", "UpdateItem", "DeleteItem"}:
            each = [info.params]
        else:
            return []
        items = [(one["TableName"], one.get("Key") or one["Item"]) for one in each]
        return [Written(table, item, self._size(table, item)) for table, item in items]

    def after(self, info: CallInfo, written: Iterable[Written], response: Any) -> None:
        """Count what a call used: of a write, the larger of the item before it and after it.

        A write whose condition did not hold is counted as if it had: DynamoDB bills it too. A
        transaction counts twice.
        """
        twice = 2 if info.operation == "TransactWriteItems" else 1
        for each in written:
            size = max(each.was, self._size(each.table, each.item), item_size(each.item))
            self.billed["write_units"] += twice * units(size, 1)
        if response is not None:
            self.billed["read_units"] += _read(info, response)

    def _size(self, table: str, item: Item) -> int:
        from moto.dynamodb.models.dynamo_type import DynamoType

        first, second = next(names for names in KEYS if names[0] in item)
        keys = DynamoType(item[first]), DynamoType(item[second])
        held = _table(self.stage, table).get_item(*keys)
        return _held_size(held) if held else 0


def _read(info: CallInfo, response: Any) -> float:
    """Return the units of a read; one that is not consistent counts half."""
    if info.operation == "BatchGetItem":
        asked = info.params["RequestItems"].values()
        found = [item for items in response["Responses"].values() for item in items]
        read = sum(units(item_size(item), 4) for item in found)
        read += sum(len(each["Keys"]) for each in asked) - len(found)
        consistent = all(each.get("ConsistentRead") for each in asked)
    elif info.operation == "GetItem":
        read = units(item_size(response.get("Item", {})), 4)
        consistent = bool(info.params.get("ConsistentRead"))
    elif info.operation in {"Query", "Scan"}:
        read = units(sum(item_size(item) for item in response["Items"]), 4)
        consistent = bool(info.params.get("ConsistentRead"))
    else:
        return 0
    return read if consistent else read / 2


def stored(stage: Stage) -> int:
    """Return the bytes that both tables hold."""
    tables = (stage.settings.remediations_table, stage.settings.audit_table)
    partitions = [each for name in tables for each in _table(stage, name).items.values()]
    return sum(_held_size(held) + ITEM_OVERHEAD for each in partitions for held in each.values())


def _held_size(held: Any) -> int:
    return item_size({name: value.to_json() for name, value in held.attrs.items()})


def _table(stage: Stage, name: str) -> Any:
    from moto.dynamodb.models import dynamodb_backends

    return dynamodb_backends[stage.cloud.home_account][stage.cloud.region].get_table(name)
