"""Replace attributes of other packages for a while, and put them back exactly as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

_ABSENT = object()


@dataclass(frozen=True)
class Patch:
    """One attribute of a class, module or object, and what stands there while it is applied."""

    target: object
    name: str
    value: object


def as_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a bound method so that, put on a class, it is given that class's instances."""

    def method(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return method


class Patches:
    """A set of patches, applied together and undone in reverse order."""

    def __init__(self) -> None:
        self._saved: list[Patch] = []

    def apply(self, patches: Iterable[Patch]) -> None:
        """Put every patch in place, remembering what was there."""
        for patch in patches:
            before = vars(patch.target).get(patch.name, _ABSENT)
            self._saved.append(Patch(patch.target, patch.name, before))
            setattr(patch.target, patch.name, patch.value)

    def undo(self) -> None:
        """Put back what was there."""
        while self._saved:
            patch = self._saved.pop()
            if patch.value is _ABSENT:
                delattr(patch.target, patch.name)
            else:
                setattr(patch.target, patch.name, patch.value)
