"""Work that moto and botocore do anew for every call, done once: same results, less time."""

from __future__ import annotations

import copy
import types
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from botocore.client import ClientCreator
from moto.core import responses
from moto.core.utils import method_names_from_class
from moto.dynamodb import models as dynamodb
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from firebreak.cloud.patching import Patch, Patches

_classes: dict[tuple[str, str], type] = {}


def patches() -> list[Patch]:
    """Return what is replaced while a world exists."""
    methods = lru_cache(maxsize=None)(method_names_from_class)
    return [
        Patch(responses, "method_names_from_class", methods),
        Patch(ClientCreator, "_create_client_class", _client_class(ClientCreator)),
        Patch(DynamoDBBackend, "transact_write_items", _transact(DynamoDBBackend)),
        Patch(Table, "query", _query(Table)),
    ]


def _client_class(creator: Any) -> Callable[..., type]:
    """Return a maker of client classes that makes each service's class once.

    A class depends on the service's model alone; credentials and region are the instance's.
    """
    make = creator._create_client_class

    def made(self: Any, service_name: str, service_model: Any) -> type:
        key = (service_name, service_model.api_version)
        if key not in _classes:
            _classes[key] = make(self, service_name, service_model)
        return _classes[key]

    return made


def _transact(backend: Any) -> Callable[..., None]:
    """Return a transaction that backs up the items it may replace by reference, not by value.

    Put and Delete replace items and never change one in place; Update does, and gets the full copy.
    """
    transact = backend.transact_write_items

    def transacted(self: Any, transact_items: list[dict[str, Any]]) -> None:
        if any("Update" in item for item in transact_items):
            transact(self, transact_items)
            return
        shallow = Patches()  # calls are one at a time
        snapshot = partial(_snapshot, _touched(self, transact_items))
        copies = types.SimpleNamespace(copy=copy.copy, deepcopy=snapshot)
        shallow.apply([Patch(dynamodb, "copy", copies)])
        try:
            transact(self, transact_items)
        finally:
            shallow.undo()

    return transacted


def _touched(backend: Any, transact_items: list[dict[str, Any]]) -> set[DynamoType]:
    """Return the partition keys of the items that a transaction is about."""
    found = set()
    for operation in transact_items:
        body = next(iter(operation.values()))
        table = backend.tables.get(body.get("TableName"))
        key = (body.get("Item") or body.get("Key") or {}).get(table.hash_key_attr if table else "")
        if key:
            found.add(DynamoType(key))
    return found


def _snapshot(touched: set[DynamoType], value: Any, *rest: Any) -> Any:
    """Return a backup of a table whose items are shared with it, and a deep copy of all else.

    Of the partitions only those that are touched are copied: the others stay as they are.
    """
    if not isinstance(value, Table):
        return copy.deepcopy(value, *rest)
    backup = _same(value)
    backup.items = copy.copy(value.items)
    for key in touched & value.items.keys():
        backup.items[key] = copy.copy(value.items[key])
    return backup


def _same(table: Any) -> Any:
    """Return a table with the same attributes.

    Made without its class's `__new__`, by which moto keeps every instance for ever.
    """
    other = object.__new__(type(table))
    vars(other).update(vars(table))
    return other


def _query(kind: Any) -> Callable[..., Any]:
    """Return a query that looks through one partition; moto sorts the whole table for each."""
    query = kind.query

    def queried(self: Any, hash_key: Any, *args: Any, **kwargs: Any) -> Any:
        if self.all_indexes():  # which are looked through otherwise
            return query(self, hash_key, *args, **kwargs)
        partition = _same(self)
        partition.items = {hash_key: self.items[hash_key]} if hash_key in self.items else {}
        return query(partition, hash_key, *args, **kwargs)

    return queried
