from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.audit import Entry
from chalicelib.errors import Corrupt
from chalicelib.store import (
    CHUNK,
    Effect,
    Hold,
    Remediation,
    StepResult,
    effect_item,
    effects,
    finding_items,
    get_event,
    get_finding,
    get_remediation,
    hold_item,
    hold_key,
    keep_event,
    load,
    meta_item,
    pack,
    partition,
    pass_name,
    put_finding,
    result_item,
    results,
    step_sk,
    unpack,
)
from chalicelib.table import Item, Put, Tables
from firebreak.stage import Stage
from tests.worlds import head, world

MEGABYTE = 2**20
EFFECT = Effect("change", "key", "isolate", 0, 1, 7, "done", "isolate_instance")
HOLD = Hold("key", baseline=["sg-1"], wishes={"id/step#0": {"want": "x"}}, version=4)
RESULT = StepResult("isolate", 0, "isolate_instance", "done", facts={"n": 1})


@pytest.fixture
def stage(database: str) -> Iterator[Stage]:
    """Give a stage without playbooks, in each of the databases."""
    with world() as made:
        yield made


@pytest.fixture
def tables(stage: Stage) -> Tables:
    """Give the tables of a stage."""
    return stage.desk.tables


# --- findings -------------------------------------------------------------------------------------


def noise(size: int, seed: int = 0) -> str:
    """Return text that does not compress."""
    letters = [chr(number) for number in range(0x21, 0x7F)] + ["é", "😀", "\ud800"]
    return "".join(random.Random(seed).choices(letters, k=size))  # noqa: S311  # no secret


@pytest.mark.parametrize(
    ("document", "parts"),
    [
        ({"id": "small"}, 1),
        ({"same": "x" * MEGABYTE}, 1),
        ({"text": noise(MEGABYTE // 4)}, 1),
        ({"text": noise(MEGABYTE)}, 4),
        ({"list": [noise(100, seed) for seed in range(10_000)], "n": 10**30, "f": 0.1}, 4),
    ],
    ids=["small", "compressible", "256 KB", "1 MB", "1 MB of pieces"],
)
def test_a_finding_of_any_size_is_read_back(
    tables: Tables, document: dict[str, Any], parts: int
) -> None:
    """A finding lies in as many items as it needs, and comes back as it was."""
    made = put_finding(tables, "r", document)
    stored = tables.query(partition("r"), "FINDING#")

    assert made == len(stored) >= parts
    assert all(len(str(item.data["part"])) <= CHUNK for item in stored)
    assert document == get_finding(tables, head(id="r", finding_parts=made))


def test_a_large_finding_is_written_in_one_transaction(tables: Tables) -> None:
    """All parts of the largest event EventBridge carries are written with the head, or none is."""
    document = {"text": noise(MEGABYTE)}
    parts = finding_items("r", document)
    made = head(id="r", finding_parts=len(parts))
    tables.commit(
        Entry("r", "admitted", {}, {}), lambda _seq: [Put(meta_item(made)), *map(Put, parts)]
    )

    assert document == get_finding(tables, made)
    assert made == get_remediation(tables, "r")


ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=20)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
        lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
        max_leaves=10,
    )
)
def test_what_is_packed_is_unpacked(document: Any) -> None:
    """Any JSON value comes back from its parts, whatever letters it holds."""
    assert repr(sort(document)) == repr(sort(unpack(pack(document))))


def sort(value: Any) -> Any:
    """Return a value with the keys of its mappings in order."""
    if isinstance(value, dict):
        return {key: sort(value[key]) for key in sorted(value)}
    return [sort(each) for each in value] if isinstance(value, list) else value


def test_a_missing_part_is_named(tables: Tables) -> None:
    """A finding without one of its parts is corrupt, and the part is named."""
    made = head(id="r", finding_parts=put_finding(tables, "r", {"a": 1}) + 1)
    with pytest.raises(Corrupt, match="FINDING#001 is missing"):
        get_finding(tables, made)


@pytest.mark.parametrize(
    "data",
    [{"part": "!"}, {"part": "no base 85 \x00"}, {"part": pack({"a": 1})[0][:-4]}, {}, {"part": 1}],
    ids=["letter", "nul", "cut off", "absent", "number"],
)
def test_an_altered_part_is_corrupt(tables: Tables, data: dict[str, Any]) -> None:
    """A part that was changed is found by its checksum or before."""
    put_finding(tables, "r", {"a": 1})
    tables.put(Item(partition("r"), "FINDING#000", data))
    with pytest.raises(Corrupt, match="stored document"):
        get_finding(tables, head(id="r"))


def test_a_finding_that_is_no_object_is_corrupt(tables: Tables) -> None:
    """What was stored as a finding is an object."""
    put_finding(tables, "r", ["a"])
    with pytest.raises(Corrupt, match="no object"):
        get_finding(tables, head(id="r"))


def test_an_event_is_kept_and_found(tables: Tables) -> None:
    """Whatever came in is kept under the decision about it, as it was, however large."""
    for identity, event in (("event-1", {"detail": noise(MEGABYTE)}), ("event-2", "no JSON {")):
        keep_event(tables, identity, event)
        keep_event(tables, identity, event)
        assert event == get_event(tables, identity)

    assert get_event(tables, "event-3") is None


# --- items ----------------------------------------------------------------------------------------

STORED = [
    (Remediation, meta_item(head(playbook={"name": "p"}, plan={"hash": "h"}, version=3))),
    (Effect, effect_item("r", EFFECT)),
    (Hold, hold_item(HOLD)),
    (StepResult, result_item("r", "apply", RESULT)),
]


@pytest.mark.parametrize(("kind", "item"), STORED, ids=lambda each: getattr(each, "__name__", ""))
def test_what_is_stored_is_loaded(tables: Tables, kind: Any, item: Item) -> None:
    """Each kind of value comes back from its item."""
    tables.put(item)
    (read,) = tables.get((item.pk, item.sk))

    assert read is not None
    assert repr(load(kind, item)) == repr(load(kind, read)).replace("items=[]", "items=()")


@pytest.mark.parametrize(("kind", "item"), STORED, ids=lambda each: getattr(each, "__name__", ""))
def test_a_field_of_another_type_is_corrupt(kind: Any, item: Item) -> None:
    """Wherever a text, a number or an object stood, another kind of value is named as wrong."""
    for name, value in item.data.items():
        if type(value) not in (str, int, bool, dict):
            continue
        altered = replace(item, data={**item.data, name: ["altered"]})
        if name in ("before", "want", "after", "baseline", "standing"):
            assert load(kind, altered)  # live state may be anything
            continue
        with pytest.raises(Corrupt, match=name):
            load(kind, altered)


@pytest.mark.parametrize(("kind", "item"), STORED, ids=lambda each: getattr(each, "__name__", ""))
def test_a_missing_field_is_corrupt(kind: Any, item: Item) -> None:
    """What has no default has to be there; what is not known is left to a newer version."""
    assert load(kind, replace(item, data={**item.data, "newer": 1}))
    with pytest.raises(Corrupt, match="missing"):
        load(kind, replace(item, data={}))


def test_a_head_that_contradicts_its_item_is_corrupt() -> None:
    """Version and phase are compared in conditions: an item must not say two things of them."""
    item = meta_item(head())
    for changed in (replace(item, version=9), replace(item, phase="closed")):
        with pytest.raises(Corrupt, match="cannot be right"):
            load(Remediation, changed)


def test_a_hold_is_written_as_its_next_version() -> None:
    """The item of a hold is one version on, in its data too."""
    assert replace(HOLD, version=5) == load(Hold, hold_item(HOLD))
    assert hold_key("key") == (hold_item(HOLD).pk, hold_item(HOLD).sk)


def test_nothing_is_read_of_what_is_not_there(tables: Tables) -> None:
    """An unknown remediation is None, without effects and results."""
    assert get_remediation(tables, "r") is None
    assert [] == effects(tables, "r")
    assert [] == results(tables, "r", "apply")


def test_effects_come_in_the_order_of_their_intents(tables: Tables) -> None:
    """Effects are ordered by the record of their intent, not by key; a step's can be asked for."""
    for seq, step in ((9, "isolate"), (3, "isolate_more"), (10, "block"), (4, "isolate")):
        tables.put(effect_item("r", replace(EFFECT, seq=seq, step=step, key=f"key {seq}")))

    assert [3, 4, 9, 10] == [effect.seq for effect in effects(tables, "r")]
    assert [4, 9] == [effect.seq for effect in effects(tables, "r", "isolate")]


def test_the_same_effect_of_a_retried_step_has_the_same_key() -> None:
    """An effect is known by step, item, state-key and count, never by when it was made."""
    assert EFFECT.sk == replace(EFFECT, seq=99, state="intent", before="x").sk
    others = ({"step": "b"}, {"index": 1}, {"key": "k"}, {"n": 2})
    assert 5 == len({EFFECT.sk, *(replace(EFFECT, **each).sk for each in others)})
    assert "isolate#0" == EFFECT.wisher


def test_results_leave_out_steps_under_way(tables: Tables) -> None:
    """A step's item is its lease until it has a status; each pass has its own."""
    tables.put(result_item("r", "apply", RESULT))
    tables.put(Item(partition("r"), step_sk("apply", "block", 0), {"step": "block"}))
    tables.put(result_item("r", "plan1", replace(RESULT, status="planned")))

    assert ["done"] == [result.status for result in results(tables, "r", "apply")]
    assert ["planned"] == [result.status for result in results(tables, "r", "plan1")]
    assert [] == results(tables, "r", "plan")


def test_each_plan_is_a_pass_of_its_own() -> None:
    """Plans are numbered; apply is one pass."""
    made = head(plans=2)

    assert ["plan2", "apply"] == [pass_name(made, phase) for phase in ("plan", "apply")]
