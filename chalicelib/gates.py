"""Gates: one remediation at a time for one playbook and one target, whatever delivers the event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from chalicelib.effect import JSON, canonical_text
from chalicelib.playbook import from_document
from chalicelib.store import Remediation, load, short_hash
from chalicelib.table import SAME_OR_ABSENT, SAME_VERSION, Check, Item, Operation, Put, Tables

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk

OPEN, SHUT, RELEASED, AJAR = "open", "shut", "released", "ajar"
SHUTTING = ("contained",)  # what keeps a gate shut until its cool-down is over
RELEASING = ("rolled_back", "partly_rolled_back")  # a person took it back: ask before acting again
KEY = 1_000  # characters of a key that are kept; an event can name thousands of addresses


@dataclass(frozen=True, slots=True)
class Gate:
    """Hold who went through last.

    state: `open` while a remediation is under way, `shut` after it contained its target, until
    `expires` (seconds since 1970); `released` after a person took it back or said no; `ajar`
    otherwise. released: whether it was so before it was opened.
    generation: how many went through. count: how many repeats were turned away since. severity: of
    the finding that went through last.
    """

    key: str
    state: str = AJAR
    remediation: str = ""
    generation: int = 0
    expires: int = 0
    count: int = 0
    released: bool = False
    severity: float = 0.0
    version: int = 0

    def turns_away(self, now: float, severity: float = 0.0) -> bool:
        """Say whether a finding is a repeat, and starts nothing; one that is worse is none."""
        if severity > self.severity:
            return False
        return self.state == OPEN or (self.state == SHUT and now < self.expires)

    @property
    def asks(self) -> bool:
        """Say whether a person decided against acting, and nobody for it since."""
        return self.state == RELEASED or (self.state == OPEN and self.released)


def gate_key(
    playbook: str, account: str, region: str, target: JSON, indicators: Mapping[str, JSON]
) -> str:
    """Return what makes two events the same work: playbook, place, target, indicators."""
    text = canonical_text([playbook, account, region, target, indicators])
    return text if len(text) <= KEY else f"{text[:KEY]}…{short_hash(text)}"


def remediation_id(key: str, generation: int) -> str:
    """Return the id of a gate's n-th remediation, which is its execution's name too."""
    return short_hash(f"{key}#{generation}")


def place_of(key: str) -> tuple[str, str]:
    """Return the key of a gate's item."""
    return f"GATE#{short_hash(key)}", "GATE"


def opened(gate: Gate, remediation: str, severity: float = 0.0) -> Gate:
    """Return a gate that a remediation goes through as the next one."""
    generation = gate.generation + 1
    return replace(
        gate,
        state=OPEN,
        remediation=remediation,
        generation=generation,
        count=0,
        released=gate.asks,
        severity=severity,
    )


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
    """Return a gate as stored; one that nobody went through where there is none."""
    (item,) = tables.get(place_of(key))
    return load(Gate, item) if item else Gate(key)


def closing(desk: Desk, head: Remediation) -> list[Operation]:
    """Return what closing a remediation does to its gate, if it is the one that went in."""
    gate = get(desk.tables, head.gate)
    if gate.remediation != head.id:
        version = {"version": gate.version}
        return [Check(*place_of(head.gate), SAME_VERSION, version)] if gate.version else []
    if head.status in SHUTTING:
        cooldown = from_document(head.playbook).guardrails.cooldown
        expires = int(desk.clock.seconds()) + cooldown
        return [put(replace(gate, state=SHUT, expires=expires))]
    return [put(replace(gate, state=RELEASED if _released(gate, head) else AJAR))]


def _released(gate: Gate, head: Remediation) -> bool:
    """Say whether a person decided against acting, and nobody for it since."""
    said = head.decision.get("decision")
    undone = head.status in RELEASING and not head.undo.get("unattended")
    meanwhile = undone or gate.state == RELEASED  # since it was closed before
    return meanwhile or said == "denied" or (gate.released and said != "approved")


def taking_back(desk: Desk, head: Remediation) -> list[Operation]:
    """Return what the beginning of a person's roll-back does to the gate.

    What is taken back shows to its source at once; from then on a repeat asks.
    """
    gate = get(desk.tables, head.gate)
    mine = gate.remediation == head.id and gate.state != OPEN
    return [put(replace(gate, state=RELEASED))] if mine else []
