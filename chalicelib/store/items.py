"""Where what is stored of a remediation lies, and how it is made of its items again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from chalicelib.errors import Corrupt
from chalicelib.store.values import Effect, Hold, Remediation, StepResult, short_hash
from chalicelib.table import Item, Tables

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Stored = TypeVar("Stored", bound=DataclassInstance)

PLAIN: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "Mapping": (dict,),
}


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
    known = {each.name: str(each.type) for each in fields(kind)}
    held = {name: value for name, value in item.data.items() if name in known}
    wrong = [name for name, value in held.items() if not _fits(value, known[name])]
    compared = {"version": item.version, "phase": item.phase}
    wrong += [name for name, value in compared.items() if held.get(name, value) != value]
    if wrong:
        raise Corrupt(f"item {item.pk} / {item.sk}: {', '.join(wrong)} cannot be right")
    try:
        return kind(**held)
    except TypeError as missing:
        raise Corrupt(f"item {item.pk} / {item.sk}: {missing}") from missing


def _fits(value: Any, annotation: str) -> bool:
    """Say whether a JSON value may stand in a field; fields of JSON take any."""
    name, _, optional = annotation.partition(" | ")
    types = PLAIN.get(name.partition("[")[0])
    return types is None or type(value) in types or (optional == "None" and value is None)


def get_remediation(tables: Tables, identity: str) -> Remediation | None:
    """Return a remediation's head, or None where there is none of that id."""
    (item,) = tables.get((partition(identity), "META"))
    return _sound(item) if item else None


def _sound(item: Item) -> Remediation:
    """Return the head that an item holds. Raise Corrupt where a part of a part cannot be right."""
    head = load(Remediation, item)
    wrong = [name for name in ("name", "steps", "match") if name not in head.playbook]
    wrong += [f"due.{what}" for what, at in head.due.items() if type(at) is not int]
    numbers = ("number", "machine_version")
    wrong += [f"undo.{each}" for each in numbers if type(head.undo.get(each, 0)) is not int]
    if wrong:
        raise Corrupt(f"item {item.pk} / {item.sk}: {', '.join(wrong)} cannot be right")
    return head


def effects(tables: Tables, remediation: str, step: str = "") -> list[Effect]:
    """Return a remediation's effects, or one step's, in the order of their intents."""
    prefix = f"EFFECT#{step}#" if step else "EFFECT#"
    found = [load(Effect, item) for item in tables.query(partition(remediation), prefix)]
    return sorted(found, key=lambda effect: (effect.seq, effect.sk))


def results(tables: Tables, remediation: str, phase: str) -> list[StepResult]:
    """Return how a remediation's steps ended in one pass; steps under way are left out."""
    items = tables.query(partition(remediation), f"STEP#{phase}#")
    return [load(StepResult, item) for item in items if item.data.get("status")]
