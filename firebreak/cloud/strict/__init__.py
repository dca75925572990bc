"""Where moto is more lenient than AWS: one module per service, each check beside its citation.

A check is called under the lock with the call and its principal, and raises Refusal. A module is
imported when its service is first called, so that a world that never uses EC2 never loads it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from firebreak.cloud.calls import CallInfo, Check
from firebreak.cloud.identity import Principal

Checks = dict[str, list[Check]]

EVERY = "*"

MODULES = {
    "events": "events",
    "s3": "s3",
    "sts": "sts",
}


def check(info: CallInfo, principal: Principal) -> None:
    """Apply every check there is for a call."""
    checks = checks_of(info.service)
    for each in (*checks.get(EVERY, ()), *checks.get(info.operation, ())):
        each(info, principal)


@cache
def checks_of(service: str) -> Checks:
    """Return the checks of a service by operation."""
    name = MODULES.get(service)
    if name is None:
        return {}
    module: Any = import_module(f"{__name__}.{name}")
    checks: Checks = module.CHECKS
    return checks


def registry() -> tuple[Checks, Callable[..., Callable[[Check], Check]]]:
    """Return an empty table of checks and the decorator that fills it."""
    checks: Checks = {}

    def refuses(*operations: str) -> Callable[[Check], Check]:
        def register(function: Check) -> Check:
            for operation in operations:
                checks.setdefault(operation, []).append(function)
            return function

        return register

    return checks, refuses
