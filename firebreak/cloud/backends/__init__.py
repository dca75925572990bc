"""Services moto does not have, or has in part: one module each, which says what it replaces.

To add one: a module with a function `patches` that returns what is put into moto.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from firebreak.cloud.patching import Patch


@cache
def patches() -> tuple[Patch, ...]:
    """Return the patches of every backend in this folder."""
    modules = [import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__)]
    return tuple(patch for module in modules for patch in module.patches())
