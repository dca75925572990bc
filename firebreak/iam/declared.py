"""What actions, guardrails and finders declare to need in the account of a resource."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chalicelib import guardrails, reconciling, tags
from chalicelib.actions import Action, On, actions
from firebreak.reference import arn_formats, resource_types

ANY = "*"
PLACE = ("partition", "account", "region", "stage")
READS = re.compile("[a-z-]+:(BatchGet|Describe|Get|List)")


@dataclass(frozen=True, slots=True)
class Need:
    """Hold one permission and what it may touch."""

    permission: str
    on: tuple[On, ...]


def needs() -> tuple[Need, ...]:
    """Return all that the role in an account needs."""
    read = {*guardrails.PERMISSIONS, *reconciling.permissions()}
    looking = (Need(each, _of_kinds(each, tags.SUPPORTED)) for each in sorted(read))
    return (*of_actions(actions().values()), *looking)


def of_actions(wanted: Iterable[Action]) -> Iterator[Need]:
    """Yield what actions need of it, in the order in which they declare it."""
    for action in wanted:
        if action.at == "resource":
            for permission in action.permissions:
                yield Need(permission, _reach(action, permission))


def _reach(action: Action, permission: str) -> tuple[On, ...]:
    """Return what a permission of an action may touch, whatever the action's parameters are."""
    found: list[On] = []
    for each in action.on(permission):
        if each.arn == ANY:
            continue
        if each.kinds:  # a parameter is the whole ARN
            found += _of_kinds(permission, each.kinds)
        else:
            found.append(On(_opened(each.arn), each.condition))
    return tuple(found) or _of_kinds(permission, ())


def _opened(arn: str) -> str:
    """Return an ARN format in which `*` stands for every parameter."""
    return "".join(
        text + (f"{{{name}}}" if name in PLACE else ANY if name else "")
        for text, name, _, _ in string.Formatter().parse(arn)
    )


def _of_kinds(permission: str, kinds: tuple[str, ...]) -> tuple[On, ...]:
    """Return the resources that a permission can be limited to: of these kinds, or of all.

    `*` where AWS lets it be limited to none.
    """
    service, _, name = permission.partition(":")
    types = resource_types(service, name)
    mine = [each for each in types if f"{service}:{each}" in kinds] or types
    return tuple(On(arn) for each in mine for arn in arn_formats(service, each)) or (On(ANY),)


def reads(permission: str) -> bool:
    """Say whether a permission only reads."""
    return READS.match(permission) is not None
