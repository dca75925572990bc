"""A world's DynamoDB calls, led to another engine; all else stays with the embedded AWS."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from firebreak.cloud import calls, dispatch
from firebreak.cloud.dispatch import Answer

OPERATIONS = (
    "BatchGetItem CreateTable DeleteItem GetItem PutItem Query Scan TransactWriteItems UpdateItem"
)
CREDENTIAL = "AWS4-HMAC-SHA256 Credential=tests/20261121/us-east-1/dynamodb/aws4_request"
UNWANTED = ("host", "authorization", "content-length", "x-amz-security-token")


@dataclass
class Engine:
    """Hold connections to a DynamoDB on this machine, one for each thread, until closed."""

    port: int
    local: threading.local = field(default_factory=threading.local)
    opened: list[http.client.HTTPConnection] = field(default_factory=list)

    def answer(self, request: Any) -> Answer:
        """Return what the engine answers to a prepared request."""
        sent = {name: _text(value) for name, value in request.headers.items()}
        headers = {name: value for name, value in sent.items() if name.lower() not in UNWANTED}
        return self.ask(request.body, {**headers, "Authorization": CREDENTIAL})

    def ask(self, body: bytes | str, headers: dict[str, str]) -> Answer:
        """Return what the engine answers to a body with headers."""
        connection = self._connection()
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def clear(self) -> None:
        """Drop every table."""
        names = self._operation("ListTables", "{}")
        for name in names.get("TableNames", ()):
            self._operation("DeleteTable", f'{{"TableName": "{name}"}}')

    def close(self) -> None:
        """Close every connection."""
        for connection in self.opened:
            connection.close()

    def _operation(self, name: str, body: str) -> dict[str, Any]:
        import json

        headers = {
            "X-Amz-Target": f"DynamoDB_20120810.{name}",
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": CREDENTIAL,
        }
        answer: dict[str, Any] = json.loads(self.ask(body, headers)[2])
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.opened.append(self.local.connection)
        made: http.client.HTTPConnection = self.local.connection
        return made


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


@contextmanager
def behind(engine: Engine, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lead the DynamoDB calls of worlds made meanwhile to an engine, side by side as they come."""
    unlocked = {("dynamodb", operation) for operation in OPERATIONS.split()}
    patch.setattr(calls, "UNLOCKED", calls.UNLOCKED | unlocked)
    patch.setattr(dispatch, "process_request", leading(engine, dispatch.process_request))
    try:
        yield
    finally:
        engine.clear()


def leading(
    engine: Engine, others: Callable[[object, Any], Answer]
) -> Callable[[object, Any], Answer]:
    """Return what answers a request: the engine for DynamoDB, else as before."""

    def process_request(stubber: object, request: Any) -> Answer:
        host = urlsplit(request.url).netloc
        return engine.answer(request) if "dynamodb" in host else others(stubber, request)

    return process_request
