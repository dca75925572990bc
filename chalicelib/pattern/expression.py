"""Read one value of a field as a pattern writes it: a plain value or an operator with its argument.

EventBridge user guide: "Comparison operators for use in event patterns".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from chalicelib.errors import InvalidPattern
from chalicelib.pattern.operators import (
    AnyCase,
    AnythingBut,
    Between,
    Exact,
    Network,
    Operator,
    Prefix,
    Suffix,
    Wildcard,
)
from chalicelib.pattern.value import (
    SCALARS,
    Address,
    comparable,
    exact_text,
    is_number,
    parsed_address,
)

PRESENT = AnythingBut(())
"""`{"exists": true}`: any value at all."""
ABSENT = AnythingBut((PRESENT,))
"""`{"exists": false}`: no value fits; the field is to be absent."""


def read_expression(value: object, place: str) -> Operator:
    """Return the operator that a value of a field stands for."""
    if isinstance(value, Mapping):
        name, argument = _only_entry(value, place, OPERATORS)
        return OPERATORS[name](argument, f"{place}.{name}")
    if not isinstance(value, SCALARS):
        reason = f"must be text, a number, true, false, null or an operator, not {shown(value)}"
        raise InvalidPattern(place, reason)
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        raise InvalidPattern(place, f"must be a finite number, not {shown(value)}")
    address = parsed_address(value) if isinstance(value, str) else None
    return Network(address, address) if address is not None else Exact(exact_text(value))


def shown(value: object) -> str:
    """Write a value for a message, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _only_entry(value: Mapping[Any, Any], place: str, allowed: Iterable[str]) -> tuple[str, Any]:
    names = ", ".join(allowed)
    if len(value) != 1:
        raise InvalidPattern(place, f"must hold exactly one operator, of: {names}")
    name, argument = next(iter(value.items()))
    if name not in allowed:
        raise InvalidPattern(place, f"has no operator {shown(name)}; use one of: {names}")
    return name, argument


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise InvalidPattern(place, f"must be text, not {shown(value)}")
    return value


def _exactly(value: object, place: str) -> Operator:
    return Exact(f'"{_text(value, place)}"')


def _equals_ignore_case(value: object, place: str) -> Operator:
    return AnyCase(f'"{_text(value, place)}"')


def _prefix(value: object, place: str) -> Operator:
    if isinstance(value, Mapping):
        name, text = _only_entry(value, place, ("equals-ignore-case",))
        return AnyCase('"' + _text(text, f"{place}.{name}"), "start")
    return Prefix('"' + _text(value, place))


def _suffix(value: object, place: str) -> Operator:
    if isinstance(value, Mapping):
        name, text = _only_entry(value, place, ("equals-ignore-case",))
        return AnyCase(_text(text, f"{place}.{name}") + '"', "end")
    return Suffix(_text(value, place) + '"')


def _wildcard(value: object, place: str) -> Operator:
    parts = [""]
    after_star = False
    letters = iter(f'"{_text(value, place)}"')
    for letter in letters:
        if letter == "*" and after_star:
            raise InvalidPattern(place, 'must not hold "**"; a single * stands for any text')
        after_star = letter == "*"
        if after_star:
            parts.append("")
        else:
            parts[-1] += _escaped(next(letters), place) if letter == "\\" else letter
    return Wildcard(tuple(parts))


def _escaped(letter: str, place: str) -> str:
    if letter not in "*\\":
        raise InvalidPattern(place, r"a backslash must stand before * or a second backslash")
    return letter


def _cidr(value: object, place: str) -> Operator:
    start, _, mask = _text(value, place).partition("/")
    address = parsed_address(start)
    if address is None:
        reason = f"must be a network such as 10.0.0.0/8 or 2001:db8::/32, not {shown(value)}"
        raise InvalidPattern(place, reason)
    if not (mask.isascii() and mask.isdecimal()) or int(mask) > address.max_prefixlen:
        reason = f"must end in a slash and a mask from 0 to {address.max_prefixlen}"
        raise InvalidPattern(place, reason)
    return _network(address, int(mask))


def _network(address: Address, mask: int) -> Network:
    hosts = (1 << (address.max_prefixlen - mask)) - 1
    kind = type(address)
    return Network(kind(int(address) & ~hosts), kind(int(address) | hosts))


def _exists(value: object, place: str) -> Operator:
    if not isinstance(value, bool):
        raise InvalidPattern(place, f"must be true or false, not {shown(value)}")
    return PRESENT if value else ABSENT


def _number(value: object, place: str) -> float:
    number = comparable(value)
    if number is None:
        raise InvalidPattern(
            place, f"must be a number that a 64-bit float holds, not {shown(value)}"
        )
    return number


def _numeric(value: object, place: str) -> Operator:
    match value:
        case ["=", number]:
            return Exact(exact_text(_number(number, place)))
        case [">" | ">=" as above, number]:
            return Between(low=_number(number, place), low_counts=above == ">=")
        case ["<" | "<=" as below, number]:
            return Between(high=_number(number, place), high_counts=below == "<=")
        case [">" | ">=" as above, bottom, "<" | "<=" as below, top]:
            low, high = _number(bottom, place), _number(top, place)
            if low >= high:
                raise InvalidPattern(place, "must have a low end less than its high end")
            return Between(low, high, above == ">=", below == "<=")
    reason = 'must be such as ["=", 5], ["<", 5], [">=", 5] or [">", 0, "<=", 5]'
    raise InvalidPattern(place, f"{reason}, not {shown(value)}")


def _anything_but(value: object, place: str) -> Operator:
    if isinstance(value, Mapping):
        name, argument = _only_entry(value, place, REFUSABLE)
        return AnythingBut(_refused(name, argument, f"{place}.{name}"))
    values = value if isinstance(value, list) else [value]
    if values and all(is_number(one) for one in values):
        return AnythingBut(tuple(Exact(exact_text(_number(one, place))) for one in values))
    if values and all(isinstance(one, str) for one in values):
        return AnythingBut(tuple(_exactly(one, place) for one in values))
    reason = f"must be texts only or numbers only, at least one, not {shown(value)}"
    raise InvalidPattern(place, reason)


def _refused(name: str, argument: object, place: str) -> tuple[Operator, ...]:
    texts = argument if isinstance(argument, list) else [argument]
    if not texts or not all(isinstance(text, str) for text in texts):
        reason = f"must be text or a list of at least one text, not {shown(argument)}"
        raise InvalidPattern(place, reason)
    if name in {"prefix", "suffix"} and "" in texts:
        raise InvalidPattern(place, f"must not be empty: every text has the empty {name}")
    return tuple(REFUSABLE[name](text, place) for text in texts)


_Reader = Callable[[object, str], Operator]

REFUSABLE: Mapping[str, _Reader] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
}
"""The operators that may stand inside `anything-but`."""

OPERATORS: Mapping[str, _Reader] = {
    **REFUSABLE,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
    "cidr": _cidr,
    "exactly": _exactly,
}
"""The operators that may stand among the values of a field."""
