"""A playbook's file as it is checked: what it says, right or wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.actions import Action
from chalicelib.errors import InvalidPattern
from chalicelib.pattern import EventPattern

Found = Iterator[tuple[str, str]]
"""Paths in the file, and what is wrong there."""


def mapping(value: Any) -> Mapping[str, Any]:
    """Return the value where it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> Sequence[Any]:
    """Return the value where it is a list, else an empty one."""
    return value if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True)
class Draft:
    """Hold a playbook's file as it was read, and what it is checked against."""

    file: Path
    document: Mapping[str, Any]
    actions: Mapping[str, Action]
    events: Path

    def places(self) -> list[Place]:
        """Return where each step stands, and which steps run before it."""
        found: list[Place] = []
        for index, entry in enumerate(listed(self.document.get("steps"))):
            earlier, at = tuple(found), f"steps[{index}]"
            block = listed(mapping(entry).get("parallel"))
            found += [
                Place(f"{at}.parallel[{number}]", mapping(step), earlier)
                for number, step in enumerate(block)
            ] or [Place(at, mapping(entry), earlier)]
        return found

    def action(self, place: Place) -> Action | None:
        """Return the action of a step; None where there is none of that name."""
        name = place.step.get("action")
        return self.actions.get(name) if isinstance(name, str) else None


@dataclass(frozen=True, slots=True)
class Place:
    """Hold a step as it was read, its path in the file, and the steps that run before it."""

    path: str
    step: Mapping[str, Any]
    earlier: Sequence[Place] = ()

    @property
    def name(self) -> str:
        """Return the step's name, empty where it has none."""
        name = self.step.get("name")
        return name if isinstance(name, str) else ""


def read_pattern(pattern: Mapping[str, Any], at: str) -> tuple[Found, list[set[str]]]:
    """Return what is wrong with an event pattern, and the fields that each alternative names."""
    try:
        read = EventPattern(pattern)
    except InvalidPattern as invalid:
        path = f"{at}.{invalid.path}" if invalid.path else at
        return iter([(path, invalid.reason)]), []
    return iter(()), [{each.path for each in fields} for fields in read.alternatives]
