"""Workers in threads of which one moves at a time, switched where they call AWS.

A schedule is data: how many calls the current worker makes, who is next, and whether the current
one dies before that. What is left over when it ends runs on, one worker after the other.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib import machine
from chalicelib.clock import Clock
from chalicelib.errors import StepFailed, Transient
from chalicelib.runner.work import Desk
from chalicelib.table import Tables
from firebreak.cloud import CallInfo, ProcessKilled

LIFE = 300.0  # seconds that a worker has, as Lambda gives a step
PAUSE = 20.0  # seconds after which what may pass is tried again
TRIES = 120  # as often as Step Functions would, and more
BEGIN = 1_800_000_000.0
PASSED_OVER = ("sts",)  # opening a session touches nothing that is shared


@dataclass(frozen=True)
class Switch:
    """Let the current worker make some calls, then another go on; the current one may be killed."""

    calls: int
    to: int
    kill: bool = False


class Abandoned(BaseException):
    """The test is over; a worker that still waits ends."""


@dataclass
class Worker:
    """Hold one worker: what it does, whether it may move, until when it lives and sleeps."""

    name: str
    work: Callable[[], object]
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    wake: float = 0.0
    deadline: float = 0.0
    doomed: BaseException | None = None
    done: bool = False
    failure: BaseException | None = None


@dataclass(frozen=True)
class Turns(Clock):
    """Tell the schedule's time; who sleeps lets the others go on."""

    schedule: Schedule

    def seconds(self) -> float:
        """Return seconds since 1970."""
        return self.schedule.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.schedule.sleep(seconds)


class Schedule:
    """Run workers of a stage as switches say; `watch` is consulted whenever one stands still."""

    def __init__(self, desk: Desk, switches: Sequence[Switch]) -> None:
        self.desk = desk
        self.now = BEGIN
        self.workers: list[Worker] = []
        self.clock = Turns(self)
        self.watch: Callable[[], None] = lambda: None
        self.seen: Callable[[CallInfo], None] = lambda _call: None
        self._switches = iter(switches)
        self._paused = threading.Semaphore(0)
        self._mine = threading.local()
        self._requests = itertools.count(1)

    # --- what workers do ---

    def add(self, name: str, work: Callable[[], object]) -> Worker:
        """Add a worker."""
        self.workers.append(Worker(name, work))
        return self.workers[-1]

    def ask(self, event: dict[str, Any]) -> dict[str, Any]:
        """Ask `run_step`, again where Step Functions would, each time in a new process."""
        for _ in range(TRIES):
            try:
                return self._asked(event)
            except StepFailed as failed:
                return {"status": "stopped", "reason": str(failed)}
            except (Transient, ProcessKilled):
                self.sleep(PAUSE)
        raise AssertionError(f"{event} never ends")

    def _asked(self, event: dict[str, Any]) -> dict[str, Any]:
        worker: Worker = self._mine.worker
        worker.deadline = self.now + LIFE
        try:
            return machine.handle(self._desk(), event, f"request-{next(self._requests)}", LIFE)
        finally:
            worker.deadline, worker.doomed = 0.0, None

    def _desk(self) -> Desk:
        """Return a desk as a new process has it: it remembers nothing of the tables."""
        settings, access = self.desk.settings, self.desk.access
        client = access.home("dynamodb")
        tables = Tables(client, settings.remediations_table, settings.audit_table, self.clock)
        return Desk(settings, tables, access, self.clock)

    def sleep(self, seconds: float) -> None:
        """Let a worker stand still until then; others go on meanwhile."""
        worker: Worker | None = getattr(self._mine, "worker", None)
        if worker is None:
            self.now += seconds
            return
        worker.wake = self.now + seconds
        self._stand_still(worker)

    @property
    def current(self) -> str:
        """Return the name of the worker that asks, "" where it is none."""
        worker: Worker | None = getattr(self._mine, "worker", None)
        return worker.name if worker else ""

    def quietly(self, work: Callable[[], object]) -> None:
        """Let a worker do something in one go."""
        worker, self._mine.worker = self._mine.worker, None
        try:
            work()
        finally:
            self._mine.worker = worker

    def hook(self, call: CallInfo) -> None:
        """Let a worker stand still before each of its calls."""
        worker: Worker | None = getattr(self._mine, "worker", None)
        if worker is not None and call.phase == "before" and call.service not in PASSED_OVER:
            self._stand_still(worker)
        self.seen(call)

    def _stand_still(self, worker: Worker) -> None:
        self._paused.release()
        worker.turn.acquire()
        if worker.doomed is None and 0.0 < worker.deadline < self.now:
            worker.doomed = ProcessKilled()
        if worker.doomed is not None:
            raise worker.doomed

    def _life(self, worker: Worker) -> None:
        self._mine.worker = worker
        worker.turn.acquire()
        try:
            worker.work()
        except BaseException as failure:  # noqa: BLE001  # raised again where the test sees it
            worker.failure = failure
        worker.done = True
        self._paused.release()

    # --- who moves ---

    def run(self) -> None:
        """Run all workers to their ends. Raise what one of them, or `watch`, raised."""
        threads = [threading.Thread(target=self._life, args=(each,)) for each in self.workers]
        for thread in threads:
            thread.start()
        try:
            self._all()
        finally:
            for worker in self.workers:
                worker.doomed = Abandoned()
                worker.turn.release()
            for thread in threads:
                thread.join()

    def _all(self) -> None:
        current, calls = self.workers[0], 0
        switch = next(self._switches, None)
        while live := [each for each in self.workers if not each.done]:
            if switch and (calls >= switch.calls or current.done):
                if switch.kill and current.deadline and not current.done:
                    self._move(current, ProcessKilled())
                current, calls = live[switch.to % len(live)], 0
                switch = next(self._switches, None)
                self.now = max(self.now, current.wake)
            elif current.done or current.wake > self.now:
                current = min(live, key=lambda each: max(each.wake, self.now))
                self.now = max(self.now, current.wake)
            if not current.done:
                self._move(current)
                calls += 1

    def _move(self, worker: Worker, doom: BaseException | None = None) -> None:
        """Let a worker go on to its next call, or die before it."""
        worker.doomed = doom
        worker.turn.release()
        self._paused.acquire()
        if worker.failure is not None:
            raise worker.failure
        self.watch()
