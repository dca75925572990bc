"""Commands as a person runs them at a desk, against a stage in the embedded AWS."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from click.testing import CliRunner, Result

from chalicelib import lifecycle, playbook, wiring
from chalicelib.clock import Clock
from chalicelib.playbook import Playbook
from chalicelib.store import Remediation
from firebreak.cli import firebreak
from firebreak.cloud import Cloud
from firebreak.cloud.calls import CallInfo
from firebreak.event_files import events
from firebreak.replay import HOME, Options, deliver, settle
from firebreak.stage import Stage, staged
from tests.worlds import DESK

EVENTS = Path(__file__).parent / "events"
PLAYBOOKS = playbook.load(playbook.FOLDER)
OURS = ("dynamodb", "states", "stepfunctions", "sts", "lambda")
READS = ("Describe", "Get", "List", "Head", "Search")


@dataclass(frozen=True, slots=True)
class Waiting(Clock):
    """Tell the embedded time; who waits at the desk lets the machines go on."""

    stage: Stage
    looks: list[float]

    def seconds(self) -> float:
        """Return the stage's time."""
        return self.stage.desk.clock.seconds()

    def sleep(self, seconds: float) -> None:
        """Let every execution go on until it ends or waits."""
        self.looks.append(seconds)
        assert len(self.looks) < 50, "it is waited for without end"
        settle(self.stage)


@contextmanager
def at_desk(stage: Stage) -> Iterator[None]:
    """Let the commands of this thread wait for the machines, whose own time is left alone."""
    waiting = replace(stage.desk, clock=Waiting(stage, []))
    before = wiring.ours

    def ours() -> object:
        here = threading.current_thread() is threading.main_thread()
        return waiting if here else stage.desk

    wiring.ours = ours  # type: ignore[assignment]  # put back below
    try:
        yield
    finally:
        wiring.ours = before


@contextmanager
def office(
    playbooks: Mapping[str, Playbook] | None = None, /, **environment: str
) -> Iterator[Stage]:
    """Give a stage with these playbooks, the project's own if not given, and a desk before it."""
    variables = {f"FIREBREAK_{name}": value for name, value in environment.items()}
    known = PLAYBOOKS if playbooks is None else playbooks
    with (
        Cloud(HOME) as cloud,
        staged(cloud, known, variables, machines=False, trusted=DESK) as stage,
        at_desk(stage),
    ):
        yield stage


def run(*arguments: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(firebreak, list(arguments))


def deliver_event(stage: Stage, name: str) -> str:
    """Deliver a recorded event whose scene is made; return the remediation it started."""
    (event,) = events([EVENTS / name])
    (decision,) = deliver(stage, event, Options()).decisions
    return str(decision["remediation"])


def head_of(stage: Stage, identity: str) -> Remediation:
    """Return a remediation's head."""
    return lifecycle.head_of(stage.desk, identity)


def changing(call: CallInfo) -> bool:
    """Say whether a function's call changes anything beside Firebreak's own records."""
    return bool(call.function and call.service not in OURS and not call.operation.startswith(READS))


def changed_by(stage: Stage, since: int = 0) -> list[str]:
    """Return what functions called that changes anything, in order."""
    return [call.operation for call in stage.cloud.calls[since:] if changing(call)]
