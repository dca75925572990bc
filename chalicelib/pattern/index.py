"""Many event patterns at once, in time that does not grow with those that are out of question.

Every alternative of every pattern is filed under one of its fields: under what an event must hold
there, or it can't match. The values of an event then name the few patterns to look at in full. The
field is the one that shares its keys with the fewest alternatives. Where a field asks no more than
a value of some kind (`exists`, `anything-but`, `numeric`, a wide network), having one is the key;
an alternative of which every field may be absent is always looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from chalicelib.pattern.flatten import Leaves, Paths, flatten
from chalicelib.pattern.match import EventPattern, holds
from chalicelib.pattern.operators import Exact, Network, Operator
from chalicelib.pattern.parse import Alternative, Field
from chalicelib.pattern.value import Leaf

Look = tuple[Literal["value", "address", "start", "end", "presence"], int]
"""What of a value is looked at, and how many letters of it."""
Key = tuple[str, Look, str]
"""A path, a look, and what is seen there."""

_LONGEST_EDGE = 256
_PRESENCE: Look = ("presence", 0)
_Entry = tuple[str, Alternative]


class PatternSet:
    """Event patterns by name, matched together."""

    def __init__(self, patterns: Mapping[str, Mapping[str, Any] | EventPattern]) -> None:
        """Read and file the patterns; raise InvalidPattern for one that AWS would refuse."""
        entries = [
            (name, fields)
            for name, pattern in patterns.items()
            for fields in _compiled(pattern).alternatives
        ]
        self._paths = Paths({field.path for _, fields in entries for field in fields})
        self._always: list[_Entry] = []
        self._filed: dict[Key, list[_Entry]] = {}
        self._looks: dict[str, set[Look]] = {}
        self._file(entries)

    def matching(self, event: Mapping[str, Any]) -> set[str]:
        """Name the patterns that the event matches; raise Rejected as `EventPattern` does."""
        leaves = flatten(event, self._paths)
        names: set[str] = set()
        for name, fields in self._candidates(leaves):
            if name not in names and holds(fields, leaves):
                names.add(name)
        return names

    def _file(self, entries: list[_Entry]) -> None:
        keys = [
            [_keys(field) for field in fields if not field.may_be_absent] for _, fields in entries
        ]
        shared = Counter(key for fields in keys for field in fields for key in field)
        for entry, fields in zip(entries, keys, strict=True):
            if not fields:
                self._always.append(entry)
                continue
            for key in min(fields, key=lambda field: _cost(field, shared)):
                path, look, _ = key
                self._looks.setdefault(path, set()).add(look)
                self._filed.setdefault(key, []).append(entry)

    def _candidates(self, leaves: Leaves) -> Iterator[_Entry]:
        yield from self._always
        seen = {
            (path, look, _seen(leaf, look))
            for path in leaves.keys() & self._looks.keys()
            for look in self._looks[path]
            for leaf in leaves[path]
        }
        for key in seen & self._filed.keys():
            yield from self._filed[key]


def _compiled(pattern: Mapping[str, Any] | EventPattern) -> EventPattern:
    return pattern if isinstance(pattern, EventPattern) else EventPattern(pattern)


def _keys(field: Field) -> frozenset[Key]:
    """Give the keys of which an event has at least one if the field has a value that fits."""
    operators = [*(Exact(text) for text in field.exact), *field.operators]
    return frozenset(_key(field.path, operator) for operator in operators)


def _key(path: str, operator: Operator) -> Key:
    if isinstance(operator, Exact):
        return path, ("value", 0), operator.text
    if isinstance(operator, Network) and operator.first == operator.last:
        return path, ("address", 0), str(operator.first)
    start, end = operator.edges()
    length = min(max(len(start), len(end)), _LONGEST_EDGE)
    if length <= len('"'):
        return path, _PRESENCE, ""
    look: Look = ("start", length) if len(start) >= len(end) else ("end", length)
    return path, look, _seen(Leaf(start if len(start) >= len(end) else end), look)


def _seen(leaf: Leaf, look: Look) -> str:
    """Tell what of a value a look sees; of a start or an end, without regard to case."""
    kind, length = look
    match kind:
        case "value":
            return leaf.text
        case "address":
            return str(leaf.address)
        case "start":
            return leaf.text[:length].lower()
        case "end":
            return leaf.text[-length:].lower()
        case "presence":
            return ""


def _cost(keys: frozenset[Key], shared: Counter[Key]) -> tuple[int, int]:
    """Tell how many alternatives are looked at on account of the keys, mere presence last."""
    by_presence = sum(look == _PRESENCE for _, look, _ in keys)
    return by_presence, sum(shared[key] for key in keys)
