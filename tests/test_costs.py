"""What a finding uses, as the benchmark of costs counts it."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from functools import cache

import pytest

from benchmarks import bench_cost
from benchmarks.metering import Usage
from benchmarks.prices import PRICES
from benchmarks.request_units import item_size, units


@cache
def measured(kind: str) -> Usage:
    with contextlib.redirect_stdout(io.StringIO()):
        return bench_cost.measured(kind)


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"pk": {"S": "abc"}}, 2 + 3),
        ({"ü": {"S": "ü"}}, 2 + 2),
        ({"n": {"N": "1234"}}, 1 + 3),
        ({"n": {"N": "-100"}}, 1 + 2),
        ({"b": {"B": b"12345"}}, 1 + 5),
        ({"t": {"BOOL": True}, "u": {"NULL": True}}, 2 + 2),
        ({"m": {"M": {"a": {"S": "b"}}}}, 1 + 3 + 1 + 2),
        ({"l": {"L": [{"S": "a"}, {"S": "b"}]}}, 1 + 3 + 2 + 2),
        ({"s": {"SS": ["a", "bc"]}}, 1 + 3),
    ],
)
def test_sizes_are_counted_as_dynamodb_counts_them(item: dict[str, object], size: int) -> None:
    """Names and texts in UTF-8, two digits a byte, three bytes and one an element for documents."""
    assert size == item_size(item)


@pytest.mark.parametrize(("size", "count"), [(0, 1), (1, 1), (1_024, 1), (1_025, 2), (3_000, 3)])
def test_units_are_rounded_up(size: int, count: int) -> None:
    """A kilobyte that is begun counts whole, and what is not there counts too."""
    assert count == units(size, 1)


def test_each_audit_record_is_two_objects() -> None:
    """What is kept outside is billed by the record, however many come in a batch."""
    for kind in ("not matched", "repeat", bench_cost.INSTANCE):
        usage = measured(kind)
        assert usage.billed["s3_puts"] == 2 * usage.invocations["keep_audit"]


def test_what_is_not_contained_starts_no_execution() -> None:
    """A finding that matches nothing is one record; a repeat is counted, and nothing else."""
    for kind in ("not matched", "repeat"):
        usage = measured(kind)
        assert 0 == usage.billed["transitions"]
        assert Counter({"on_event": 1, "keep_audit": 1}) == usage.invocations


def test_an_instance_that_is_contained_uses_each_service() -> None:
    """Its execution enters a state for each step and more, and one message goes out."""
    usage = measured(bench_cost.INSTANCE)

    assert usage.invocations["run_step"] < usage.billed["transitions"]
    assert usage.billed["write_units"] > usage.calls["dynamodb"]
    assert 1 == usage.billed["sns_publishes"]
    assert usage.stored > 0


def test_a_mix_is_the_sum_of_its_parts() -> None:
    """Dollars are quantities times prices, and a thousand cost a thousand times one."""
    kinds = {kind: measured(kind) for kind in ("not matched", "repeat")}

    mixed = bench_cost.mixed(kinds, {"not matched": 900, "repeat": 100})
    parts = 900 * kinds["not matched"].dollars() + 100 * kinds["repeat"].dollars()

    assert parts == pytest.approx(mixed.dollars())
    assert set(mixed.billed) <= set(PRICES)
