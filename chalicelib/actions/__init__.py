"""One module per action, named verb_noun, like the function in it.

To add an action, add a file with one function under `@action(…)`, and a test beside the others.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from chalicelib.effect import Effects

# Of an IAM policy: what operator asks of which key. The keys are AWS's, none is a parameter.
Condition = Mapping[str, Mapping[str, str | tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class On:
    """Name what an IAM action may touch: an ARN format, and the condition under which.

    kinds: where a parameter is the whole ARN, what it may be the ARN of, as `service:type`.
    unless: a parameter that names something else to touch, where it is given.
    """

    arn: str
    condition: Condition = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    unless: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """Hold what an action declares of itself.

    params: JSON Schema per parameter; one without `default` is required. permissions: the IAM
    actions it calls. facts: the names of what it returns. at: `resource` (the account and region of
    the finding) or `home` (the security account). target: per permission, or `*` for all others,
    the ARNs that it may touch: formats over parameters, partition, account, region and stage, each
    with its condition; they narrow the session policy, and a permission with none gets `*`.
    contains: a failure must not be passed over in silence; messages and evidence set it False.
    undo_after: actions whose changes for the same parameters must be taken back before this one's.
    final: why its changes cannot be taken back, which a playbook must accept by name.
    """

    name: str
    run: Callable[..., Effects]
    params: Mapping[str, Mapping[str, Any]]
    permissions: tuple[str, ...]
    facts: tuple[str, ...]
    at: str
    contains: bool
    final: str | None
    target: Mapping[str, tuple[On, ...]]
    summary: str
    undo_after: tuple[str, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """Return the names of the parameters that must be given."""
        return tuple(name for name, schema in self.params.items() if "default" not in schema)

    def on(self, permission: str) -> tuple[On, ...]:
        """Return what a permission may touch, as far as that is declared."""
        return self.target.get(permission, self.target.get("*", ()))


_REGISTERED: dict[str, Action] = {}


def action(
    *,
    params: Mapping[str, Mapping[str, Any]],
    permissions: tuple[str, ...],
    facts: tuple[str, ...] = (),
    at: str = "resource",
    contains: bool = True,
    final: str | None = None,
    target: Mapping[str, tuple[str | On, ...]] | None = None,
    undo_after: tuple[str, ...] = (),
) -> Callable[[Callable[..., Effects]], Callable[..., Effects]]:
    """Register a generator function as the action of its name; return it unchanged.

    `target` maps an IAM action, or `*` for all others, to what it may touch: ARN formats, with
    `On` where a condition belongs to one.
    Raise TypeError where the declaration does not fit the function.
    """

    def register(function: Callable[..., Effects]) -> Callable[..., Effects]:
        name = function.__name__
        accepted = tuple(inspect.signature(function).parameters)[1:]
        if set(accepted) != set(params):
            raise TypeError(f"{name} takes {accepted}, but declares {tuple(params)}")
        if name in _REGISTERED:
            raise TypeError(f"action {name} is registered twice")
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        _REGISTERED[name] = Action(
            name,
            function,
            params,
            tuple(dict.fromkeys(permissions)),
            facts,
            at,
            contains,
            final,
            {each: tuple(map(_on, touched)) for each, touched in (target or {}).items()},
            summary,
            undo_after,
        )
        return function

    return register


def _on(touched: str | On) -> On:
    return On(touched) if isinstance(touched, str) else touched


@cache
def actions() -> Mapping[str, Action]:
    """Return every action by name, importing the modules of this folder."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return dict(sorted(_REGISTERED.items()))
