"""One value of an event, in the form that values are compared in.

Strings keep their quotes, so that "5" and 5, or "null" and null, stay apart. A number is written
one way however it was spelled: 300, 300.0 and 3e2 are the same value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TypeGuard

Address = IPv4Address | IPv6Address
Number = int | float | Decimal
Scalar = str | Number | None
SCALARS = (str, bool, int, float, Decimal, type(None))

Place = tuple[tuple[int, int], ...]
"""The array elements a value lies in, outermost first: number of the array, index in it."""

_EXACT_INTEGERS = 2**53
_LONGEST_ADDRESS = 45
_ADDRESS_LETTERS = frozenset("0123456789abcdefABCDEF:")
_DIGITS = frozenset("0123456789")


@dataclass(frozen=True)
class Leaf:
    """A scalar of an event: its comparable text, its number if it has one, and where it lies."""

    text: str
    number: float | None = None
    place: Place = ()

    @classmethod
    def of(cls, value: Scalar, place: Place = ()) -> Leaf:
        """Take a scalar as a JSON reader gives it."""
        if isinstance(value, str):
            return cls(f'"{value}"', None, place)
        number = comparable(value)
        return cls(_word(value) if number is None else repr(number), number, place)

    @cached_property
    def address(self) -> Address | None:
        """Read the value as an IP address, if it is a text that is one."""
        return parsed_address(self.text[1:-1]) if self.text.startswith('"') else None


def exact_text(value: Scalar) -> str:
    """Write the text that a leaf equal to `value` has."""
    return Leaf.of(value).text


def is_number(value: object) -> TypeGuard[Number]:
    """Tell a number from everything else; true and false are none."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def comparable(value: object) -> float | None:
    """Return the float that equals a number; None where there is none, or `value` is no number.

    As in the engine the shortest decimal text of a float counts, so that 0.1 is 0.1.
    """
    if not is_number(value):
        return None
    if isinstance(value, int) and abs(value) <= _EXACT_INTEGERS:
        return float(value)
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None  # adding makes 0.0 of -0.0
    return _equal_float(value)


def _equal_float(value: int | Decimal) -> float | None:
    try:
        number = float(value) + 0.0
    except (OverflowError, ValueError):  # out of range; a signalling NaN
        return None
    return number if math.isfinite(number) and Decimal(repr(number)) == value else None


def _word(value: Number | None) -> str:
    """Write null, true, false, or a number that no float equals."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(Decimal(value))


def parsed_address(text: str) -> Address | None:
    """Read an IP address; an IPv4 address mapped into IPv6 (::ffff:a00:1) is the IPv4 address."""
    if len(text) > _LONGEST_ADDRESS:
        return None
    if ":" not in text:
        return _parsed_v4(text)
    if not _ADDRESS_LETTERS.issuperset(text):
        return None
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return None
    return address.ipv4_mapped or address


def _parsed_v4(text: str) -> IPv4Address | None:
    """Read an IPv4 address; like the engine, take leading zeros for nothing (010 is ten)."""
    parts = text.split(".")
    if len(parts) != 4 or not all(part and _DIGITS.issuperset(part) for part in parts):
        return None
    numbers = [int(part) for part in parts]
    return IPv4Address(bytes(numbers)) if max(numbers) <= 255 else None
