"""Remediations of throw-away actions on shared parameters, and what must hold of any schedule."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib import audit, effect, store
from chalicelib.effect import Call, Change, Effects
from chalicelib.runner.work import Desk
from chalicelib.table import NOBODY, Tables
from firebreak.cloud import CallInfo
from tests.interleavings.memory import Memory, MemoryAccess
from tests.interleavings.scheduler import Schedule, Switch
from tests.runner import bench as benches
from tests.runner.bench import MADE, TEXT, Bench, put, refused, register, running

VALUE, LEVEL, LIST = "a", "b", "c"  # the shared elements: a value, a level, a list of entries
BEFORE = {VALUE: "before", LEVEL: "3", LIST: '{"entries": ["kept"], "version": 1}'}
THEIRS = "theirs"  # what somebody else sets, or enters
OTHERS = "somebody else"


# --- a list that is written with a version, as many of AWS's documents are ------------------------


def versioned(aws: Any, name: str) -> tuple[Any, Any]:
    """Return the entries of a list, and its version."""
    found = json.loads(benches.read(aws, name) or "{}")
    return found["entries"], found["version"]


def rewritten(before: Any, after: Any, token: Any, name: str) -> Call:
    """Return the call that writes a list over the version that was read."""
    return put(name, json.dumps({"entries": after, "version": token + 1}))


def listed(aws: Any, *, name: str, element: str) -> Any:
    """Return whether a list has an entry."""
    return element in versioned(aws, name)[0] or None


def enter(aws: Any, name: str, element: str) -> Effects:
    """Enter an element into a list that others write too."""
    what = {"at": {"name": name}, "element": element}
    probe = MADE.listed(name=name, element=element)
    yield Change(probe, want=True, do=MADE.enter(**what), undo=MADE.leave(**what))
    return {}


@contextmanager
def bench() -> Iterator[Bench]:
    """Give a bench with a list besides its own elements."""
    with running() as made:
        edit = effect.editor(read=versioned, write=rewritten, stale=("ParameterLimitExceeded",))
        MADE.listed = effect.probe("test:listed:{name}:{element}")(listed)
        MADE.enter, MADE.leave = edit(entered), edit(left)
        register(enter, {"name": TEXT, "element": TEXT})
        yield InMemory(replace(made.stage, desk=in_memory(made.desk)))


class InMemory(Bench):
    """A bench of which a failing schedule shows no more than its name."""

    def __repr__(self) -> str:
        return "bench"


def in_memory(desk: Desk) -> Desk:
    """Return a desk whose tables and elements lie in memory."""
    access: Any = MemoryAccess(Memory())
    names = desk.settings.remediations_table, desk.settings.audit_table
    tables = Tables(access.home("dynamodb"), *names, desk.clock)
    return Desk(desk.settings, tables, access, desk.clock)


def entered(content: Any, *, element: str) -> Any:
    """Return the entries with an element."""
    return benches.add(content, element=element)


def left(content: Any, *, element: str) -> Any:
    """Return the entries without an element."""
    return benches.remove(content, element=element)


# --- what is done ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """Say what a remediation wants of a shared element."""

    action: str
    want: Any

    @property
    def step(self) -> dict[str, Any]:
        """Return the step of a playbook that has it done."""
        if self.action == "enter":
            return {"action": "enter", "with": {"name": LIST, "element": self.want}}
        name = VALUE if self.action == "set_value" else LEVEL
        return {"action": self.action, "with": {"name": name, "want": self.want}}

    def shows(self, live: Mapping[str, str]) -> bool:
        """Say whether live state is as wanted."""
        if self.action == "set_value":
            return live[VALUE] == self.want
        if self.action == "raise_level":
            return int(live[LEVEL]) >= self.want
        return self.want in json.loads(live[LIST])["entries"]


def assert_let_go(desk: Desk, identity: str, *, conflicts: bool = False) -> None:
    """Assert that a remediation's chain holds, and that it left no lease, hold or lock.

    conflicts: somebody else changed what it held, so that it may hold it still.
    """
    assert audit.verify(desk.tables.records(identity), identity).valid
    leases = desk.tables.query(store.partition(identity), "STEP#")
    assert all(item.owner == NOBODY for item in leases), leases
    for made in store.effects(desk.tables, identity):
        (item,) = desk.tables.get(store.hold_key(made.key))
        assert conflicts or made.state in ("undone", "failed") or made.kind != "change", made
        assert item is None or (conflicts and item.data["lock"] == ""), item


@dataclass(frozen=True)
class Part:
    """Say what one remediation wants, and for how long it holds it."""

    wanted: Wanted
    stays: float = 0.0


@dataclass
class Play:
    """Hold a bench, a schedule and what came of it: live state, who holds, what was written."""

    bench: Bench
    schedule: Schedule
    wants: dict[str, Wanted] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    intruded: str = ""
    read: dict[tuple[str, str], str] = field(default_factory=dict)
    log: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def memory(self) -> Memory:
        """Return where tables and elements lie."""
        found: Memory = self.bench.desk.access.memory
        return found

    @property
    def live(self) -> dict[str, str]:
        """Return the elements."""
        return self.memory.parameters

    # --- who takes part ---

    def admit(self, part: Part) -> None:
        """Record a remediation, and let a worker apply it and take it back."""
        identity = self.bench.admit(part.wanted.step)
        self.wants[identity] = part.wanted
        self.schedule.add(identity, lambda: self._come_and_go(identity, part.stays))

    def _come_and_go(self, identity: str, stays: float) -> None:
        event = {"do": "step", "remediation": identity, "step": "step", "pass": "apply"}
        if self.schedule.ask(event)["status"] == "done":
            self.held.add(identity)
        self.schedule.sleep(stays)
        self.held.discard(identity)
        while self.schedule.ask({"do": "undo", "remediation": identity})["more"]:
            pass

    def intrude(self, name: str) -> None:
        """Let somebody else change an element once, at some time."""
        self.intruded = name
        self.schedule.add(OTHERS, lambda: self._intrude(name))

    def _intrude(self, name: str) -> None:
        self.schedule.sleep(0.0)
        if name == LIST:
            found = json.loads(self.live[LIST])
            entries = [*found["entries"], THEIRS]
            to = json.dumps({"entries": entries, "version": found["version"] + 1})
        else:
            to = THEIRS if name == VALUE else "12"
        self.live[name] = to
        self.log.append((OTHERS, name, to))

    # --- what is seen ---

    def see(self, call: CallInfo) -> None:
        """Keep what a worker reads and writes; refuse a list written over another version."""
        name, worker = str(call.params.get("Name")), self.schedule.current
        if call.phase == "before" and call.operation == "PutParameter":
            self._before(call, name, worker)
        elif call.phase == "after" and call.operation == "GetParameter":
            self.read[worker, name] = self.live[name]
        elif call.phase == "after" and call.operation == "PutParameter":
            self.log.append((worker, name, self.live[name]))

    def _before(self, call: CallInfo, name: str, worker: str) -> None:
        to = str(call.params.get("Value"))
        if name == LIST and json.loads(to)["version"] != json.loads(self.live[LIST])["version"] + 1:
            raise refused("ParameterLimitExceeded")(call)
        overwritten = self.read.get((worker, name)) == THEIRS and to == BEFORE[name]
        assert not overwritten, f"{worker} put back {name}, which somebody else had changed"

    def watch(self) -> None:
        """Assert that what is held is as wanted, at any moment."""
        if not self.intruded:
            for identity in self.held:
                assert self.wants[identity].shows(self.live), (identity, self.live, self.log)

    # --- what is left ---

    def run(self) -> None:
        """Run all to their ends, and assert what must hold then."""
        self.schedule.seen, self.schedule.watch = self.see, self.watch
        self.memory.hook = self.schedule.hook
        self.schedule.run()
        for identity in self.wants:
            assert_let_go(self.bench.desk, identity, conflicts=bool(self.intruded))
        self._elements()

    def _elements(self) -> None:
        entries = json.loads(self.live[LIST])["entries"]
        theirs = [THEIRS] if self.intruded == LIST else []
        assert ["kept", *theirs] == entries, self.log
        for name in (VALUE, LEVEL):
            written = [(who, to) for who, about, to in self.log if about == name]
            twice = [b for a, b in itertools.pairwise(written) if a[1] == b[1] and b[0] != OTHERS]
            assert not twice, self.log
            if self.intruded != name:
                assert BEFORE[name] == self.live[name], self.log


def play(bench: Bench, parts: list[Part], switches: list[Switch], intruded: str = "") -> Play:
    """Let remediations come and go under a schedule, on elements as they were before."""
    memory: Memory = bench.desk.access.memory  # type: ignore[attr-defined]
    memory.tables.clear()
    memory.parameters.clear()
    memory.parameters.update(BEFORE)
    bench.desk.tables._heads.clear()
    made = Play(bench, Schedule(bench.desk, switches))
    for part in parts:
        made.admit(part)
    if intruded:
        made.intrude(intruded)
    made.run()
    return made
