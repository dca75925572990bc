"""Work that moto and botocore do anew for every call, done once: same results, less time."""

from __future__ import annotations

import copy
import types
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from botocore.client import ClientCreator
from moto.core import responses
from moto.core.utils import method_names_from_class
from moto.dynamodb import models as dynamodb
from moto.dynamodb.models import DynamoDBBackend
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
        shallow.apply([Patch(dynamodb, "copy", _SHALLOW)])
        try:
            transact(self, transact_items)
        finally:
            shallow.undo()

    return transacted


def _snapshot(value: Any, *rest: Any) -> Any:
    """Return a backup of a table whose items are shared with it, and a deep copy of all else."""
    if not isinstance(value, Table):
        return copy.deepcopy(value, *rest)
    backup = copy.copy(value)
    backup.items = copy.copy(value.items)
    for key, items in value.items.items():
        backup.items[key] = copy.copy(items)
    return backup


_SHALLOW = types.SimpleNamespace(copy=copy.copy, deepcopy=_snapshot)
