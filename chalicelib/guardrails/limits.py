"""How many remediations go by themselves; past that a person is asked, until one re-arms.

Only what would be enforced is counted. What is observed or waits for a person anyway changes
nothing by itself; whoever can have such findings made must not be able to use up a limit with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from chalicelib import durations, telling
from chalicelib.audit import Entry
from chalicelib.effect import JSON
from chalicelib.errors import Busy, Corrupt, Failed
from chalicelib.finding import Finding
from chalicelib.guardrails.configuration import Configuration
from chalicelib.guardrails.modes import Permit
from chalicelib.halting import CHAIN
from chalicelib.playbook import Limit, Playbook
from chalicelib.store import load
from chalicelib.table import (
    LEASE_FREE,
    LEASED,
    NOBODY,
    SAME_OR_ABSENT,
    SAME_VERSION,
    ConditionFailed,
    Item,
    Operation,
    Put,
    Tables,
)

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk

PARTITION, ALARMS = "LIMIT", "ALARM"
TRIP = {"at", "id", "playbook", "target"}  # what is kept of a trip
LARGEST = 1_000  # what a window may hold, which its item has to hold
RACES = 10
TOLD, FOREVER = "told", 10**11
PATIENCE = 60  # seconds for which who tells of a trip is waited for; longer than on_event runs


@dataclass(frozen=True, slots=True)
class Window:
    """Name what is counted: at most `count` in the last `per` seconds.

    distinct: each target is counted once, however many remediations it has.
    """

    name: str
    count: int
    per: int
    distinct: bool = False

    @property
    def said(self) -> str:
        """Say how many in how long."""
        return f"{self.count} per {durations.text(self.per)}"


@dataclass(frozen=True, slots=True)
class State:
    """Hold what a window has counted: when, by remediation, or by target where it is distinct.

    count, per: as they were when it was last written. tripped: at which time, by which remediation
    of which playbook; empty while it is armed.
    """

    name: str
    count: int
    per: int
    times: Mapping[str, float] = field(default_factory=dict)
    tripped: Mapping[str, str] = field(default_factory=dict)
    version: int = 0

    @property
    def said(self) -> str:
        """Say how many in how long."""
        return f"{self.count} per {durations.text(self.per)}"

    def within(self, now: float) -> dict[str, float]:
        """Return what the window holds at a time."""
        return {key: at for key, at in self.times.items() if at > now - self.per}


@dataclass(frozen=True, slots=True)
class Counted:
    """Hold the permit within the limits, the writes that count one more, and what is tripped."""

    permit: Permit
    operations: tuple[Operation, ...] = ()
    tripped: tuple[State, ...] = ()


def windows(
    configuration: Configuration, playbook: Playbook, finding: Finding
) -> tuple[Window, ...]:
    """Return what a remediation counts towards, besides shares of a fleet."""
    return windows_of(configuration, playbook, finding.account, finding.resource.kind)


def windows_of(
    configuration: Configuration, playbook: Playbook, account: str, kind: str
) -> tuple[Window, ...]:
    """Return what a remediation in an account, about a kind of resource, counts towards."""
    limits: dict[str, Limit | None] = {
        f"playbook/{playbook.name}": playbook.guardrails.limit,
        f"account/{account}": configuration.account,
        f"kind/{kind}": configuration.kinds.get(kind),
        "total": configuration.total,
    }
    return tuple(
        Window(name, limit.count, limit.per) for name, limit in limits.items() if limit is not None
    )


def counted(
    desk: Desk, permit: Permit, found: Sequence[Window], remediation: Mapping[str, str]
) -> Counted:
    """Return the permit within its limits, and the writes that count it or trip what is full.

    remediation: its id, playbook and target. A window that is tripped is not written: admissions do
    not contend for it any more. The others' writes hold on the versions that were read, so that of
    two admissions at once both are counted. Where one cannot be read, a person is asked.
    """
    if permit.mode != "enforce" or not found:
        return Counted(permit)
    try:
        states = _states(desk.tables, found)
    except Corrupt as wrong:
        return Counted(permit.lowered("approve", f"a limit cannot be read: {wrong}"))
    if tripped := tuple(state for state in states if state.tripped):
        return Counted(permit.lowered("approve", _why(tripped)), (), tripped)
    now = round(desk.clock.seconds(), 3)
    pairs = [
        (window, state, remediation["target" if window.distinct else "id"])
        for window, state in zip(found, states, strict=True)
    ]
    full = [state for window, state, key in pairs if _is_full(window, state, key, now)]
    if not full:
        return Counted(permit, tuple(_put(_with(state, key, now)) for _, state, key in pairs))
    trip = {"at": desk.clock.now(), **remediation}
    tripped = tuple(replace(state, times=state.within(now), tripped=trip) for state in full)
    return Counted(permit.lowered("approve", _why(tripped)), tuple(map(_put, tripped)), tripped)


def _states(tables: Tables, found: Sequence[Window]) -> list[State]:
    items = tables.get(*((PARTITION, window.name) for window in found))
    return [
        replace(
            _state(item) if item else State(window.name, 0, 0), count=window.count, per=window.per
        )
        for window, item in zip(found, items, strict=True)
    ]


def _state(item: Item) -> State:
    """Return what an item says of its window. Raise Corrupt where that cannot be right."""
    state = replace(load(State, item), version=item.version)
    held = {name for name, value in state.tripped.items() if isinstance(value, str)}
    numbers = all(type(at) in (int, float) for at in state.times.values())
    if not numbers or (state.tripped and not held >= TRIP) or state.name != item.sk:
        raise Corrupt(f"item {item.pk} / {item.sk}: what it counted cannot be right")
    return state


def _is_full(window: Window, state: State, key: str, now: float) -> bool:
    within = state.within(now)
    return key not in within and len(within) >= window.count


def _with(state: State, key: str, now: float) -> State:
    return replace(state, times={**state.within(now), key: now})


def _put(state: State) -> Put:
    after = replace(state, version=state.version + 1)
    item = Item(PARTITION, state.name, asdict(after), version=after.version)
    return Put(item, SAME_OR_ABSENT, {"version": state.version})


def _why(tripped: Iterable[State]) -> str:
    names = ", ".join(f"{state.name} ({state.said})" for state in tripped)
    return f"past the limit of {names}, which stays tripped until a person re-arms it"


# --- a person is told, once -----------------------------------------------------------------------


def sound(desk: Desk, tripped: Iterable[State], owner: str) -> None:
    """Tell people of each trip that they were not told of yet; of many who try, one does.

    Who tells holds a lease on it. Where that fails, or dies, the next one who comes tells.
    """
    for state in tripped:
        key = f"{state.name}#{state.tripped['id']}"
        (item,) = desk.tables.get((ALARMS, key))
        if not (item and item.owner == TOLD):
            _sound(desk, state, key, owner)


def _sound(desk: Desk, state: State, key: str, owner: str) -> None:
    now = int(desk.clock.seconds())
    lease = Item(ALARMS, key, {}, owner=owner, expires=now + PATIENCE)
    values: dict[str, str | int] = {"owner": owner, "nobody": NOBODY, "now": now}
    if not desk.tables.put_where(lease, LEASE_FREE, values):
        return
    told = telling.tripped(desk, state.name, state.said, state.tripped)
    ended = replace(lease, owner=TOLD, expires=FOREVER) if told else replace(lease, owner=NOBODY)
    desk.tables.put_where(ended, LEASED, {"owner": owner})


# --- at the desk ----------------------------------------------------------------------------------


def read(tables: Tables) -> tuple[list[State], list[Corrupt]]:
    """Return every window that has counted anything, by name, and what cannot be read of them."""
    found: list[State] = []
    wrong: list[Corrupt] = []
    for item in tables.entries(PARTITION):
        try:
            found.append(_state(item))
        except Corrupt as damaged:
            wrong.append(damaged)
    return found, wrong


def states(tables: Tables) -> list[State]:
    """Return every window that has counted anything and can be read, by name."""
    return read(tables)[0]


def tripped_by(tables: Tables, remediation: str) -> list[State]:
    """Return the windows that a remediation tripped, and that are so still."""
    return [state for state in states(tables) if state.tripped.get("id") == remediation]


def rearm(desk: Desk, name: str, by: Mapping[str, JSON], reason: str = "") -> State:
    """Let remediations go by themselves again, on record; the window begins empty.

    Return what was tripped; a window that cannot be read is made anew. Raise Failed where nothing
    of that name is.
    """
    for _ in range(RACES):
        state, same = _stored(desk.tables, name)
        if not state.tripped:
            raise Failed(
                f"limit {name!r:.100} is not tripped: firebreak limits names those that are"
            )
        after = replace(state, times={}, tripped={}, version=state.version + 1)
        put = Put(
            Item(PARTITION, name, asdict(after), version=after.version),
            same,
            {"version": state.version},
        )
        what: dict[str, JSON] = {"limit": name, "reason": reason, "tripped": dict(state.tripped)}
        entry = Entry(CHAIN, "rearmed", by, what)
        try:
            desk.tables.commit(entry, lambda _seq, written=put: [written])  # type: ignore[misc]  # bound per turn
        except ConditionFailed:
            continue
        return state
    raise Busy(f"limit {name} is being changed by others")


def _stored(tables: Tables, name: str) -> tuple[State, str]:
    """Return a window, and the condition to write it under: none where it cannot be read."""
    try:
        (item,) = tables.get((PARTITION, name))
        return (_state(item) if item else State(name, 0, 0)), SAME_VERSION
    except Corrupt as wrong:
        return State(name, 0, 0, tripped={"at": "?", "reason": str(wrong)}), ""
