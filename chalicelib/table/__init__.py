"""The two DynamoDB tables: items as JSON, and writes that always carry their audit record.

items    items, operations and conditions, as DynamoDB takes them
tables   reading and writing them
"""

from __future__ import annotations

from chalicelib.table.items import (
    ABSENT,
    IN_PHASE,
    LEASE_FREE,
    LEASED,
    NOBODY,
    SAME_OR_ABSENT,
    SAME_VERSION,
    Check,
    Delete,
    Item,
    Operation,
    Put,
    decode,
    decode_record,
    encode,
    encode_record,
)
from chalicelib.table.tables import ConditionFailed, Tables

__all__ = [
    "ABSENT",
    "IN_PHASE",
    "LEASED",
    "LEASE_FREE",
    "NOBODY",
    "SAME_OR_ABSENT",
    "SAME_VERSION",
    "Check",
    "ConditionFailed",
    "Delete",
    "Item",
    "Operation",
    "Put",
    "Tables",
    "decode",
    "decode_record",
    "encode",
    "encode_record",
]
