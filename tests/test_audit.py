from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.audit import GENESIS, Entry, Record, Verdict, digest, seal, verify

QUICK = settings(max_examples=150, deadline=None)
AT = "2026-11-21T00:00:00.000Z"


def chain(name: str = "c", length: int = 4) -> list[Record]:
    """Return a chain of records."""
    records: list[Record] = []
    for number in range(length):
        what = {"n": number, "deep": {"list": [1, "two", None, {"x": True}], "text": "é\ud800"}}
        entry = Entry(name, "kind", {"function": "f", "request": f"r{number}"}, what)
        records.append(seal(entry, records[-1] if records else None, AT))
    return records


def changed(number: int, **fields: Any) -> Callable[[list[Record]], list[Record]]:
    """Return a way to change fields of one record."""

    def change(records: list[Record]) -> list[Record]:
        records[number] = replace(records[number], **fields)
        return records

    return change


def resealed(records: list[Record]) -> list[Record]:
    """Change a record and make its own hash right again."""
    altered = replace(records[1], what={"n": "another"})
    records[1] = replace(altered, hash=digest(asdict(altered)))
    return records


def swapped(records: list[Record]) -> list[Record]:
    """Put a record of another chain, whole in itself, in the place of one."""
    records[2] = chain("d")[2]
    return records


BROKEN: list[tuple[str, Callable[[list[Record]], list[Record]], int, str]] = [
    ("the first is missing", lambda r: r[1:], 2, "record 1 is missing"),
    ("one is missing", lambda r: r[:1] + r[2:], 3, "record 2 is missing"),
    ("two are reordered", lambda r: [r[0], r[2], r[1], r[3]], 3, "record 2 is missing"),
    ("one is there twice", lambda r: [r[0], r[1], r[1], r[2]], 2, "record 3 is missing"),
    ("one is inserted", lambda r: [*r[:2], chain("c", 3)[2], *r[2:]], 3, "record 4 is missing"),
    ("of another chain", swapped, 3, "of another chain"),
    ("text changed", changed(1, what={"n": 2}), 2, "altered"),
    ("who changed", changed(1, who={}), 2, "altered"),
    ("kind changed", changed(1, kind="other"), 2, "altered"),
    ("time changed", changed(1, at="2027-01-01T00:00:00.000Z"), 2, "altered"),
    ("hash changed", changed(3, hash=GENESIS), 4, "altered"),
    ("hash changed in the middle", changed(1, hash=GENESIS), 2, "altered"),
    ("prev_hash changed", changed(1, prev_hash=GENESIS), 2, "does not follow"),
    ("first does not begin", changed(0, prev_hash="1" * 64), 1, "does not follow"),
    ("changed and sealed again", resealed, 3, "does not follow"),
    ("chain renamed", changed(0, chain="d"), 1, "altered"),
]


@pytest.mark.parametrize(("name", "change", "seq", "reason"), BROKEN, ids=[b[0] for b in BROKEN])
def test_a_broken_chain_is_found(
    name: str, change: Callable[[list[Record]], list[Record]], seq: int, reason: str
) -> None:
    """A change is found at the record where it shows, and said."""
    verdict = verify(change(chain()))

    assert (False, seq) == (verdict.valid, verdict.seq)
    assert reason in verdict.reason
    assert str(verdict).startswith(f"broken at {seq}: ")


def test_an_unbroken_chain_is_valid() -> None:
    """A chain as it was written holds, and says how long it is."""
    assert Verdict(True, 4) == verify(chain())
    assert "valid" == str(verify(chain(), "c"))


def test_no_record_is_no_chain() -> None:
    """A chain without records is not valid: somebody expected one."""
    assert Verdict(False, 0, None, "the chain has no record") == verify([])


def test_a_whole_chain_of_another_name_is_found() -> None:
    """Where it is known whose chain it is, another one in its place is found."""
    verdict = verify(chain("d"), "c")

    assert (False, 1, "the record is of another chain") == (
        verdict.valid,
        verdict.seq,
        verdict.reason,
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a record, its own fields included."""
    if isinstance(value, dict):
        inside = list(value.items())
    else:
        inside = list(enumerate(value)) if isinstance(value, list) else []
    below = [place for key, inner in inside for place in places(inner, (*path, key))]
    return [path, *below] if path else below


FIELDS = [asdict(record) for record in chain()]
PLACES = [(number, path) for number, each in enumerate(FIELDS) for path in places(each)]
OTHER = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(), st.integers(), max_size=2)
)


@QUICK
@given(st.sampled_from(PLACES), OTHER)
def test_any_single_change_of_any_value_is_found(place: tuple[int, Any], other: Any) -> None:
    """Whatever value of whatever record is replaced by another, the chain is broken."""
    number, path = place
    fields = copy.deepcopy(FIELDS)
    holder: Any = fields[number]
    for part in path[:-1]:
        holder = holder[part]
    same = type(holder[path[-1]]) is type(other) and holder[path[-1]] == other
    holder[path[-1]] = other

    assert same == verify([Record(**each) for each in fields]).valid


@QUICK
@given(st.integers(0, 3), st.text(max_size=5), OTHER)
def test_any_value_added_or_removed_is_found(number: int, name: str, value: Any) -> None:
    """A field put into what a record says, or taken out of it, breaks the chain."""
    added, removed = copy.deepcopy(FIELDS), copy.deepcopy(FIELDS)
    added[number]["what"][f"new-{name}"] = value
    del removed[number]["what"]["n"]

    for fields in (added, removed):
        assert number + 1 == verify([Record(**each) for each in fields]).seq


@QUICK
@given(st.permutations(range(4)), st.sets(st.integers(0, 2)))
def test_any_other_order_and_any_gap_is_found(order: list[int], missing: set[int]) -> None:
    """Records that are not all there, each once and in their order, are no chain.

    What is cut off at the end is not seen in a chain alone: a remediation's items know its length.
    """
    records = chain()
    kept = [records[number] for number in order if number not in missing]
    whole = [record.seq for record in kept] == list(range(1, len(kept) + 1))

    assert whole == verify(kept).valid


def test_a_record_covers_what_sets_and_tuples_mean() -> None:
    """A record is sealed over the JSON that is stored, whatever it was made of."""
    plain = seal(Entry("c", "k", {}, {"s": [1, 2], "t": [3]}), None, AT)

    assert plain == seal(Entry("c", "k", {}, {"s": {2, 1}, "t": (3,)}), None, AT)
