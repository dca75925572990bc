"""One event pattern."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.pattern.consistency import Demand, consistent
from chalicelib.pattern.flatten import Leaves, Paths, flatten
from chalicelib.pattern.parse import Alternative, Field, parse


class EventPattern:
    """An event pattern, checked once and matched against many events."""

    def __init__(self, pattern: Mapping[str, Any]) -> None:
        """Read the pattern; raise InvalidPattern for one that AWS would refuse."""
        self.alternatives: tuple[Alternative, ...] = parse(pattern)
        self._paths = Paths(field.path for fields in self.alternatives for field in fields)

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Tell whether the event matches; raise Rejected for one made to exhaust the matcher."""
        leaves = flatten(event, self._paths)
        return any(holds(fields, leaves) for fields in self.alternatives)


def holds(fields: Alternative, leaves: Leaves) -> bool:
    """Tell whether the values of an event meet all that one alternative asks."""
    demands = []
    for field in fields:
        demand = _demand(field, leaves)
        if demand.hopeless:
            return False
        demands.append(demand)
    return consistent(demands)


def _demand(field: Field, leaves: Leaves) -> Demand:
    values = leaves.get(field.path, [])
    fits = frozenset(leaf.place for leaf in values if field.accepts(leaf))
    present = frozenset(leaf.place for leaf in values) if field.may_be_absent else frozenset()
    return Demand(fits, present, field.may_be_absent)
