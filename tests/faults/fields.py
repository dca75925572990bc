"""The events that are run, each in a world of its own, without chance in their order."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from botocore.credentials import ReadOnlyCredentials

from chalicelib import playbook
from chalicelib.finding import Finding
from chalicelib.sources import read
from firebreak import replay
from firebreak.cloud import Cloud
from firebreak.cloud.engine import Engine, strands
from firebreak.cloud.queues import Mapped
from firebreak.event_files import events
from firebreak.stage import Stage, staged
from tests.faults.kinds import BY_A_PERSON

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "tests" / "events"
ACTED_ON = ("remediated", "awaiting_approval")


@dataclass(frozen=True, slots=True)
class Case:
    """One playbook and an event that it acts on."""

    playbook: str
    event: str


def cases() -> list[Case]:
    """Return every shipped playbook with every example that it acts on."""
    return [
        Case(name, example.event)
        for name, each in playbook.load(ROOT / "playbooks").items()
        for example in each.examples
        if example.decision in ACTED_ON
    ]


@dataclass(frozen=True, slots=True)
class Field:
    """A world in which nothing has happened yet: a stage, the event, and when executions move."""

    case: Case
    stage: Stage
    event: dict[str, Any]
    findings: Sequence[Finding]
    gate: threading.Event
    queue: Mapped
    person: ReadOnlyCredentials
    desk: set[int] = dataclasses.field(default_factory=set)  # numbers of calls a person made

    @property
    def accounts(self) -> list[str]:
        """Return the accounts in which something may change."""
        return sorted({finding.account for finding in self.findings})

    @contextmanager
    def person_at_work(self) -> Iterator[None]:
        """Let calls be a person's at the desk, which fail and are counted as any others."""
        calls = self.stage.cloud.calls
        began, token = len(calls), BY_A_PERSON.set(True)
        try:
            yield
        finally:
            BY_A_PERSON.reset(token)
            self.desk.update(range(began, len(calls)))

    def settle(self) -> None:
        """Let every execution go on until it has ended, or waits for a person."""
        self.gate.set()
        replay.settle(self.stage)
        for running in self.stage.cloud._engine.context.executions.values():
            execution = running.worker._execution_communication.execution
            if running.thread is not None and execution.status != "RUNNING":
                running.thread.join()


@contextmanager
def prepared(case: Case) -> Iterator[Field]:
    """Give a world prepared for a case: its queues, its API, and who approves."""
    gate = threading.Event()
    (file,) = events([EVENTS / case.event])
    reading = read(file.value)
    with ExitStack() as stack:
        stack.enter_context(in_order(gate))
        cloud = stack.enter_context(Cloud(replay.HOME))
        shipped = playbook.load(ROOT / "playbooks")[case.playbook]
        stage = stack.enter_context(staged(cloud, {case.playbook: shipped}))
        replay.prepare(stage, (reading,))
        stage.api_url()
        yield Field(
            case,
            stage,
            dict(reading.envelope),
            reading.findings,
            gate,
            stage.provide_queues(),
            replay.approver(stage),
        )


@contextmanager
def in_order(gate: threading.Event) -> Iterator[None]:
    """Run what runs side by side one after the other, and executions only once the gate is open.

    Every run of a case makes the same calls in the same order, so that a number names a call.
    """
    run = Engine._run

    def gated(engine: Engine, running: Any, program: Any) -> None:
        gate.wait()
        run(engine, running, program)

    with patch.object(Engine, "_run", gated), patch.object(strands.Fork, "join", one_by_one):
        yield


def one_by_one(fork: Any) -> None:
    """Run the branches of a fork one after the other."""
    if not fork._branches:
        return
    fork._activity.resume(len(fork._branches))
    for branch in fork._branches:
        thread = threading.Thread(target=fork._run, args=(branch,), daemon=True)
        fork.threads.append(thread)
        thread.start()
        thread.join()
    fork._parking.wait()
