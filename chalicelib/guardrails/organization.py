"""Which organisational units an account lies in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.guardrails.live import kept

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk

DEEPEST = 10  # AWS nests organisational units five deep below the root
MINUTES = 5 * 60.0  # seconds for which a membership is kept


def units(desk: Desk, account: str) -> tuple[str, ...]:
    """Return the ids of the units that an account lies in, the nearest first.

    Raise what botocore raises where they cannot be read: AWS answers the management account and
    delegated administrators only.
    https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListParents.html
    """
    return kept(desk, ("units", account), MINUTES, lambda: _read(desk, account))


def _read(desk: Desk, account: str) -> tuple[str, ...]:
    client: Any = desk.access.home("organizations")
    found: list[str] = []
    child = account
    for _ in range(DEEPEST):
        (parent,) = client.list_parents(ChildId=child)["Parents"]
        if parent["Type"] != "ORGANIZATIONAL_UNIT":
            break
        child = str(parent["Id"])
        found.append(child)
    return tuple(found)
