"""Which permission of a role what was asked of it needs: each is taken away, one at a time."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from firebreak.cloud.identity import role_limits
from firebreak.cloud.policy import Decision, Request, evaluate

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Permission:
    """Name one action that a statement allows on some resources."""

    action: str
    resources: tuple[str, ...]


def unneeded(role_arn: str, asked: Iterable[Request]) -> list[Permission]:
    """Return the permissions that a role has and that nothing of what was asked needs."""
    found = role_limits(role_arn.split(":")[4], role_arn)
    assert found is not None, role_arn
    requests = _once(asked)
    return [
        Permission(action, tuple(_list(statement["Resource"])))
        for action, statement, rest in _without(found.policies)
        if not any(_denied(rest, each) for each in requests if _same(each.action, action))
    ]


def _without(
    documents: tuple[Document, ...],
) -> Iterator[tuple[str, Mapping[str, Any], tuple[Document, ...]]]:
    """Yield each allowed action, its statement, and the policies without it."""
    for place, document in enumerate(documents):
        for number, statement in enumerate(document["Statement"]):
            for action in _list(statement["Action"]) if statement["Effect"] == "Allow" else ():
                less = copy.deepcopy(dict(document))
                left = [each for each in _list(statement["Action"]) if each != action]
                less["Statement"][number]["Action"] = left
                yield action, statement, (*documents[:place], less, *documents[place + 1 :])


def _denied(documents: tuple[Document, ...], request: Request) -> bool:
    return evaluate(documents, request) is not Decision.ALLOW


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _once(asked: Iterable[Request]) -> list[Request]:
    seen = {(r.action, r.resource, str(sorted(r.context.items()))): r for r in asked}
    return list(seen.values())


def _list(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value]
