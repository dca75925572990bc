"""The steps of a deployment, one module each; a file added here is a step.

A step says what its calls need (`PERMISSIONS`: actions, on which ARNs, with the place left open),
what it would change (`plan`), changes it (`apply`), says what there is of it (`standing`), and
removes that (`remove`). `apply` compares again: what another did meanwhile is not done twice. ORDER
says when; backwards when a stage is destroyed.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def steps() -> tuple[ModuleType, ...]:
    """Return the steps in order."""
    found = [import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__)]
    return tuple(sorted(found, key=lambda step: step.ORDER))


def name_of(step: ModuleType) -> str:
    """Return a step's name."""
    return step.__name__.rpartition(".")[2]
