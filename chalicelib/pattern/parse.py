"""Read a pattern as it is written, and refuse what AWS would refuse, with the place and the cure.

A pattern becomes alternatives: one, or for every `$or` one for each of its objects, combined. As
in the engine, a field that is named again (in a `$or`, or once nested and once dotted) replaces
what was said of it before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.errors import InvalidPattern
from chalicelib.pattern.expression import ABSENT, OPERATORS, read_expression, shown
from chalicelib.pattern.operators import Exact, Operator
from chalicelib.pattern.value import Leaf

OR = "$or"
MAX_ALTERNATIVES = 1_000
"""EventBridge refuses more combinations of `$or` than this."""
MAX_FIELDS = 256
"""The engine refuses more fields than this."""
MAX_DEPTH = 100
"""A bound of our own, far above real patterns and far below Python's for recursion."""

RESERVED_IN_OR = OPERATORS.keys() | {
    *("=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"),
    *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
    *("ip-address-in-range", "ip-address-not-in-range"),
}
"""The names that the engine does not take for fields inside `$or`."""


@dataclass(frozen=True)
class Field:
    """What one alternative asks of one field: to have a value that fits, or to be absent."""

    path: str
    exact: frozenset[str]
    operators: tuple[Operator, ...]
    may_be_absent: bool

    def accepts(self, leaf: Leaf) -> bool:
        """Tell whether the value is one of those asked for."""
        return leaf.text in self.exact or any(one.accepts(leaf) for one in self.operators)


Alternative = tuple[Field, ...]
_Fields = dict[str, Field]


def parse(pattern: object) -> tuple[Alternative, ...]:
    """Return the alternatives of a pattern, the fields of each in the order of their paths.

    A `$or` that cannot be the operator is taken for a field of that name, as in the engine.
    """
    try:
        alternatives = _object([{}], pattern, _Spot())
    except InvalidPattern as error:
        try:
            alternatives = _object([{}], pattern, _Spot(or_is_a_field=True))
        except InvalidPattern:
            raise error from None
    return tuple(tuple(fields[path] for path in sorted(fields)) for fields in alternatives)


@dataclass(frozen=True)
class _Spot:
    """Where the reader is: the steps of the field's path, the place as written, and how."""

    steps: tuple[str, ...] = ()
    place: str = ""
    depth: int = 0
    in_or: bool = False
    or_is_a_field: bool = False

    def below(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name

    def field(self, name: str) -> _Spot:
        steps = (*self.steps, name)
        return replace(self, steps=steps, place=self.below(name), depth=self.depth + 1)

    def option(self, number: int) -> _Spot:
        place = f"{self.below(OR)}[{number}]"
        return replace(self, place=place, depth=self.depth + 1, in_or=True)


def _object(alternatives: list[_Fields], node: object, spot: _Spot) -> list[_Fields]:
    if not isinstance(node, Mapping):
        raise InvalidPattern(spot.place, f"must be an object of fields, not {shown(node)}")
    if not node:
        raise InvalidPattern(spot.place, "must name at least one field; an empty object is refused")
    if spot.depth > MAX_DEPTH:
        raise InvalidPattern(spot.place, f"must not nest deeper than {MAX_DEPTH} objects")
    for name, value in node.items():
        if name == OR and not spot.or_is_a_field:
            alternatives = _either(alternatives, value, spot)
        else:
            alternatives = _named(alternatives, name, value, spot)
    return alternatives


def _either(alternatives: list[_Fields], options: object, spot: _Spot) -> list[_Fields]:
    if not isinstance(options, list) or len(options) < 2:
        raise InvalidPattern(spot.below(OR), "must be a list of at least two objects")
    combined: list[_Fields] = []
    for number, option in enumerate(options):
        combined += _object(alternatives, option, spot.option(number))
        if len(combined) > MAX_ALTERNATIVES:
            reason = f"makes over {MAX_ALTERNATIVES:,} combinations; split the pattern"
            raise InvalidPattern(spot.below(OR), reason)
    return combined


def _named(alternatives: list[_Fields], name: object, value: object, spot: _Spot) -> list[_Fields]:
    if not isinstance(name, str):
        raise InvalidPattern(spot.place, f"the name of a field must be text, not {shown(name)}")
    inner = spot.field(name)
    if spot.in_or and name in RESERVED_IN_OR:
        raise InvalidPattern(inner.place, f"is a reserved name; no field in {OR} may have it")
    if isinstance(value, Mapping):
        return _object(alternatives, value, inner)
    path, field = ".".join(inner.steps), _field(".".join(inner.steps), value, inner.place)
    if any(len(fields) >= MAX_FIELDS and path not in fields for fields in alternatives):
        raise InvalidPattern(inner.place, f"is one field too many; at most {MAX_FIELDS} are taken")
    return [{**fields, path: field} for fields in alternatives]


def _field(path: str, values: object, place: str) -> Field:
    if not isinstance(values, list):
        raise InvalidPattern(place, f"must be a list of values or an object, not {shown(values)}")
    if not values:
        raise InvalidPattern(place, "must list at least one value; an empty list is refused")
    read = [read_expression(value, f"{place}[{number}]") for number, value in enumerate(values)]
    return Field(
        path,
        exact=frozenset(one.text for one in read if isinstance(one, Exact)),
        operators=tuple(one for one in read if one is not ABSENT and not isinstance(one, Exact)),
        may_be_absent=ABSENT in read,
    )
