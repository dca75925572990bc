"""Where moto is more lenient than AWS: modules per service, each correction beside its citation.

A check is called under the lock with the call and its principal, and raises Refusal; a follow-up
is called with the response too, and puts right what moto made of the call. A module is imported
when its service is first called in a world, so that a world that never uses EC2 never loads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from firebreak.cloud.calls import CallInfo, Check, FollowUp
from firebreak.cloud.identity import Principal
from firebreak.cloud.patching import Patch

EVERY = "*"

MODULES: dict[str, tuple[str, ...]] = {
    "apigateway": ("apigateway",),
    "autoscaling": ("autoscaling",),
    "cloudformation": ("cloudformation",),
    "config": ("config",),
    "dynamodb": ("dynamodb",),
    "ec2": ("ec2_identifiers", "ec2_groups", "ec2_instances", "ec2_network_acls"),
    "elbv2": ("elbv2",),
    "events": ("events",),
    "iam": ("iam_policies", "iam_roles"),
    "kms": ("kms",),
    "lambda": ("lambdas", "lambda_settings"),
    "s3": ("s3",),
    "sns": ("sns",),
    "stepfunctions": ("stepfunctions",),
    "sts": ("sts",),
}


@dataclass
class Corrections:
    """The corrections of one module, by operation."""

    checks: dict[str, list[Check]] = field(default_factory=dict)
    follow_ups: dict[str, list[FollowUp]] = field(default_factory=dict)
    patches: Callable[[], list[Patch]] = list

    def refuses(self, *operations: str) -> Callable[[Check], Check]:
        """Register a function that refuses some of an operation's calls."""

        def register(function: Check) -> Check:
            for operation in operations:
                self.checks.setdefault(operation, []).append(function)
            return function

        return register

    def follows(self, *operations: str) -> Callable[[FollowUp], FollowUp]:
        """Register a function that puts right what moto made of an operation."""

        def register(function: FollowUp) -> FollowUp:
            for operation in operations:
                self.follow_ups.setdefault(operation, []).append(function)
            return function

        return register

    def replaces(self, function: Callable[[], list[Patch]]) -> Callable[[], list[Patch]]:
        """Register what is replaced inside moto's own model of the service."""
        self.patches = function
        return function


class Strictness:
    """The corrections of a world: those of a service are put in place at its first call."""

    def __init__(self, apply: Callable[[Iterable[Patch]], None]) -> None:
        self._apply = apply
        self._met: dict[str, tuple[Corrections, ...]] = {}

    def check(self, info: CallInfo, principal: Principal) -> None:
        """Refuse what AWS refuses."""
        for each in self._of(info.service):
            for check in (*each.checks.get(EVERY, ()), *each.checks.get(info.operation, ())):
                check(info, principal)

    def follow_up(self, info: CallInfo, response: Any) -> None:
        """Put right what moto made of a call."""
        for each in self._of(info.service):
            for follow_up in each.follow_ups.get(info.operation, ()):
                follow_up(info, response)

    def _of(self, service: str) -> tuple[Corrections, ...]:
        if service not in self._met:
            self._met[service] = corrections_of(service)
            for each in self._met[service]:
                self._apply(each.patches())
        return self._met[service]


@cache
def corrections_of(service: str) -> tuple[Corrections, ...]:
    """Return the corrections of a service."""
    names = MODULES.get(service, ())
    modules: list[Any] = [import_module(f"{__name__}.{name}") for name in names]
    return tuple(module.CORRECTIONS for module in modules)
