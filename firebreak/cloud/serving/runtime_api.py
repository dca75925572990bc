"""Lambda's Runtime API, of one process: hand it invocations, take what it makes of them.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import queue
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from firebreak.cloud.lambdas import Result
from firebreak.cloud.serving.answers import Answer
from firebreak.cloud.signatures import HttpRequest

_PREFIX = "/2018-06-01/runtime"
_TOLD = re.compile(r"/invocation/[^/]+/(response|error)")
_ACCEPTED = Answer(202, b'{"status":"OK"}', {"content-type": "application/json"})


@dataclass(frozen=True)
class Job:
    """One invocation, as the process is told of it."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Ready:
    """The process asked for its next invocation."""


@dataclass(frozen=True)
class Exited:
    """The process is over."""

    status: int


Happened = Result | Ready | Exited


class RuntimeApi:
    """What one process is told, and what it told, in order."""

    def __init__(self) -> None:
        self.happened: queue.Queue[Happened] = queue.Queue()
        self._jobs: queue.Queue[Job | None] = queue.Queue()

    def give(self, job: Job) -> None:
        """Let the process have an invocation."""
        self._jobs.put(job)

    def close(self) -> None:
        """Let go of a process that waits for an invocation."""
        self._jobs.put(None)

    def answer(self, request: HttpRequest) -> Answer:
        """Answer a request of the process."""
        path = urlsplit(request.url).path.removeprefix(_PREFIX)
        if path == "/invocation/next":
            self.happened.put(Ready())
            job = self._jobs.get()
            return Answer(200, job.body, job.headers) if job else Answer(410)
        told = _TOLD.fullmatch(path)
        if told is None and path != "/init/error":
            return Answer(404)
        self.happened.put(_result(request.body, failed=told is None or told[1] == "error"))
        return _ACCEPTED


def _result(body: bytes, *, failed: bool) -> Result:
    value: Any = json.loads(body) if body else None
    return Result(value, failed)
