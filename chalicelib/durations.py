"""Durations as playbooks write them: 30s, 5m, 6h, 3d."""

from __future__ import annotations

import re

from chalicelib.errors import Invalid

UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
GRAMMAR = "^(0|[1-9][0-9]{0,7})[smhd]$"
LONGEST = 365 * UNITS["d"]  # a Step Functions execution ends after a year
WANTED = "a number and a unit, such as 30s, 5m, 6h or 3d, at most 365d"


def seconds(duration: str) -> int:
    """Return a duration in seconds. Raise Invalid where it is none, or longer than a year."""
    if not isinstance(duration, str) or not re.fullmatch(GRAMMAR, duration, re.ASCII):
        raise Invalid(f"{duration!r:.60} is no duration: write {WANTED}")
    found = int(duration[:-1]) * UNITS[duration[-1]]
    if found > LONGEST:
        raise Invalid(f"{duration} is longer than a year: write {WANTED}")
    return found


def text(duration: int) -> str:
    """Return seconds as a duration, in the largest unit that divides them."""
    unit = next(unit for unit, size in UNITS.items() if duration % size == 0)
    return f"{duration // UNITS[unit]}{unit}" if duration else "0s"
