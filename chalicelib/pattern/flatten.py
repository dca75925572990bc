"""Take from an event the values that patterns name, each with the array elements it lies in.

Only the paths that patterns name are followed, without recursion: what else an event holds, and
how deep, costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

from chalicelib.errors import Rejected
from chalicelib.pattern.value import SCALARS, Leaf, Place

MAX_ARRAYS = 100
"""How many arrays, each with a choice of elements, a value may lie in; EventBridge's are few."""

Leaves = dict[str, list[Leaf]]


class Paths:
    """The paths that patterns name, as a tree of their steps."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Make the tree of some dotted paths."""
        self.name = ""
        self.named = False
        self.below: dict[str, Paths] = {}
        for path in paths:
            self._add(path)

    def _add(self, path: str) -> None:
        node = self
        for step in path.split("."):
            node = node.below.setdefault(step, Paths(()))
        node.name, node.named = path, True

    def step(self, key: str) -> Paths | None:
        """Go to what an event's key leads to; a dot in the key is a step like any other."""
        if "." not in key:
            return self.below.get(key)
        node: Paths | None = self
        for step in key.split("."):
            node = node.below.get(step) if node else None
        return node


_Task = tuple[Any, Paths, Place]


def flatten(event: Mapping[str, Any], paths: Paths) -> Leaves:
    """Return the values of an event at the named paths."""
    if not isinstance(event, Mapping):
        raise Rejected("", "the event must be an object")
    leaves: Leaves = {}
    arrays = count()
    tasks: list[_Task] = [(event, paths, ())]
    while tasks:
        value, node, place = tasks.pop()
        if isinstance(value, SCALARS):
            if node.named:
                leaves.setdefault(node.name, []).append(Leaf.of(value, place))
        elif isinstance(value, Mapping):
            tasks.extend(_fields(value, node, place))
        elif isinstance(value, list | tuple):
            tasks.extend(_elements(value, node, place, next(arrays)))
        else:
            raise Rejected(node.name, f"a {type(value).__name__} is no JSON value")
    return leaves


def _fields(value: Mapping[str, Any], node: Paths, place: Place) -> Iterator[_Task]:
    for key, inner in value.items():
        below = node.step(key)
        if below is not None:
            yield inner, below, place


def _elements(values: Iterable[Any], node: Paths, place: Place, array: int) -> Iterator[_Task]:
    """Give the elements of an array; only where objects or arrays are to choose from is a choice.

    A scalar of an array is no element of it here: it goes together with every other value.
    """
    nested = sum(not isinstance(value, SCALARS) for value in values)
    if nested > 1 and len(place) >= MAX_ARRAYS:
        raise Rejected(node.name, f"arrays nest more than {MAX_ARRAYS} deep")
    for index, value in enumerate(values):
        choice = nested > 1 and not isinstance(value, SCALARS)
        yield value, node, ((*place, (array, index)) if choice else place)
