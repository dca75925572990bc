"""The typed view of JSON: right values come back, wrong ones are rejected with their path."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import Rejected
from chalicelib.fields import Fields

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
READERS: list[Callable[[Fields], Any]] = [
    lambda at: at.text("a"),
    lambda at: at.identifier("a"),
    lambda at: at.number("a", least=0, most=10),
    lambda at: at.integer("a"),
    lambda at: at.flag("a"),
    lambda at: at.address("a"),
    lambda at: at.time("a"),
    lambda at: at.texts("a"),
    lambda at: [item.text("b") for item in at.each("a")],
    lambda at: at.child("a").text("b"),
]


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (Fields.text, "as it is\n"),
        (Fields.identifier, "i-0123"),
        (Fields.number, 8.5),
        (Fields.integer, 443),
        (Fields.flag, True),
        (Fields.address, "203.0.113.9"),
        (Fields.address, "2001:db8::1"),
        (Fields.time, "2026-03-02T10:20:00.123Z"),
        (Fields.texts, ["a", "b"]),
    ],
)
def test_right_values_come_back(read: Callable[[Fields, str], Any], value: Any) -> None:
    """A value of the right type is returned as it is."""
    assert read(Fields({"a": {"b": value}}), "a.b") == value


@pytest.mark.parametrize(
    ("read", "value", "reason"),
    [
        (Fields.text, 5, "has to be a text, not a number"),
        (Fields.text, None, "is missing"),
        (Fields.text, "x" * 1025, "is longer than 1024 characters"),
        (Fields.text, "\ud800", "holds half a surrogate pair, which is no text"),
        (Fields.identifier, "", "is missing"),
        (Fields.identifier, "a\nb", "holds a control character"),
        (Fields.number, "8", "has to be a number, not a text"),
        (Fields.number, True, "has to be a number, not true or false"),
        (Fields.number, math.nan, "has to be a finite number"),
        (Fields.number, math.inf, "has to be a finite number"),
        (Fields.number, 10**400, "is too large a number"),
        (Fields.integer, 1.5, "has to be a whole number"),
        (Fields.integer, False, "has to be a number, not true or false"),
        (Fields.flag, "true", "has to be true or false, not a text"),
        (Fields.flag, 1, "has to be true or false, not a number"),
        (Fields.address, 3221225985, "has to be a text, not a number"),
        (Fields.address, "198.51.100.0/24", "'198.51.100.0/24' is not an IP address"),
        (Fields.address, "198.051.100.1", "'198.051.100.1' is not an IP address"),
        (
            Fields.address,
            "fe80::1%eth0",
            "'fe80::1%eth0' is an address within a zone, which no rule can name",
        ),
        (Fields.time, "yesterday", "'yesterday' is not an ISO 8601 time"),
        (Fields.time, "2026-02-30T00:00:00Z", "'2026-02-30T00:00:00Z' is not an ISO 8601 time"),
        (
            Fields.time,
            "0001-01-01T00:00:00+09:00",
            "'0001-01-01T00:00:00+09:00' is not an ISO 8601 time",
        ),
        (Fields.texts, "a", "has to be a list, not a text"),
        (Fields.child, None, "is missing"),
    ],
)
def test_wrong_values_are_rejected(
    read: Callable[[Fields, str], Any], value: Any, reason: str
) -> None:
    """A wrong value is rejected with its dotted path and what is wrong."""
    with pytest.raises(Rejected) as caught:
        read(Fields({"b": value}, "detail.a"), "b")
    assert (caught.value.path, caught.value.reason) == ("detail.a.b", reason)


def test_a_member_of_something_else_is_rejected_where_it_is_wrong() -> None:
    """A path through a value that is no object is rejected at that value, also with a default."""
    with pytest.raises(Rejected) as caught:
        Fields({"a": [1]}).text("a.b.c", None)
    assert str(caught.value) == "a: has to be an object, not a list"


def test_the_whole_value_is_called_by_a_dollar() -> None:
    """A value that is wrong as a whole has no name, and is called `$`."""
    with pytest.raises(Rejected) as caught:
        Fields([]).text("a")
    assert caught.value.path == "$"


def test_defaults_stand_for_missing_and_null() -> None:
    """A default is returned for what is missing or null, never for what is wrong."""
    at = Fields({"null": None, "empty": "", "wrong": 5})
    assert (at.text("null", "x"), at.text("missing.deep", None)) == ("x", None)
    assert (at.text("empty", "x"), at.identifier("empty", "x")) == ("", "x")
    assert (at.address("empty", None), at.time("empty", None)) == (None, None)
    with pytest.raises(Rejected):
        at.text("wrong", "x")


def test_bounds_are_kept() -> None:
    """A number outside its bounds is rejected, and the reason names them."""
    at = Fields({"severity": 10.1, "port": 65535})
    assert at.integer("port", least=0, most=65535) == 65535
    with pytest.raises(Rejected, match=r"^severity: has to be from 0 to 10$"):
        at.number("severity", least=0, most=10)


def test_whole_numbers_may_be_written_with_a_point() -> None:
    """JSON does not tell 443.0 from 443."""
    assert Fields({"port": 443.0}).integer("port") == 443


def test_items_know_their_place() -> None:
    """Items of a list carry their index in the path; a missing list has no items."""
    at = Fields({"groups": [{"id": "sg-1"}, {"id": 2}]})
    assert [item.path for item in at.each("groups")] == ["groups[0]", "groups[1]"]
    assert list(at.each("missing")) == []
    with pytest.raises(Rejected) as caught:
        [item.text("id") for item in at.each("groups")]
    assert caught.value.path == "groups[1].id"


def test_optional_and_at() -> None:
    """`optional` is None for what is not there; `at` views it, and all is missing in it."""
    at = Fields({"here": {"a": 1}})
    assert at.optional("gone") is None
    assert at.optional("here") == Fields({"a": 1}, "here")
    assert at.at("gone.deeper") == Fields(None, "gone.deeper")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:0DB8:0:0::1", "2001:db8::1"),
    ],
)
def test_addresses_have_one_spelling(text: str, address: str) -> None:
    """One address has one spelling, and IPv4 carried in IPv6 is IPv4."""
    assert Fields(text).address() == address


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-02T10:20:00.000000+0000", "2026-03-02T10:20:00Z"),
        ("2026-03-02T10:20:00+02:00", "2026-03-02T08:20:00Z"),
        ("2026-03-02 10:20:00.123456789", "2026-03-02T10:20:00.123456Z"),
    ],
)
def test_times_are_in_utc(text: str, time: str) -> None:
    """A time with another offset, or with none, is turned into UTC."""
    assert Fields(text).time() == time


@given(value=JSON)
def test_any_json_is_read_or_rejected(value: Any) -> None:
    """Whatever the value is, a reader returns or raises Rejected."""
    for read in READERS:
        try:
            read(Fields({"a": value}))
        except Rejected as rejected:
            assert rejected.path.startswith("a")
