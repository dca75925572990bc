"""An action's effects as a plan: the calls it would make, without making one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.actions import Action
from chalicelib.effect import (
    CLOSE,
    JSON,
    OPEN,
    REGISTRY,
    Call,
    Change,
    Edit,
    Effect,
    Fixture,
    Message,
    canonical,
    canonical_text,
    holds_placeholder,
    placeholder,
    satisfies,
)
from chalicelib.runner.calling import described
from chalicelib.runner.reading import Depends, LiveReader, PlanReader

Item = dict[str, JSON]


@dataclass
class Plan:
    """Collect what an action would do, and what later steps will find after it.

    items: one per effect. wanted: what each element would be. stands_for: values that may differ
    until the plan is applied, such as a fixture's id, and the placeholder that hashes in their
    stead. documents: what shared documents would be after the edits so far. fixtures: those that
    were asked for, by their keys.
    """

    reader: PlanReader
    items: list[Item] = field(default_factory=list)
    wanted: dict[str, JSON] = field(default_factory=dict)
    stands_for: dict[str, str] = field(default_factory=dict)
    documents: dict[str, JSON] = field(default_factory=dict)
    fixtures: dict[str, JSON] = field(default_factory=dict)
    facts: Mapping[str, JSON] = field(default_factory=dict)


def plan(
    action: Action, params: Mapping[str, JSON], live: LiveReader, earlier: Mapping[str, JSON]
) -> Plan:
    """Return what an action would do after what earlier steps of the plan want.

    Raise the action's own Outcome, and botocore's errors from its reads.
    """
    fields = {name: getattr(live, name) for name in LiveReader.__dataclass_fields__}
    made = Plan(PlanReader(**fields, planned=dict(earlier)))
    if holds_placeholder(params):
        made.items.append(_depends("a parameter is known once an earlier step ran"))
        return made
    generator = action.run(made.reader, **params)
    value: JSON = None
    try:
        while True:
            value = _step(made, generator.send(value))
    except StopIteration as stop:
        made.facts = canonical(stop.value or {})
    except Depends as depends:
        made.items.append(_depends(str(depends)))
    return made


def _depends(why: str) -> Item:
    return {"kind": "depends", "key": "", "op": "depends", "want": why}


def _step(made: Plan, effect: Effect) -> JSON:
    if isinstance(effect, Fixture):
        return _fixture(made, effect)
    if isinstance(effect, Change):
        return _change(made, effect)
    if isinstance(effect, Message):
        made.items.append(_item("message", effect.key, _operation(effect.do), None, effect.do))
        return True
    key = made.reader.key(effect.probe)
    made.items.append(_item("evidence", key, _operation(effect.do), None, effect.do))
    return placeholder(effect.probe.key)


def _change(made: Plan, change: Change) -> JSON:
    key = made.reader.key(change.probe)
    live = made.wanted[key] if key in made.wanted else made.reader.look(change.probe)
    want = canonical(change.want)
    if satisfies(change.probe.order, live, want):
        made.wanted[key] = live
        made.items.append(_item("change", key, "none", want, None) | {"before": live})
        return live
    made.wanted[key] = want
    call = _resolved(made, change.do)
    item = _item("change", key, _operation(change.do), want, call)
    undo = change.undo.document() if change.undo else None
    made.items.append(item | {"before": live, "undo": undo, "final": change.final})
    return want


def _fixture(made: Plan, fixture: Fixture) -> JSON:
    key = made.reader.key(fixture)
    if key not in made.fixtures:
        made.fixtures[key] = _new_fixture(made, fixture, key)
    return made.fixtures[key]


def _new_fixture(made: Plan, fixture: Fixture, key: str) -> JSON:
    state = REGISTRY.fixtures[fixture.name](made.reader, **fixture.args)
    name = placeholder(fixture.key)
    if isinstance(state.value, str) and not holds_placeholder(state.value):
        made.stands_for[state.value] = name
    if state.calls:
        calls = [described(call) for call in state.calls]
        made.items.append(
            {"kind": "fixture", "key": key, "op": "fixture", "want": None, "calls": calls}
        )
    return name if state.value is None else state.value


def _resolved(made: Plan, do: Call | Edit) -> Call | None:
    """Return the call an effect would come to, after the plan's earlier edits of the document."""
    if isinstance(do, Call):
        return do
    editor = REGISTRY.editors[do.editor]
    where = canonical_text([editor.read.__module__, editor.read.__qualname__, do.at])
    if where in made.documents:
        before, token = made.documents[where], placeholder("token")
    else:
        before, token = editor.read(made.reader, **do.at)
    after = editor.change(before, **do.args)
    made.documents[where] = after
    return editor.write(before, after, token, **do.at)


def _operation(do: Call | Edit) -> str:
    return do.editor if isinstance(do, Edit) else f"{do.service}.{do.operation}"


def _item(kind: str, key: str, op: str, want: JSON, call: Call | None) -> Item:
    document = described(call) if call else None
    return {"kind": kind, "key": key, "op": op, "want": canonical(want), "call": document}


def identity(
    items: Iterable[Mapping[str, JSON]], stands_for: Mapping[str, str]
) -> list[list[JSON]]:
    """Return what a plan is compared by: sorted rows of state-key, operation, wanted value.

    A fixture is left out: whether it stands already changes nothing that was approved. Lists count
    as sets, as a fixture's id and the placeholder in its stead sort differently.
    """
    names = sorted(stands_for.items(), key=lambda pair: -len(pair[0]))
    rows = [
        [_replaced(item["key"], names), item["op"], _replaced(item["want"], names)]
        for item in items
        if item["kind"] != "fixture"
    ]
    return sorted(rows, key=canonical_text)


def _replaced(value: JSON, names: list[tuple[str, str]]) -> JSON:
    if isinstance(value, str):
        for real, name in names:
            value = value.replace(real, name)
        return value
    if isinstance(value, Mapping):
        return {_replaced(k, names): _replaced(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return sorted((_replaced(each, names) for each in value), key=canonical_text)
    return value


def plan_hash(rows: JSON) -> str:
    """Return the SHA-256 that stands for a plan where a person is shown one."""
    return hashlib.sha256(canonical_text(rows).encode("utf-8", "surrogatepass")).hexdigest()


def readable(value: JSON) -> JSON:
    """Return a plan's values with placeholders as people read them: `<name>`."""
    if isinstance(value, str):
        return value.replace(OPEN, "<").replace(CLOSE, ">")
    if isinstance(value, Mapping):
        return {readable(k): readable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [readable(each) for each in value]
    return value
