"""Gates: one remediation at a time for one playbook and one target, whatever delivers the event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING

from chalicelib.effect import JSON, canonical_text
from chalicelib.errors import Corrupt
from chalicelib.playbook import from_document
from chalicelib.store import Remediation, short_hash
from chalicelib.table import SAME_OR_ABSENT, Check, Item, Operation, Put, Tables

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk

OPEN, SHUT, RELEASED, AJAR = "open", "shut", "released", "ajar"
SHUTTING = ("contained",)  # what keeps a gate shut until its cool-down is over
RELEASING = ("rolled_back", "partly_rolled_back")  # a person took it back: ask before acting again


@dataclass(frozen=True, slots=True)
class Gate:
    """Hold who went through last.

    state: `open` while a remediation is under way, `shut` after it contained its target, until
    `expires` (seconds since 1970); `released` after a person took it back; `ajar` otherwise.
    generation: how many went through. count: how many repeats were turned away since.
    """

    key: str
    state: str = AJAR
    remediation: str = ""
    generation: int = 0
    expires: int = 0
    count: int = 0
    version: int = 0

    def turns_away(self, now: float) -> bool:
        """Say whether a repeat is one, and starts nothing."""
        return self.state == OPEN or (self.state == SHUT and now < self.expires)


def gate_key(
    playbook: str, account: str, region: str, target: JSON, indicators: Mapping[str, JSON]
) -> str:
    """Return what makes two events the same work: playbook, place, target, indicators."""
    return canonical_text([playbook, account, region, target, indicators])


def remediation_id(key: str, generation: int) -> str:
    """Return the id of a gate's n-th remediation, which is its execution's name too."""
    return short_hash(f"{key}#{generation}")


def place_of(key: str) -> tuple[str, str]:
    """Return the key of a gate's item."""
    return f"GATE#{short_hash(key)}", "GATE"


def load(item: Item | None, key: str) -> Gate:
    """Return a gate as stored; one that nobody went through where there is none."""
    if item is None:
        return Gate(key)
    names = {each.name for each in fields(Gate)}
    try:
        return Gate(**{name: value for name, value in item.data.items() if name in names})
    except (TypeError, AttributeError) as wrong:
        raise Corrupt(f"gate {item.pk}: {wrong}") from wrong


def put(gate: Gate) -> Operation:
    """Return the write of a gate's next version, on the version that was read."""
    after = replace(gate, version=gate.version + 1)
    pk, sk = place_of(gate.key)
    return Put(
        Item(pk, sk, asdict(after), version=after.version),
        SAME_OR_ABSENT,
        {"version": gate.version},
    )


def get(tables: Tables, key: str) -> Gate:
    """Return a gate."""
    (item,) = tables.get(place_of(key))
    return load(item, key)


def closing(desk: Desk, head: Remediation) -> list[Operation]:
    """Return what closing a remediation does to its gate, if it is the one that went in."""
    gate = get(desk.tables, head.gate)
    if gate.remediation != head.id:
        pk, sk = place_of(head.gate)
        return (
            [Check(pk, sk, "version = :version", {"version": gate.version})] if gate.version else []
        )
    if head.status in SHUTTING:
        cooldown = from_document(head.playbook).guardrails.cooldown
        expires = int(desk.clock.seconds()) + cooldown
        return [put(replace(gate, state=SHUT, expires=expires))]
    return [put(replace(gate, state=RELEASED if head.status in RELEASING else AJAR))]
