"""Event patterns: what they accept, what they refuse, and how many are matched at once."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chalicelib.errors import InvalidPattern, Rejected
from chalicelib.pattern import EventPattern, PatternSet
from chalicelib.pattern.flatten import Leaves
from chalicelib.pattern.match import holds
from chalicelib.pattern.parse import Alternative

IPV4 = "198.51.100.7"
IPV6 = "2001:db8::7"
BIG = 12345678901234567890123  # no 64-bit float equals it


def accepts(values: list[Any], value: object) -> bool:
    """Tell whether a field with these values in the pattern accepts the value."""
    return EventPattern({"field": values}).matches({"field": value})


def json_of(case: object) -> str:
    """Name a case."""
    return json.dumps(case, default=str)[:60]


# One line for each operator: the values of the pattern's field, what they accept, what they don't.
OPERATORS: list[tuple[list[Any], list[Any], list[Any]]] = [
    (["ec2"], ["ec2", ["s3", "ec2"], [["ec2"]]], ["EC2", "ec", "ec22", None, [], {"ec2": "ec2"}]),
    (["a", "b"], ["a", "b", ["x", "b"]], ["c", "ab"]),
    ([""], [""], [None, " ", []]),
    ([None], [None, [1, None]], ["null", "", [], 0, False]),
    ([True], [True], ["true", 1, False]),
    ([300], [300, 300.0, 3e2, Decimal("300.00")], ["300", 301, True]),
    ([0], [0, -0.0], [False, "", None]),
    ([0.1], [0.1, Decimal("0.1")], [Decimal("0.1000000000000000055511151231257827"), 0.2]),
    ([BIG], [BIG], [BIG + 1, float(BIG)]),
    ([2**53 + 1], [2**53 + 1], [2**53, 2**53 + 2]),
    (["é"], ["é"], ["e\u0301"]),
    ([IPV4], [IPV4, "198.051.100.007", "::ffff:c633:6407"], ["198.51.100.8", "198.51.100.7 "]),
    ([IPV6], [IPV6, "2001:0DB8:0:0::7"], ["2001:db8::8", IPV4]),
    (["198.51.100.256"], ["198.51.100.256"], ["198.51.101.0"]),
    ([{"exactly": IPV4}], [IPV4], ["198.051.100.007"]),
    ([{"prefix": "ec"}], ["ec2", "ec"], ["Ec2", "aec", 5, None]),
    ([{"prefix": ""}], ["", "x"], [5, None, True, []]),
    ([{"prefix": {"equals-ignore-case": "eC"}}], ["ec2", "EC2"], ["e", "xec", None]),
    ([{"suffix": "c2"}], ["ec2", "c2"], ["C2", "c2x", 2]),
    ([{"suffix": {"equals-ignore-case": ".PnG"}}], ["a.png", ".PNG"], ["png", "a.pngx"]),
    ([{"suffix": {"equals-ignore-case": "ße"}}], ["STRASSE", "straße"], ["sse"]),
    ([{"equals-ignore-case": "AbC"}], ["abc", "ABC"], ["abcd", "ab", "", None]),
    ([{"equals-ignore-case": "É"}], ["é", "É"], ["e"]),
    ([{"equals-ignore-case": "straße"}], ["STRASSE", "StraßE"], ["strasse", "STRASS"]),
    ([{"equals-ignore-case": "STRASSE"}], ["strasse"], ["straße"]),
    ([{"wildcard": "*"}], ["", "x"], [5, None]),
    ([{"wildcard": "a*b*c"}], ["abc", "aXbYc", "abcbc"], ["ab", "acb", "abcx"]),
    ([{"wildcard": "ab*ba"}], ["abba", "abxba"], ["aba"]),
    ([{"wildcard": "*a*a*a*"}], ["banana"], ["bana"]),
    ([{"wildcard": "plain"}], ["plain"], ["plainer"]),
    ([{"wildcard": r"\*\\*"}], ["*\\", "*\\x"], ["x\\", "*x"]),
    ([{"anything-but": "x"}], ["y", "", None, 5, True, ["x", "y"]], ["x", ["x"], [], {}]),
    ([{"anything-but": ["x", "y"]}], ["z"], ["x", "y", ["x", "y"]]),
    ([{"anything-but": 5}], [6, "5", None], [5, 5.0, [5]]),
    ([{"anything-but": [5, 6]}], [7, "5"], [5, 6.0]),
    ([{"anything-but": {"prefix": "x"}}], ["y", 5, None], ["x", "xy"]),
    ([{"anything-but": {"prefix": ["x", "y"]}}], ["z"], ["xa", "ya"]),
    ([{"anything-but": {"suffix": ".png"}}], ["a.gif", 5], ["a.png"]),
    ([{"anything-but": {"suffix": ["x", "y"]}}], ["z"], ["ax", "ay"]),
    ([{"anything-but": {"equals-ignore-case": "Ab"}}], ["abc", 5], ["AB", "ab"]),
    ([{"anything-but": {"equals-ignore-case": ["Ab", ""]}}], ["x"], ["aB", ""]),
    ([{"anything-but": {"wildcard": "*/lib/*"}}], ["/bin/x", 5], ["/lib/", "a/lib/b"]),
    ([{"anything-but": {"wildcard": ["a*", "*b"]}}], ["ba"], ["a", "b", "ab"]),
    ([{"numeric": ["=", 5]}], [5, 5.0], [5.1, "5", True]),
    ([{"numeric": ["<", 5]}], [4.9, -1e300], [5, "4"]),
    ([{"numeric": ["<=", 5]}], [5, 4], [5.1]),
    ([{"numeric": [">", 5]}], [5.1, 1e300], [5, None, BIG]),
    ([{"numeric": [">=", 5]}], [5], [4.9]),
    ([{"numeric": [">", 0, "<", 5]}], [1, [9, 3]], [0, 5, [9, 7]]),
    ([{"numeric": [">=", 0, "<=", 5]}], [0, 5], [-1, 6]),
    ([{"exists": True}], [None, "", 0, [1]], [[], {}, {"inner": 1}]),
    ([{"exists": False}], [[], {}, {"inner": 1}], [None, "", [1]]),
    ([{"exists": False}, "x"], ["x", []], ["y", None]),
    ([{"cidr": "10.0.0.0/8"}], ["10.0.0.0", "10.255.255.255"], ["11.0.0.0", "a00::1", 167772161]),
    ([{"cidr": "10.0.0.7/24"}], ["10.0.0.9", "::ffff:a00:9"], ["10.0.1.9"]),
    ([{"cidr": "10.0.0.7/32"}], ["10.0.0.7"], ["10.0.0.8"]),
    ([{"cidr": "0.0.0.0/0"}], [IPV4], [IPV6, "host", "1.2.3", "1.2.3.4.5", "1.2.3.٤"]),
    ([{"cidr": "2001:db8::/32"}], [IPV6], ["2001:db9::", IPV4, "2001:db8::%1", "::1.2.3.4"]),
    ([{"cidr": "2001:db8::7/128"}], [IPV6], ["2001:db8::8"]),
    (["x", {"prefix": "a"}, {"numeric": [">", 5]}], ["x", "ab", 6], ["y", 5]),
]


@pytest.mark.parametrize(("values", "fit", "others"), OPERATORS, ids=json_of)
def test_operator(values: list[Any], fit: list[Any], others: list[Any]) -> None:
    """An operator accepts what it says, among other elements too, and nothing else."""
    assert [value for value in fit if not accepts(values, value)] == []
    assert [value for value in others if accepts(values, value)] == []


# Pattern, then events it matches, then events it doesn't.
STRUCTURES: list[tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]] = [
    ({"a": {"b": [1]}}, [{"a": {"b": 1}}, {"a.b": 1}, {"a": [{"b": 1}]}], [{"a": 1}, {"b": 1}, {}]),
    ({"a.b": [1]}, [{"a": {"b": 1}}, {"a.b": 1}], [{"a": {"b": 2}}]),
    ({"a": [1], "b": [2]}, [{"a": 1, "b": 2, "c": 3}], [{"a": 1}, {"a": 1, "b": 3}]),
    ({"a": {"b": [1]}, "a.b": [2]}, [{"a": {"b": 2}}], [{"a": {"b": 1}}]),
    (
        {"$or": [{"a": [1]}, {"b": [2]}]},
        [{"a": 1}, {"b": 2}],
        [{"a": 2, "b": 1}, {}],
    ),
    (
        {"s": [0], "d": {"$or": [{"a": [1]}, {"b": [2], "$or": [{"c": [3]}, {"e": [4]}]}]}},
        [{"s": 0, "d": {"a": 1}}, {"s": 0, "d": {"b": 2, "e": 4}}],
        [{"d": {"a": 1}}, {"s": 0, "d": {"b": 2}}, {"s": 0, "a": 1}],
    ),
    (
        {"$or": [{"a": [1]}, {"b": [1]}], "d": {"$or": [{"a": [1]}, {"b": [1]}]}},
        [{"a": 1, "d": {"b": 1}}],
        [{"a": 1, "b": 1}, {"d": {"a": 1, "b": 1}}],
    ),
    ({"a": [1], "$or": [{"a": [2]}, {"b": [3]}]}, [{"a": 2}, {"a": 1, "b": 3}], [{"a": 1}]),
    ({"$or": ["x"]}, [{"$or": "x"}], [{"$or": "y"}]),
    ({"$or": {"a": [1]}}, [{"$or": {"a": 1}}], [{"a": 1}]),
    ({"$or": [{"prefix": "x"}, {"prefix": "y"}]}, [{"$or": "xa"}], [{"prefix": "x"}]),
]

ARRAYS: list[tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]] = [
    (
        {"a": {"b": [1], "c": [2]}},
        [{"a": [{"b": 0}, {"b": 1, "c": 2}]}, {"a": [{"b": [0, 1], "c": [[2]]}]}],
        [{"a": [{"b": 1, "c": 3}, {"b": 2, "c": 2}]}, {"a": [{"b": 1}, {"c": 2}]}],
    ),
    (
        {"a": {"b": {"x": [1], "y": [2]}}},
        [{"a": [{"b": [{"x": 1}, {"y": 2}]}, {"b": [{"x": 1, "y": 2}]}]}],
        [{"a": [{"b": [{"x": 1}, {"y": 2}]}]}, {"a": [{"b": {"x": 1}}, {"b": {"y": 2}}]}],
    ),
    (
        {"a": {"b": [1], "c": {"d": [2]}, "e": {"f": [3], "g": [4]}}},
        [{"a": [{"b": 1}, {"b": 1, "c": [{}, {"d": 2}], "e": [{"f": 3, "g": 4}, {}]}]}],
        [{"a": [{"b": 1, "c": [{"d": 2}, {}]}, {"b": 1, "e": [{"f": 3, "g": 4}, {}]}]}],
    ),
    (
        {"a": {"b": [1]}, "x": {"y": [2]}},
        [{"a": [{}, {"b": 1}], "x": [{"y": 2}, {}]}],
        [{"a": [{}, {"b": 1}], "x": [{"y": 1}, {}]}],
    ),
    (
        {"a": {"b": [{"anything-but": 1}], "c": [2]}},
        [{"a": [{"b": 1, "c": 2}, {"b": 3, "c": 2}]}],
        [{"a": [{"b": 1, "c": 2}, {"b": 3, "c": 4}]}],
    ),
    ({"a": [1], "a.b": [2]}, [{"a": [1, {"b": 2}]}], [{"a": [[1], {"b": 2}]}]),
    (
        {"a": {"b": [1], "c": [{"exists": False}]}},
        [{"a": [{"b": 1}, {"b": 2, "c": 0}]}],
        [{"a": [{"b": 2}, {"b": 1, "c": 0}]}, {"a": [{"b": 1, "c": [{}, 0]}]}],
    ),
    (
        {"a": {"b": [{"exists": False}], "c": [1]}},
        [{"a": [{"c": 1}, {"c": 2}]}],
        [{"a": [{"c": 1}, {"b": 0}]}],
    ),
    (
        {"a": {"b": [{"exists": False}, 0], "c": [1], "d": [2]}},
        [{"a": [{"b": 0, "c": 1, "d": 2}, {"c": 1}]}, {"a": [{"c": 1, "d": 2}]}],
        [{"a": [{"b": 0}, {"c": 1, "d": 2}]}],
    ),
    (
        {"a": {"b": {"c": [1], "d": [2]}}},
        [{"a": [{"b.c": 1}, {}], "a.b": [{"d": 2}, {}]}],
        [{"a": [{"b.c": 1}, {"b": {"d": 2}}]}],
    ),
]


@pytest.mark.parametrize(("pattern", "fit", "others"), STRUCTURES + ARRAYS, ids=json_of)
def test_structure(
    pattern: dict[str, Any], fit: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    """All fields must fit at once, in the same elements of arrays; of `$or`, one branch."""
    matches = EventPattern(pattern).matches
    assert [event for event in fit if not matches(event)] == []
    assert [event for event in others if matches(event)] == []


INVALID: list[tuple[Any, str, str]] = [
    ([], "", "must be an object"),
    ({}, "", "at least one field"),
    ({"a": {}}, "a", "at least one field"),
    ({"a": {"b": []}}, "a.b", "at least one value"),
    ({"a": {"b": "x"}}, "a.b", "list of values"),
    ({"a": None}, "a", "list of values"),
    ({1: ["x"]}, "", "name of a field"),
    ({"a": [["x"]]}, "a[0]", "must be text, a number"),
    ({"a": [float("nan")]}, "a[0]", "finite"),
    ({"a": ["x", {"foo": 1}]}, "a[1]", "no operator 'foo'"),
    ({"a": [{}]}, "a[0]", "exactly one operator"),
    ({"a": [{"prefix": "x", "suffix": "y"}]}, "a[0]", "exactly one operator"),
    ({"a": [{"exactly": 1}]}, "a[0].exactly", "must be text"),
    ({"a": [{"prefix": ["x"]}]}, "a[0].prefix", "must be text"),
    ({"a": [{"prefix": {"suffix": "x"}}]}, "a[0].prefix", "equals-ignore-case"),
    ({"a": [{"prefix": {"equals-ignore-case": 1}}]}, "a[0].prefix.equals-ignore-case", "text"),
    ({"a": [{"suffix": None}]}, "a[0].suffix", "must be text"),
    ({"a": [{"equals-ignore-case": ["x"]}]}, "a[0].equals-ignore-case", "must be text"),
    ({"a": [{"wildcard": ["x*"]}]}, "a[0].wildcard", "must be text"),
    ({"a": [{"wildcard": "a**b"}]}, "a[0].wildcard", "**"),
    ({"a": [{"wildcard": "a\\b"}]}, "a[0].wildcard", "backslash"),
    ({"a": [{"wildcard": "a\\"}]}, "a[0].wildcard", "backslash"),
    ({"a": [{"exists": "true"}]}, "a[0].exists", "true or false"),
    ({"a": [{"exists": 1}]}, "a[0].exists", "true or false"),
    ({"a": [{"numeric": 5}]}, "a[0].numeric", "such as"),
    ({"a": [{"numeric": []}]}, "a[0].numeric", "such as"),
    ({"a": [{"numeric": ["~", 1]}]}, "a[0].numeric", "such as"),
    ({"a": [{"numeric": ["<", 5, ">", 3]}]}, "a[0].numeric", "such as"),
    ({"a": [{"numeric": ["=", "5"]}]}, "a[0].numeric", "number"),
    ({"a": [{"numeric": ["=", True]}]}, "a[0].numeric", "number"),
    ({"a": [{"numeric": [">", BIG]}]}, "a[0].numeric", "64-bit"),
    ({"a": [{"numeric": [">=", 5, "<=", 5]}]}, "a[0].numeric", "low end"),
    ({"a": [{"cidr": 10}]}, "a[0].cidr", "must be text"),
    ({"a": [{"cidr": "10.0.0.0"}]}, "a[0].cidr", "mask"),
    ({"a": [{"cidr": "10.0.0/8"}]}, "a[0].cidr", "network such as"),
    ({"a": [{"cidr": "10.0.0.0/33"}]}, "a[0].cidr", "0 to 32"),
    ({"a": [{"cidr": "::/129"}]}, "a[0].cidr", "0 to 128"),
    ({"a": [{"cidr": "10.0.0.0/-1"}]}, "a[0].cidr", "0 to 32"),
    ({"a": [{"anything-but": []}]}, "a[0].anything-but", "at least one"),
    ({"a": [{"anything-but": None}]}, "a[0].anything-but", "texts only"),
    ({"a": [{"anything-but": ["x", 1]}]}, "a[0].anything-but", "texts only"),
    ({"a": [{"anything-but": BIG}]}, "a[0].anything-but", "64-bit"),
    ({"a": [{"anything-but": {"numeric": ["=", 1]}}]}, "a[0].anything-but", "no operator"),
    ({"a": [{"anything-but": {"prefix": []}}]}, "a[0].anything-but.prefix", "at least one"),
    ({"a": [{"anything-but": {"prefix": ""}}]}, "a[0].anything-but.prefix", "empty"),
    ({"a": [{"anything-but": {"suffix": ["x", ""]}}]}, "a[0].anything-but.suffix", "empty"),
    ({"a": [{"anything-but": {"wildcard": "**"}}]}, "a[0].anything-but.wildcard", "**"),
    ({"$or": [{"a": [1]}]}, "$or", "at least two"),
    ({"d": {"$or": [{"a": [1]}, {}]}}, "d.$or[1]", "at least one field"),
    ({"d": {"$or": [{"a": [1]}, {"b": [{"x": 1}]}]}}, "d.$or[1].b[0]", "no operator"),
    ({"$or": [{"prefix": [1]}, {"b": [1]}]}, "$or[0].prefix", "reserved"),
]


@pytest.mark.parametrize(("pattern", "path", "reason"), INVALID, ids=json_of)
def test_invalid(pattern: dict[str, Any], path: str, reason: str) -> None:
    """A pattern that AWS would refuse is refused with the place and what would be right."""
    with pytest.raises(InvalidPattern) as raised:
        EventPattern(pattern)
    assert raised.value.path == path
    assert reason in raised.value.reason


def test_invalid_number_of_combinations() -> None:
    """A thousand combinations of `$or` are taken, as on AWS, and no more."""
    three = [{name: {"$or": [{f"f{i}": [1]} for i in range(10)]}} for name in "abc"]
    assert len(EventPattern(three[0] | three[1] | three[2]).alternatives) == 1000
    with pytest.raises(InvalidPattern, match="1,000 combinations"):
        EventPattern(three[0] | three[1] | three[2] | {"$or": [{"x": [1]}, {"y": [1]}]})


def test_invalid_number_of_fields() -> None:
    """As many fields as the engine takes are taken, and no more."""
    pattern = {f"f{i}": [i] for i in range(256)}
    assert EventPattern(pattern).matches({f"f{i}": i for i in range(256)})
    with pytest.raises(InvalidPattern, match="256"):
        EventPattern(pattern | {"one more": [1]})


def test_invalid_depth() -> None:
    """A pattern nested without end is refused."""
    pattern: dict[str, Any] = {"a": [1]}
    for _ in range(5000):
        pattern = {"a": pattern}
    with pytest.raises(InvalidPattern, match="deeper"):
        EventPattern(pattern)


# Events that someone made to hurt.


@pytest.mark.parametrize("kind", ["object", "array", "array of two"])
def test_deep_event(kind: str) -> None:
    """However deep an event nests, it is matched or rejected, and never crashes the matcher."""
    deep: Any = 1
    for _ in range(20_000):
        deep = {"object": {"a": deep}, "array": [deep], "array of two": [deep, {}]}[kind]
    pattern = EventPattern({"x": {"a": [1]}, "y": [2]})
    if kind == "array of two":
        with pytest.raises(Rejected, match="arrays nest"):
            pattern.matches({"x": deep, "y": 2})
    else:
        assert not pattern.matches({"x": deep, "y": 2})


def test_wildcard_does_not_backtrack() -> None:
    """A wildcard with many stars is matched in time that follows the length of the text."""
    assert not accepts([{"wildcard": "*a" * 40 + "*b"}], "a" * 100_000)
    assert accepts([{"wildcard": "*a" * 40 + "*b"}], "a" * 100_000 + "b")


def test_many_elements_and_fields() -> None:
    """Large arrays are matched in time that follows their length, not their combinations."""
    names = [f"f{i}" for i in range(8)]
    some = [{name: int(name != names[i % 8]) for name in names} for i in range(3_000)]
    pattern = EventPattern({"a": {name: [1] for name in names}, "b": {n: [1] for n in names}})
    assert not pattern.matches({"a": some, "b": some})
    whole = [*some, dict.fromkeys(names, 1)]
    assert pattern.matches({"a": whole, "b": whole})


def test_combinations_without_end_are_rejected() -> None:
    """An event whose dotted keys multiply the choices is rejected, not searched for ever."""
    steps = ["a", "b", "c", "d", "e"]
    event = {}
    for cut in range(1, len(steps)):  # an array at "a", at "a.b", … each with all the rest
        rest = ".".join(steps[cut:])
        event[".".join(steps[:cut])] = [{f"{rest}.{x}": 1} for x in "pqrst" for _ in range(30)]
    with pytest.raises(Rejected, match="too many ways"):
        EventPattern({"a.b.c.d.e": {name: [1] for name in "pqrst"}}).matches(event)


@pytest.mark.parametrize("event", [[], "x", None, {"a": {1, 2}}])
def test_what_is_no_event(event: dict[str, Any]) -> None:
    """What is not a JSON object is rejected."""
    with pytest.raises(Rejected):
        EventPattern({"a": [1]}).matches(event)


def test_numbers_without_end() -> None:
    """Numbers that no float holds are values like others."""
    assert accepts([10**5000], 10**5000)
    assert accepts([{"exists": True}], float("inf"))
    assert not accepts([{"numeric": [">", 0]}], Decimal("NaN"))


# Properties. The words are few so that patterns and events meet.

TEXTS = st.sampled_from(["", "a", "A", "ab", "ba", "é", "ß", "1", IPV4, "198.51.100.8", IPV6])
SCALARS = TEXTS | st.sampled_from([None, True, False, 0, 1, 1.0, 2.5, BIG])
NAMES = st.sampled_from(["a", "b", "c"])
SOME_TEXT = TEXTS.filter(bool)
ONE_OR_MORE = SOME_TEXT | st.lists(SOME_TEXT, min_size=1, max_size=2)
CONDITIONS = SCALARS | st.one_of(
    st.fixed_dictionaries({"prefix": TEXTS}),
    st.fixed_dictionaries({"suffix": TEXTS}),
    st.fixed_dictionaries({"equals-ignore-case": TEXTS}),
    st.fixed_dictionaries({"prefix": st.fixed_dictionaries({"equals-ignore-case": TEXTS})}),
    st.fixed_dictionaries({"suffix": st.fixed_dictionaries({"equals-ignore-case": TEXTS})}),
    st.fixed_dictionaries({"wildcard": st.sampled_from(["*", "a*", "*b", "a*b", "*a*", "198*"])}),
    st.fixed_dictionaries({"exists": st.sampled_from([True])}),
    st.fixed_dictionaries(
        {"numeric": st.sampled_from([["=", 1], [">", 0], ["<", 2], ["<=", 2.5]])}
    ),
    st.fixed_dictionaries({"cidr": st.sampled_from([f"{IPV4}/24", f"{IPV4}/32", f"{IPV6}/64"])}),
    st.fixed_dictionaries({"anything-but": ONE_OR_MORE | st.sampled_from([1, [0, 2.5]])}),
    st.fixed_dictionaries({"anything-but": st.fixed_dictionaries({"prefix": ONE_OR_MORE})}),
    st.fixed_dictionaries({"anything-but": st.fixed_dictionaries({"wildcard": ONE_OR_MORE})}),
)
ABSENT = st.just({"exists": False})
EVENTS = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=12,
    ),
    max_size=3,
)


def patterns(conditions: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Make patterns of these conditions, some with `$or`."""
    fields = st.lists(conditions, min_size=1, max_size=2)
    objects = st.recursive(
        st.dictionaries(NAMES, fields, min_size=1, max_size=3),
        lambda inner: st.dictionaries(NAMES, fields | inner, min_size=1, max_size=3),
        max_leaves=4,
    )
    choice = st.lists(objects, min_size=2, max_size=3).map(lambda options: {"$or": options})
    return objects | choice | st.builds(lambda left, right: left | right, objects, choice)


@settings(deadline=None)
@given(st.lists(patterns(CONDITIONS | ABSENT), max_size=8), EVENTS)
def test_set_is_its_patterns(some: list[dict[str, Any]], event: dict[str, Any]) -> None:
    """A set names exactly those of its patterns that match on their own."""
    named = {str(number): pattern for number, pattern in enumerate(some)}
    alone = {name for name, pattern in named.items() if EventPattern(pattern).matches(event)}
    assert PatternSet(named).matching(event) == alone


@settings(deadline=None)
@given(patterns(CONDITIONS), EVENTS)
def test_arrays_are_choices(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    """An event matches if it does with one chosen element left in each of its arrays."""
    matcher = EventPattern(pattern)
    chosen = list(itertools.islice(choices(event), 500))
    assume(len(chosen) < 500)
    assert matcher.matches(event) == any(matcher.matches(one) for one in chosen)


def choices(value: object) -> Iterator[Any]:
    """Give all ways to keep the scalars of every array and at most one of its other elements."""
    if isinstance(value, dict):
        for inner in itertools.product(*(list(choices(one)) for one in value.values())):
            yield dict(zip(value, inner, strict=True))
    elif isinstance(value, list):
        scalars = [one for one in value if not isinstance(one, dict | list)]
        nested = [one for one in value if isinstance(one, dict | list)]
        if not nested:
            yield scalars
        for one in nested:
            yield from ([*scalars, inner] for inner in choices(one))
    else:
        yield value


# Sets.


def test_set_looks_only_at_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns that share no value with the event are not looked at, however many there are."""
    looked: list[Alternative] = []

    def counting(fields: Alternative, leaves: Leaves) -> bool:
        looked.append(fields)
        return holds(fields, leaves)

    monkeypatch.setattr("chalicelib.pattern.index.holds", counting)
    some = {f"{i} {kind}": pattern for i in range(200) for kind, pattern in unlike(i).items()}
    event = {"source": "aws.guardduty", "type": "Backdoor:EC2/C&CActivity.B", "ip": IPV4}
    assert PatternSet(some | {"it": {"source": ["aws.guardduty"]}}).matching(event) == {"it"}
    assert len(looked) == 1


def unlike(i: int) -> Mapping[str, dict[str, Any]]:
    """Make patterns of every kind that the index knows."""
    anything = {"source": [{"exists": True}]}
    return {
        "exact": {"source": [f"my.source-{i}"]},
        "number": {"source": [i]},
        "prefix": anything | {"type": [{"prefix": f"Trojan{i}"}]},
        "suffix": anything | {"type": [{"suffix": f"Activity.{i}"}]},
        "any case": anything | {"type": [{"equals-ignore-case": f"backdoor{i}"}]},
        "wildcard": anything | {"type": [{"wildcard": f"Back{i}*"}, {"wildcard": f"*.{i}B"}]},
        "address": anything | {"ip": [f"10.0.0.{i}", {"cidr": f"10.0.1.{i}/32"}]},
        "either": {"$or": [{"source": [f"a-{i}"]}, {"type": [f"b-{i}"], "ip": [{"exists": True}]}]},
        "elsewhere": {f"field-{i}": [{"anything-but": "x"}]},
    }


def test_set_of_patterns_already_read() -> None:
    """A set takes patterns as written and patterns already read."""
    some = PatternSet({"read": EventPattern({"a": [1]}), "written": {"b": [{"exists": False}]}})
    assert some.matching({"a": 1}) == {"read", "written"}
    assert some.matching({"a": 1, "b": 1}) == {"read"}
    assert PatternSet({}).matching({"a": 1}) == set()


def test_set_refuses_what_a_pattern_refuses() -> None:
    """One invalid pattern makes the set invalid."""
    with pytest.raises(InvalidPattern):
        PatternSet({"good": {"a": [1]}, "bad": {"a": []}})


# What AWS's own engine says: cases with its verdict, kept outside the repository.


def conformance() -> Path | None:
    """Find the folder of the cases: as the environment says, or beside the repository."""
    named = os.environ.get("FIREBREAK_CONFORMANCE")
    beside = Path(__file__).parents[2] / "shared" / "conformance"
    return Path(named) if named else beside if beside.is_dir() else None


def test_conformance() -> None:
    """Every case has the engine's verdict; a mask of /32 or /128 may be accepted."""
    folder = conformance()
    if folder is None:
        pytest.skip("no conformance cases: set FIREBREAK_CONFORMANCE to their folder")
    events = json_lines(folder / "events.jsonl")
    cases = json_lines(folder / "event-patterns.jsonl")
    assert cases
    assert [case for case in cases if not agrees(case, events[case["event"]])] == []


def json_lines(path: Path) -> list[dict[str, Any]]:
    """Read a file of one JSON object a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def agrees(case: dict[str, Any], event: dict[str, Any]) -> bool:
    """Tell whether a pattern, and a set of it alone, have the verdict of a case."""
    try:
        pattern = EventPattern(case["pattern"])
    except InvalidPattern:
        return "error" in case
    if case.get("error"):
        return any(f'/{mask}"' in json.dumps(case["pattern"]) for mask in (32, 128))
    return pattern.matches(event) is case["matches"] and PatternSet({"it": pattern}).matching(
        event
    ) == ({"it"} if case["matches"] else set())
