"""What scheduled work remembers: what people were told already, and how far it came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chalicelib.audit import Entry
from chalicelib.effect import JSON
from chalicelib.runner.work import Desk
from chalicelib.store import short_hash
from chalicelib.table import ABSENT, ConditionFailed, Delete, Item, Put

KEPT = 90 * 86_400  # seconds until a memory may be tidied up


@dataclass(frozen=True, slots=True)
class Matter:
    """Name something that people are told once: its key, and the record that they were."""

    key: str
    chain: str
    kind: str
    what: Mapping[str, JSON]

    @property
    def place(self) -> tuple[str, str]:
        """Return the key of its item."""
        return f"TOLD#{short_hash(self.key)}", "TOLD"


def once(
    desk: Desk, matter: Matter, by: Mapping[str, JSON], tell: Callable[[], bool] = lambda: True
) -> bool:
    """Tell of a matter and record it, unless that was done before; say whether it was now.

    What could not be told is not recorded, and told the next time.
    """
    if desk.tables.get(matter.place)[0] is not None or not tell():
        return False
    until = int(desk.clock.seconds()) + KEPT
    put = Put(Item(*matter.place, {"key": matter.key}, expires=until), ABSENT)
    entry = Entry(matter.chain, matter.kind, by, matter.what)
    try:
        desk.tables.commit(entry, lambda _seq: [put])
    except ConditionFailed:
        return False  # another told of it at the same time
    return True


def over(desk: Desk, matter: Matter, by: Mapping[str, JSON]) -> bool:
    """Forget a matter that is over, so that it is told when it begins anew; say whether it was."""
    if desk.tables.get(matter.place)[0] is None:
        return False
    gone = Delete(*matter.place)
    desk.tables.commit(Entry(matter.chain, matter.kind, by, matter.what), lambda _seq: [gone])
    return True


def known(desk: Desk, key: str) -> bool:
    """Say whether a key was remembered."""
    return desk.tables.get(_seen(key))[0] is not None


def remember(desk: Desk, key: str) -> None:
    """Remember a key; the record of what was done stands elsewhere."""
    until = int(desk.clock.seconds()) + KEPT
    desk.tables.put(Item(*_seen(key), {"key": key}, expires=until))


def _seen(key: str) -> tuple[str, str]:
    return f"SEEN#{short_hash(key)}", "SEEN"


def cursor(desk: Desk, name: str) -> str:
    """Return how far the work of this name came, "" where it begins."""
    (item,) = desk.tables.get((f"CURSOR#{name}", "CURSOR"))
    return str(item.data.get("at", "")) if item else ""


def come_to(desk: Desk, name: str, at: str) -> None:
    """Note how far the work of this name came: no state of anything, so without a record."""
    desk.tables.put(Item(f"CURSOR#{name}", "CURSOR", {"at": at}))
