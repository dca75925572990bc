"""What the replaced parts of the engine share: executions, tokens, the logical clock."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from firebreak.cloud.engine.strands import Activity
from firebreak.cloud.engine.tokens import Tokens


@dataclass
class Running:
    """An execution, the thread it runs in and the count of what moves in it."""

    arn: str
    account: str
    region: str
    activity: Activity
    worker: Any
    thread: threading.Thread | None = None


class Context:
    """The state of a world's engine; each strand knows the execution it belongs to."""

    def __init__(self) -> None:
        self.executions: dict[str, Running] = {}
        self.tokens = Tokens()
        self.waited: list[tuple[str, float]] = []
        self._strand = threading.local()

    def enter(self, running: Running) -> None:
        """Say that the calling thread is a strand of an execution."""
        self._strand.running = running

    def running(self) -> Running:
        """Return the execution whose strand is calling."""
        current: Running = self._strand.running
        return current

    def role(self) -> str:
        """Return the ARN of the role of the machine whose strand is calling; "" in no strand."""
        current = getattr(self._strand, "running", None)
        return str(current.worker._evaluation_details.execution_details.role_arn) if current else ""

    def pass_time(self, state: str, seconds: float) -> None:
        """Let time pass, on the logical clock only."""
        self.waited.append((state, seconds))
