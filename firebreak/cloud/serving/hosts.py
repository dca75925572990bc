"""Run functions that were uploaded: warm processes for each, more where they are needed at once."""

from __future__ import annotations

import tempfile
import threading
import time
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

from firebreak.cloud.backends.lambda_functions import logging_of
from firebreak.cloud.identity import Invocation
from firebreak.cloud.lambdas import Result, killed
from firebreak.cloud.roles import NotAdmitted, Roles
from firebreak.cloud.serving.processes import Process
from firebreak.cloud.serving.sandbox import Sandbox
from firebreak.cloud.serving.telemetry import trace, write_logs

AT_ONCE = 8  # processes of one function; who comes later waits


class Hosts:
    """The processes of a world's uploaded functions."""

    def __init__(self, roles: Roles) -> None:
        self.endpoint = ""
        self._roles = roles
        self._folder = tempfile.TemporaryDirectory(prefix="firebreak-functions-")
        self._sandbox = Sandbox(Path(self._folder.name))
        self._lock = threading.Lock()
        self._idle: dict[object, list[Process]] = defaultdict(list)
        self._all: list[Process] = []
        self._room: dict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(AT_ONCE)
        )

    def invoke(self, function: Any, event: Any) -> Result:
        """Run an uploaded function once, in a process of its own."""
        with self._lock:
            room = self._room[function.function_arn]
        with room:
            return self._invoke(function, event)

    def _invoke(self, function: Any, event: Any) -> Result:
        request_id, began = str(uuid.uuid4()), time.time()
        try:
            process = self._take(function)
        except NotAdmitted:
            message = "The role defined for the function cannot be assumed by Lambda."
            return killed("AccessDeniedException", message)
        failure = None if process.warm else process.initialize(request_id)
        result = failure or process.invoke(event, request_id)
        lines = [f"START RequestId: {request_id} Version: $LATEST", *process.output()]
        if process.alive:
            self._give_back(function, process)
        lines += [f"END RequestId: {request_id}", f"REPORT RequestId: {request_id}"]
        write_logs(self._roles, function, process.keys, process.stream, lines)
        trace(self._roles, function, process.keys, began, failed=result.failed)
        return result

    def _take(self, function: Any) -> Process:
        with self._lock:
            idle = self._idle[_configuration(function)]
            if idle:
                return idle.pop()
        keys = self._roles.assume(function.role, "lambda.amazonaws.com", function.function_name, {})
        process = Process(function, keys, self._sandbox, self.endpoint)
        with self._lock:
            self._all.append(process)
        return process

    def _give_back(self, function: Any, process: Process) -> None:
        with self._lock:
            self._idle[_configuration(function)].append(process)

    def invocation_of(self, access_key: str) -> Invocation | None:
        """Return the invocation in which a process makes its calls."""
        with self._lock:
            running = [each for each in self._all if each.keys.access_key == access_key]
        return running[0].invocation if running else None

    def close(self) -> None:
        """End every process and remove what they ran in."""
        for process in self._all:
            process.kill()
        self._folder.cleanup()


def _configuration(function: Any) -> object:
    """Return what a warm process was started with; one of another configuration is not used."""
    return (
        function.function_arn,
        function.code_sha_256,
        function.handler,
        function.role,
        function.timeout,
        function.memory_size,
        tuple(sorted((function.environment_vars or {}).items())),
        tuple(sorted(logging_of(function).items())),
    )
