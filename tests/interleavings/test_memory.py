"""The tables in memory decide as DynamoDB does."""

from __future__ import annotations

import pytest

from chalicelib.audit import Entry, verify
from chalicelib.clock import Clock
from chalicelib.table import ConditionFailed, Delete, Item, Put, Tables
from tests import test_table
from tests.interleavings.memory import Database, Memory
from tests.test_table import CONDITIONS, ITEM


@pytest.fixture
def tables() -> Tables:
    """Give tables in memory."""
    return Tables(Database(Memory()), "remediations", "audit", Clock())


@pytest.mark.parametrize(("condition", "values", "there", "absent"), CONDITIONS)
def test_a_condition_decides(
    tables: Tables, condition: str, values: dict[str, str | int], *, there: bool, absent: bool
) -> None:
    """Each condition holds for exactly the items it is about, in puts and in transactions."""
    test_table.test_a_condition_decides(tables, condition, values, there=there, absent=absent)


def test_a_transaction_is_whole_or_not_at_all(tables: Tables) -> None:
    """Where one condition fails nothing is written, no record either, and its item is named."""
    test_table.test_a_transaction_is_whole_or_not_at_all(tables)


def test_what_is_written_is_read(tables: Tables) -> None:
    """Items come back by key and by prefix in order, records in a chain that holds."""
    tables.put(ITEM)
    for number in range(11):
        put = Put(Item("P", f"B#{number:02d}", {}))
        tables.commit(Entry("c", "k", {}, {}), lambda _seq, put=put: [put, Delete("P", "A")])  # type: ignore[misc]

    assert [None, Item("P", "B#01", {})] == tables.get(("P", "A"), ("P", "B#01"))
    assert [f"B#{number:02d}" for number in range(11)] == [
        item.sk for item in tables.query("P", "B#")
    ]
    assert (True, 11) == ((found := verify(tables.records("c"))).valid, found.records)
    with pytest.raises(ConditionFailed):
        tables.commit(Entry("c", "k", {}, {}), lambda _seq: [Put(ITEM, "version = :v", {"v": 1})])
