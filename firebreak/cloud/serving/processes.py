"""One process of a function, under AWS's runtime client."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
import uuid
from contextlib import ExitStack
from typing import Any

from firebreak.cloud.identity import Invocation
from firebreak.cloud.lambdas import Result, killed
from firebreak.cloud.roles import Keys
from firebreak.cloud.serving.http import listening
from firebreak.cloud.serving.runtime_api import Exited, Happened, Job, Ready, RuntimeApi
from firebreak.cloud.serving.sandbox import Sandbox, command

INIT_SECONDS = 60.0  # AWS gives ten; a machine that tests may be slow
FLUSH_SECONDS = 5.0  # for what runs after the answer, before the next invocation


class Process:
    """A warm process; it runs one invocation at a time."""

    def __init__(self, function: Any, keys: Keys, sandbox: Sandbox, endpoint: str) -> None:
        self.keys = keys
        self.invocation: Invocation | None = None
        self.stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{uuid.uuid4().hex}"
        self._function = function
        self._api = RuntimeApi()
        self._stack = ExitStack()
        self._output = sandbox.output(uuid.uuid4().hex)
        self._read = 0
        self.alive = True
        self.warm = False
        self._start(sandbox, endpoint)

    def _start(self, sandbox: Sandbox, endpoint: str) -> None:
        place = self._stack.enter_context(listening(self._api.answer))
        self._stack.callback(self._api.close)
        environment = sandbox.environment(self._function, self.keys, endpoint, place, self.stream)
        with self._output.open("wb") as output:
            self._popen = subprocess.Popen(  # noqa: S603 - the package that is under test
                command(self._function),
                cwd=sandbox.unpack(self._function),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._watch = threading.Thread(target=self._wait, daemon=True)
        self._watch.start()

    def _wait(self) -> None:
        self._api.happened.put(Exited(self._popen.wait()))

    def initialize(self, request_id: str) -> Result | None:
        """Wait until the function's module is loaded; return the error where it is not."""
        happened = self._next(INIT_SECONDS)
        self.warm = isinstance(happened, Ready)
        if self.warm:
            return None
        self.kill()
        if isinstance(happened, Result):
            return happened
        return _ended(request_id, happened)

    def invoke(self, event: Any, request_id: str) -> Result:
        """Run one invocation; a process that does not end in time is killed."""
        name, role = self._function.function_name, self._function.role
        self.invocation = Invocation(name, role, request_id, None)
        seconds = float(self._function.timeout)
        self._api.give(self._job(event, request_id, seconds))
        happened = self._next(seconds)
        answered = isinstance(happened, Result)
        if not answered or not isinstance(self._next(FLUSH_SECONDS), Ready):
            self.kill()
        self.invocation = None
        if isinstance(happened, Result):
            return happened
        return _ended(request_id, happened, seconds)

    def _job(self, event: Any, request_id: str, seconds: float) -> Job:
        trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=1"
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self._function.function_arn,
            "Lambda-Runtime-Trace-Id": trace,
        }
        return Job(json.dumps(event).encode(), headers)

    def _next(self, seconds: float) -> Happened | None:
        try:
            return self._api.happened.get(timeout=seconds)
        except queue.Empty:
            return None

    def output(self) -> list[str]:
        """Return the lines that were written since this was last asked."""
        with self._output.open("rb") as written:
            written.seek(self._read)
            text = written.read()
        self._read += len(text)
        return text.decode("utf-8", "replace").splitlines()

    def kill(self) -> None:
        """End the process."""
        self.alive = False
        self._popen.kill()
        self._watch.join()
        self._stack.close()


def _ended(request_id: str, happened: Happened | None, seconds: float = INIT_SECONDS) -> Result:
    """Return what Lambda reports of a process that did not answer."""
    if not isinstance(happened, Exited):
        message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
        return killed("Sandbox.Timedout", message)
    how = "signal: killed" if happened.status < 0 else f"exit status {happened.status}"
    message = f"RequestId: {request_id} Error: Runtime exited with error: {how}"
    return killed("Runtime.ExitError", message)
