"""What is stored of a remediation: head, finding, steps, effects, and the holds on elements."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

from chalicelib.effect import JSON, canonical_text
from chalicelib.errors import Corrupt
from chalicelib.table import Item, Tables

CHUNK = 300_000  # characters; an item holds at most 400 KB, its keys and attributes included

PHASES = ("plan", "wait", "apply", "undo", "closed")
HALT = ("CONTROL", "HALT")


@dataclass(frozen=True, slots=True)
class Remediation:
    """Hold one playbook's work on one target.

    phase: which pass may write (the fence). status: `open`, then how it was closed. plan: the hash
    of the plan that was shown, once there is one; plans: how many were made before. decision: what
    a person said of it. undo: what a roll-back was told and how each change fared. finding_parts:
    how many items the finding lies in.
    """

    id: str
    playbook: Mapping[str, JSON]
    finding_parts: int
    finding_id: str
    account: str
    region: str
    partition: str
    target: str
    gate: str
    generation: int
    mode: str
    why: str
    created_at: str
    phase: str = "apply"
    status: str = "open"
    plan: Mapping[str, JSON] = field(default_factory=dict)
    plans: int = 0
    token: str = ""
    waits_until: int = 0
    decision: Mapping[str, JSON] = field(default_factory=dict)
    started: bool = False
    reason: str = ""
    undo: Mapping[str, JSON] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True, slots=True)
class StepResult:
    """Hold how one step (or one item of it) ended in one pass."""

    step: str
    index: int
    action: str
    status: str
    reason: str = ""
    facts: Mapping[str, JSON] = field(default_factory=dict)
    items: tuple[Mapping[str, JSON], ...] = ()  # of a plan: what would be done


@dataclass(frozen=True, slots=True)
class Effect:
    """Hold one effect of a step: intended, made, taken back.

    key: the state-key with account and region. n: which of that key in the step. seq: the number of
    the audit record of its intent, which orders effects. state: `intent`, `done`, `failed`,
    `undoing`, `undone`. call: what was called, None where live state was right already.
    """

    kind: str
    key: str
    step: str
    index: int
    n: int
    seq: int
    state: str
    action: str
    probe: Mapping[str, JSON] | None = None
    order: str = "equal"
    settles: int = 0
    before: JSON = None
    want: JSON = None
    after: JSON = None
    do: Mapping[str, JSON] | None = None
    undo: Mapping[str, JSON] | None = None
    final: str | None = None
    not_before: float = 0.0
    call: Mapping[str, JSON] | None = None
    verified: bool = False
    result: str = ""
    waypoint: bool = False
    account: str = ""
    region: str = ""
    params: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def sk(self) -> str:
        """Return the sort key: the same for the same effect of a retried step."""
        return f"EFFECT#{self.step}#{self.index}#{short_hash(self.key)}#{self.n}"

    @property
    def wisher(self) -> str:
        """Return under which name this effect's step wishes on a hold."""
        return f"{self.step}#{self.index}"


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold what several remediations want of one state-key, and the way back to before them all.

    wishes: by `remediation/step#index`, each {want, order, do}. standing: what Firebreak last saw
    there after acting. lock: which wish is being worked on, until `locked_until`.
    """

    key: str
    baseline: JSON = None
    undo: Mapping[str, JSON] | None = None
    standing: JSON = None
    wishes: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    lock: str = ""
    locked_until: int = 0
    version: int = 0


Stored = TypeVar("Stored", Remediation, StepResult, Effect, Hold)


def short_hash(text: str) -> str:
    """Return 24 hex digits that stand for a text of any length."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def partition(remediation: str) -> str:
    """Return the partition key of a remediation's items."""
    return f"REMEDIATION#{remediation}"


def pass_name(remediation: Remediation, phase: str) -> str:
    """Return the name of a pass as its items carry it: each plan has its own, apply is one."""
    return f"plan{remediation.plans}" if phase == "plan" else phase


def step_sk(phase: str, step: str, index: int) -> str:
    """Return the sort key of a step's item in a pass: its lease, then its result."""
    return f"STEP#{phase}#{step}#{index:05d}"


def hold_key(key: str) -> tuple[str, str]:
    """Return the key of a hold's item."""
    return f"HOLD#{short_hash(key)}", "HOLD"


def meta_item(remediation: Remediation) -> Item:
    """Return the remediation's head as an item."""
    return Item(
        partition(remediation.id),
        "META",
        asdict(remediation),
        version=remediation.version,
        phase=remediation.phase,
    )


def effect_item(remediation: str, effect: Effect) -> Item:
    """Return an effect as an item."""
    return Item(partition(remediation), effect.sk, asdict(effect))


def hold_item(hold: Hold) -> Item:
    """Return a hold as the item of its next version."""
    pk, sk = hold_key(hold.key)
    return Item(pk, sk, asdict(replace(hold, version=hold.version + 1)), version=hold.version + 1)


def result_item(remediation: str, phase: str, result: StepResult) -> Item:
    """Return a step's result as the item that ends its lease."""
    sk = step_sk(phase, result.step, result.index)
    return Item(partition(remediation), sk, asdict(result))


def load(kind: type[Stored], item: Item) -> Stored:
    """Return what an item holds. Raise Corrupt where that is not of this kind."""
    names = {each.name for each in fields(kind)}
    try:
        return kind(**{name: value for name, value in item.data.items() if name in names})
    except (TypeError, AttributeError) as wrong:
        raise Corrupt(f"item {item.pk} / {item.sk}: {wrong}") from wrong


# --- findings -------------------------------------------------------------------------------------


def pack(document: JSON) -> list[str]:
    """Return a JSON value, compressed, as texts that each fit an item."""
    packed = zlib.compress(canonical_text(document).encode("utf-8", "surrogatepass"), 6)
    encoded = base64.b85encode(packed).decode()
    return [encoded[at : at + CHUNK] for at in range(0, len(encoded), CHUNK)]


def unpack(parts: list[str]) -> JSON:
    """Return the JSON value that `pack` made texts of. Raise Corrupt for anything else."""
    try:
        packed = base64.b85decode("".join(parts))
        return json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))
    except (ValueError, zlib.error) as wrong:
        raise Corrupt(f"stored finding: {wrong}") from wrong


def part_key(remediation: str, part: int) -> tuple[str, str]:
    """Return the key of one part of a remediation's finding."""
    return partition(remediation), f"FINDING#{part:03d}"


def put_finding(tables: Tables, remediation: str, document: JSON) -> int:
    """Write a finding's parts; return how many. Writing them again writes the same."""
    parts = pack(document)
    for number, part in enumerate(parts):
        pk, sk = part_key(remediation, number)
        tables.put(Item(pk, sk, {"part": part}))
    return len(parts)


def get_finding(tables: Tables, remediation: Remediation) -> Mapping[str, Any]:
    """Return the finding's document. Raise Corrupt where a part is missing."""
    keys = [part_key(remediation.id, number) for number in range(remediation.finding_parts)]
    items = tables.get(*keys)
    missing = [key[1] for key, item in zip(keys, items, strict=True) if item is None]
    if missing:
        raise Corrupt(f"remediation {remediation.id}: {', '.join(missing)} is missing")
    stored = unpack([str(item.data["part"]) for item in items if item])
    if not isinstance(stored, dict):
        raise Corrupt(f"remediation {remediation.id}: the stored finding is no object")
    return stored


def get_remediation(tables: Tables, identity: str) -> Remediation | None:
    """Return a remediation's head, or None where there is none of that id."""
    (item,) = tables.get((partition(identity), "META"))
    return load(Remediation, item) if item else None


def effects(tables: Tables, remediation: str, step: str = "") -> list[Effect]:
    """Return a remediation's effects, or one step's, in the order of their intents."""
    prefix = f"EFFECT#{step}#" if step else "EFFECT#"
    found = [load(Effect, item) for item in tables.query(partition(remediation), prefix)]
    return sorted(found, key=lambda effect: (effect.seq, effect.sk))


def results(tables: Tables, remediation: str, phase: str) -> list[StepResult]:
    """Return how a remediation's steps ended in one pass; steps under way are left out."""
    items = tables.query(partition(remediation), f"STEP#{phase}#")
    return [load(StepResult, item) for item in items if item.data.get("status")]
