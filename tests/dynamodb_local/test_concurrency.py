"""Many processes at once on Amazon's own engine: the gate, the chain, the admission.

The embedded AWS carries out one call at a time; here calls run side by side.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Barrier, Lock
from typing import Any

import pytest

from chalicelib import gates, intake, lifecycle
from chalicelib.audit import Entry, verify
from chalicelib.clock import Clock
from chalicelib.errors import Transient
from chalicelib.intake import DUPLICATE, STARTED
from chalicelib.runner.work import Desk
from chalicelib.table import ABSENT, ConditionFailed, Item, Put, Tables
from firebreak.stage import Stage
from tests.dynamodb_local.database import Engine, behind
from tests.worlds import finding_event, playbook, refusal, world

WRITERS = 12
KEY = gates.gate_key("test", "1" * 12, "us-east-1", "instance/i-1", {})


@pytest.fixture
def stage(dynamodb_local: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Give a stage whose tables lie in DynamoDB Local."""
    with behind(dynamodb_local, monkeypatch), world() as made:
        yield made


@dataclass(frozen=True)
class Machines:
    """Stand in for Step Functions: a name is started once, as AWS sees to."""

    desk: Desk
    started: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def home(self, service: str) -> Any:
        """Return a client of the home account."""
        return self if service == "stepfunctions" else self.desk.access.home(service)

    def client(self, *place: Any, **more: Any) -> Any:
        """Return a client for a place."""
        return self.desk.access.client(*place, **more)

    def start_execution(self, *, name: str, **_more: Any) -> dict[str, str]:
        """Start an execution. Raise AWS's error where one of its name was started."""
        with self.lock:
            if name in self.started:
                raise refusal("ExecutionAlreadyExists", "StartExecution")
            self.started.append(name)
        return {"executionArn": name}


def processes(stage: Stage, count: int) -> list[Tables]:
    """Return the tables as that many processes have them, each remembering for itself."""
    names = stage.settings.remediations_table, stage.settings.audit_table
    client = stage.cloud.session().client("dynamodb")
    return [Tables(client, *names, Clock()) for _ in range(count)]


def at_once(work: list[Callable[[], Any]]) -> list[Any]:
    """Return what several pieces of work come to that begin together."""
    begin = Barrier(len(work))

    def begun(each: Callable[[], Any]) -> Any:
        begin.wait()
        return each()

    with ThreadPoolExecutor(len(work)) as pool:
        return [each.result() for each in [pool.submit(begun, one) for one in work]]


def again(work: Callable[[], Any]) -> Any:
    """Return what work comes to that is done again while it may pass, as AWS does with events."""
    while True:
        try:
            return work()
        except Transient:
            continue


def test_writers_at_once_make_one_chain_without_a_gap(stage: Stage) -> None:
    """Every record is there once, in one chain, and every item it speaks of."""

    def writer(tables: Tables, name: int) -> Callable[[], None]:
        def write() -> None:
            for number in range(8):
                item = Item("P", f"{name}#{number}", {})
                entry = Entry("chain", "k", {"w": name}, {"n": number})
                again(lambda: tables.commit(entry, lambda _seq: [Put(item, ABSENT)]))  # noqa: B023

        return write

    at_once([writer(each, name) for name, each in enumerate(processes(stage, WRITERS))])
    records = stage.desk.tables.records("chain")

    assert (True, WRITERS * 8) == (verify(records, "chain").valid, len(records))
    said = Counter((record.who["w"], record.what["n"]) for record in records)
    assert {(name, number): 1 for name in range(WRITERS) for number in range(8)} == said
    assert WRITERS * 8 == len(stage.desk.tables.query("P"))


def test_of_all_at_one_gate_exactly_one_goes_through(stage: Stage) -> None:
    """Whoever read the same gate: one condition holds, each generation has one winner."""

    def entrant(tables: Tables, name: int) -> Callable[[], bool]:
        def enter() -> bool:
            opened = gates.put(gates.opened(before, f"r{name}"))
            try:
                tables.commit(Entry(f"r{name}", "admitted", {}, {}), lambda _seq: [opened])
            except ConditionFailed:
                return False
            return True

        return enter

    for generation in range(1, 6):
        before = gates.get(stage.desk.tables, KEY)
        made = processes(stage, WRITERS)
        won = at_once([entrant(each, name) for name, each in enumerate(made)])
        after = gates.get(stage.desk.tables, KEY)

        assert 1 == sum(won)
        assert (generation, f"r{won.index(True)}") == (after.generation, after.remediation)


def test_two_hundred_deliveries_of_one_finding_start_one_remediation(stage: Stage) -> None:
    """One is admitted and started, once; every other delivery is counted as its repeat."""
    desks = [replace(stage.desk, tables=each) for each in processes(stage, 200)]
    machines = Machines(stage.desk)
    event, playbooks = finding_event(), {"test": playbook()}

    def delivery(desk: Desk, number: int) -> Callable[[], Any]:
        ours: Any = replace(desk, access=machines)
        return lambda: again(
            lambda: intake.handle(ours, playbooks, copy.deepcopy(event), f"request-{number}")
        )

    handled = at_once([delivery(desk, number) for number, desk in enumerate(desks)])
    decisions = [decision for each in handled for decision in each.decisions]
    (identity,) = stage.desk.tables.remediation_ids()
    records = stage.desk.tables.records(identity)
    kinds = Counter(record.kind for record in records)
    head = lifecycle.head_of(stage.desk, identity)

    assert 200 == len(decisions)
    assert {STARTED, DUPLICATE} >= {decision.decision for decision in decisions}
    assert {identity} == {decision.remediation for decision in decisions}
    assert [identity] == machines.started
    assert (1, 1, True) == (kinds["admitted"], kinds["started"], head.started)
    assert verify(records, identity).valid
    assert kinds["repeat"] == gates.get(stage.desk.tables, head.gate).count >= 199
