"""The kill switch: nothing more is changed until it is turned off, and what waits is woken then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from chalicelib import tokens
from chalicelib.audit import Entry
from chalicelib.effect import JSON
from chalicelib.errors import Busy, Corrupt, Failed
from chalicelib.store import HALT, listing, load, short_hash
from chalicelib.table import (
    LEASED,
    SAME_OR_ABSENT,
    Check,
    ConditionFailed,
    Delete,
    Item,
    Operation,
    Put,
    Tables,
)
from chalicelib.text import shortened

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk

CHAIN = "CONTROL"  # the chain of decisions about the stage as a whole
RACES = 10
LONGEST = 1_000  # characters of a reason
RECONCILE: Mapping[str, JSON] = {"function": "reconcile"}


@dataclass(frozen=True, slots=True)
class Switch:
    """Hold the kill switch: whether it is on, why, who turned it last, and when (UTC)."""

    halted: bool = False
    reason: str = ""
    by: str = ""
    at: str = ""
    version: int = 0

    @property
    def said(self) -> str:
        """Say since when it is as it is, by whom, and why."""
        why = f": {self.reason}" if self.reason else ""
        return f"since {self.at or '?'} by {self.by or '?'}{why}"


# --- the switch -----------------------------------------------------------------------------------


def read(item: Item | None) -> Switch:
    """Return the switch that an item holds, off where there is none. Raise Corrupt for others."""
    return replace(load(Switch, item), version=item.version) if item else Switch()


def state(tables: Tables) -> Switch:
    """Return the kill switch as it is now."""
    (item,) = tables.get(HALT)
    return read(item)


def stored(tables: Tables) -> tuple[Switch, str]:
    """Return the kill switch for a person, and the condition under which it is written.

    One that cannot be read stops every step, so it is shown as on; turned off, it is written anew.
    """
    try:
        return state(tables), SAME_OR_ABSENT
    except Corrupt as wrong:
        return Switch(halted=True, reason=str(wrong)), ""


def is_halted(desk: Desk) -> bool:
    """Say whether the kill switch is on."""
    return state(desk.tables).halted


def halt(desk: Desk, reason: str, by: str) -> tuple[Switch, Switch]:
    """Turn the kill switch on; return it as it was before, and as it is now.

    Where it is on already nothing is changed: reason and person stay those of the first.
    """
    return _turned(desk, by, halted=True, reason=shortened(reason, LONGEST))


def resume(desk: Desk, by: str) -> tuple[Switch, int]:
    """Turn the kill switch off, and wake what waits; return the switch before, and how many woke.

    What a run before this one turned off but did not wake is woken. Raise Failed where the switch
    is off and nothing waits.
    """
    before, _ = _turned(desk, by, halted=False, reason="")
    if not before.halted and not listing.entries(desk.tables, listing.PARKED):
        raise Failed("nothing is halted, and no step waits: there is nothing to resume")
    return before, wake(desk, {"principal": by})


def _turned(desk: Desk, by: str, *, halted: bool, reason: str) -> tuple[Switch, Switch]:
    """Write the switch on the version that was read, with its record in the control chain."""
    for _ in range(RACES):
        before, same = stored(desk.tables)
        if before.halted == halted:
            return before, before
        after = Switch(halted, reason, by, desk.clock.now(), before.version + 1)
        put = Put(
            Item(*HALT, asdict(after), version=after.version),
            same,
            {"version": before.version},
        )
        what: dict[str, JSON] = {"reason": reason, "before": asdict(before), "after": asdict(after)}
        entry = Entry(CHAIN, "halted" if halted else "resumed", {"principal": by}, what)
        if _written(desk, entry, [put]):
            return before, after
    raise Busy("the kill switch is being turned by others")


def _written(desk: Desk, entry: Entry, operations: Sequence[Operation]) -> bool:
    """Write with a record; return False where a condition does not hold."""
    try:
        desk.tables.commit(entry, lambda _seq: operations)
    except ConditionFailed:
        return False
    return True


# --- what waits -----------------------------------------------------------------------------------


def keep(desk: Desk, entry: Entry, token: str, same: Check) -> bool:
    """List a step that waits, with its record; return False where what it rests on has changed.

    entry: of the remediation's chain; names step ("" for the undo pass) and index. same: holds
    while the remediation is as it was read. A step that waits anew replaces its own entry; the
    token's hash is the entry's owner, and tells one wait of a step from the next. The switch is to
    be read again afterwards: as a condition, hundreds that wait at once would contend for it.
    """
    remediation, what = entry.chain, entry.what
    key = f"{remediation}#{what['step']}#{what['index']:05d}"
    data = {"remediation": remediation, **what, "token": token, "at": desk.clock.now()}
    item = Item(*listing.place(listing.PARKED, key), data, owner=short_hash(token))
    return _written(desk, entry, [Put(item), same])


def waiting(tables: Tables, remediation: str) -> list[Item]:
    """Return the entries of a remediation's steps that wait."""
    pk, prefix = listing.place(listing.PARKED, f"{remediation}#")
    return tables.entries(pk, prefix)


def wake(
    desk: Desk, by: Mapping[str, JSON] = RECONCILE, over: Callable[[], bool] = lambda: False
) -> int:
    """Wake every step that waits though nothing is halted; return how many there were.

    over: says when there is no time for more. What is left then, or by one that died half-way, is
    woken by doing it again, or by each step's own look after an hour.
    """
    if is_halted(desk):
        return 0
    parked = listing.entries(desk.tables, listing.PARKED)
    return _woken(desk, by, takewhile(lambda _item: not over(), parked))


def wake_one(desk: Desk, remediation: str, by: Mapping[str, JSON]) -> int:
    """Let the steps of one remediation look again, halted or not; return how many did."""
    return _woken(desk, by, waiting(desk.tables, remediation))


def _woken(desk: Desk, by: Mapping[str, JSON], entries: Iterable[Item]) -> int:
    """Answer the tokens, each before its entry goes; a dead one goes as well.

    Raise Corrupt, after all others, for entries that cannot be read: their steps look themselves.
    """
    count, wrong = 0, []
    for item in entries:
        if not isinstance(item.data.get("token"), str):
            wrong.append(f"{item.pk} / {item.sk}")
            continue
        count += tokens.succeed(desk, str(item.data["token"]))
        what: dict[str, JSON] = {name: item.data[name] for name in ("step", "index")}
        entry = Entry(str(item.data["remediation"]), "woken", by, what)
        # Where it is another's by now, the step waits anew, or somebody else woke it.
        _written(desk, entry, [Delete(item.pk, item.sk, LEASED, {"owner": item.owner})])
    if wrong:
        raise Corrupt(f"{', '.join(wrong)}: no wait can be read there; {count} others were woken")
    return count
