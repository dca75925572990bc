"""Tables and parameters in memory, answering as their clients do: a call costs next to nothing.

What of DynamoDB it answers is compared with the tables' own tests; see `test_memory.py`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from firebreak.cloud import CallInfo
from tests.worlds import refusal

Hook = Callable[[CallInfo], None]
Key = tuple[str, Any]
KEYS = {"pk": "sk", "chain": "seq"}
WORDS = {"=": "==", "OR": "or", "AND": "and", "NOT": "not"}
TOKEN = re.compile(r"attribute_not_exists\(\w+\)|begins_with|[:#]?\w+|<|=|\(|\)|,")


@cache
def compiled(condition: str) -> Any:
    """Return a condition of the tables as code over `item`, `values` and `names`."""
    parts = [_part(token) for token in TOKEN.findall(condition)]
    return compile(" ".join(parts), condition, "eval")


def _part(token: str) -> str:
    if token.startswith("attribute_not_exists"):
        return f"(not has({token[21:-1]!r}))"
    if token.startswith(":"):
        return f"values[{token!r}]"
    if token.startswith("#"):
        return f"at(names[{token!r}])"
    return WORDS.get(token, token if not token.isidentifier() else f"at({token!r})")


class Nothing:
    """Stand for an attribute that is not there: no comparison with it holds."""

    def __eq__(self, other: object) -> bool:
        return False

    def __lt__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__


def plain(value: Mapping[str, Any]) -> Any:
    """Return the value of an attribute as it is compared."""
    ((kind, held),) = value.items()
    return float(held) if kind == "N" else held


def holds(request: Mapping[str, Any], item: Mapping[str, Any] | None) -> bool:
    """Say whether a request's condition holds for an item."""
    condition = request.get("ConditionExpression")
    if not condition:
        return True
    found = item or {}
    given = request.get("ExpressionAttributeValues", {})
    names = {
        "values": {name: plain(value) for name, value in given.items()},
        "names": request.get("ExpressionAttributeNames", {}),
        "has": lambda name: name in found,
        "at": lambda name: plain(found[name]) if name in found else Nothing(),
    }
    return bool(eval(compiled(condition), {}, names))  # noqa: S307  # our own conditions


@dataclass
class Memory:
    """Hold tables and parameters, and the hook that each call passes."""

    tables: dict[str, dict[Key, dict[str, Any]]] = field(default_factory=dict, repr=False)
    parameters: dict[str, str] = field(default_factory=dict)
    hook: Hook = lambda _call: None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def call(self, service: str, operation: str, params: Mapping[str, Any], effect: Any) -> Any:
        """Return what a call comes to, with the hook before and after it."""
        info = CallInfo(
            next(self.numbers), service, operation, params, "", "", "", None, None, None
        )
        self.hook(info)
        answer = effect(**params)
        self.hook(replace(info, phase="after"))
        return answer


@dataclass(frozen=True)
class Database:
    """Answer as a DynamoDB client does, for what the tables ask."""

    memory: Memory

    def _rows(self, name: str) -> dict[Key, dict[str, Any]]:
        return self.memory.tables.setdefault(name, {})

    def batch_get_item(self, **params: Any) -> Any:
        """Return the items of keys."""
        return self.memory.call("dynamodb", "BatchGetItem", params, self._batch_get)

    def _batch_get(self, RequestItems: dict[str, Any]) -> Any:  # noqa: N803
        ((name, asked),) = RequestItems.items()
        keys = [(key["pk"]["S"], key["sk"]["S"]) for key in asked["Keys"]]
        return {"Responses": {name: [self._rows(name)[k] for k in keys if k in self._rows(name)]}}

    def put_item(self, **params: Any) -> None:
        """Write an item where its condition holds."""
        self.memory.call("dynamodb", "PutItem", params, self._put_item)

    def _put_item(self, **params: Any) -> None:
        rows, key = self._rows(params["TableName"]), key_of(params["Item"])
        if not holds(params, rows.get(key)):
            raise refusal("ConditionalCheckFailedException", "PutItem")
        rows[key] = params["Item"]

    def transact_write_items(self, **params: Any) -> None:
        """Write all where all conditions hold."""
        self.memory.call("dynamodb", "TransactWriteItems", params, self._transact)

    def _transact(self, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803
        parts = [next(iter(entry.items())) for entry in TransactItems]
        targets = [
            (self._rows(r["TableName"]), key_of(r.get("Item") or r["Key"])) for _, r in parts
        ]
        fine = [
            holds(request, rows.get(key))
            for (_, request), (rows, key) in zip(parts, targets, strict=True)
        ]
        if not all(fine):
            raise cancelled(fine)
        for (kind, request), (rows, key) in zip(parts, targets, strict=True):
            if kind == "Put":
                rows[key] = request["Item"]
            elif kind == "Delete":
                rows.pop(key, None)

    def query(self, **params: Any) -> Any:
        """Return the items of a partition, in the order of their keys."""
        return self.memory.call("dynamodb", "Query", params, self._query)

    def _query(self, **params: Any) -> Any:
        given = {name: plain(each) for name, each in params["ExpressionAttributeValues"].items()}
        first, second = next(iter(given.values())), given.get(":sk", "")
        rows = self._rows(params["TableName"])
        keys = sorted(k for k in rows if k[0] == first and (not second or k[1].startswith(second)))
        ordered = keys if params.get("ScanIndexForward", True) else keys[::-1]
        return {"Items": [rows[key] for key in ordered[: params.get("Limit")]]}

    def get_paginator(self, operation: str) -> Pages:
        """Return what asks for every page; there is one."""
        return Pages(getattr(self, operation))


@dataclass(frozen=True)
class Pages:
    """Ask for every page of an operation."""

    ask: Callable[..., Any]

    def paginate(self, **params: Any) -> list[Any]:
        """Return the pages."""
        return [self.ask(**params)]


def key_of(item: Mapping[str, Any]) -> Key:
    """Return the key of an item of either table."""
    first = "pk" if "pk" in item else "chain"
    return plain(item[first]), plain(item[KEYS[first]])


def cancelled(fine: list[bool]) -> ClientError:
    """Return how DynamoDB cancels a transaction some of whose conditions do not hold."""
    reasons = [{"Code": "None" if each else "ConditionalCheckFailed"} for each in fine]
    return refusal("TransactionCanceledException", CancellationReasons=reasons)


@dataclass(frozen=True)
class Parameters:
    """Answer as an SSM client does, for parameters that are there."""

    memory: Memory

    def get_parameter(self, **params: Any) -> Any:
        """Return a parameter."""
        return self.memory.call("ssm", "GetParameter", params, self._get)

    def _get(self, Name: str) -> Any:  # noqa: N803
        return {"Parameter": {"Value": self.memory.parameters[Name]}}

    def put_parameter(self, **params: Any) -> None:
        """Set a parameter."""
        self.memory.call("ssm", "PutParameter", params, self._put)

    def _put(self, Name: str, Value: str, **_rest: Any) -> None:  # noqa: N803
        self.memory.parameters[Name] = Value


@dataclass(frozen=True)
class MemoryAccess:
    """Give clients of what lies in memory, whatever the place."""

    memory: Memory

    def home(self, service: str) -> Any:
        """Return a client of the home account."""
        kinds: Mapping[str, Any] = {"dynamodb": Database, "ssm": Parameters}
        return kinds[service](self.memory)

    def client(self, _place: Any, service: str, **_more: Any) -> Any:
        """Return a client for a place."""
        return self.home(service)
