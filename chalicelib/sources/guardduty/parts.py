"""Pieces that several kinds of resource are read from: tags, security groups, containers, times."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from chalicelib.fields import Fields
from chalicelib.finding import Resource

LATEST = 253_402_300_799  # the end of the year 9999, in seconds since 1970


def known(**attributes: Any) -> dict[str, Any]:
    """Return the attributes that the event has; empty lists and tags count as absent."""
    return {name: value for name, value in attributes.items() if value not in (None, [], {})}


def tags(at: Fields, key: str = "tags") -> dict[str, str]:
    """Return tags by key; what they say may be the attacker's."""
    return {tag.text("key"): tag.text("value", "") for tag in at.each(key)}


def groups(at: Fields, key: str = "securityGroups") -> list[dict[str, str | None]]:
    """Return security groups: id and name."""
    return [
        {"id": group.identifier("groupId"), "name": group.text("groupName", None)}
        for group in at.each(key)
    ]


def moment(at: Fields, key: str) -> str | None:
    """Return a time that EventBridge gives in seconds since 1970, and the API as text."""
    found = at.optional(key)
    if found is None or isinstance(found.value, str):
        return at.identifier(key, None, max_length=64)
    seconds = found.number(least=0, most=LATEST)
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def container_parts(at: Fields) -> dict[str, Any]:
    """Return what a container is: the attributes of kind `container`, its id and name."""
    return known(
        id=at.identifier("id", None),
        name=at.identifier("name", None),
        runtime=at.text("containerRuntime", None),
        image=at.text("image", None, max_length=2048),
        image_prefix=at.text("imagePrefix", None, max_length=2048),
        privileged=at.flag("securityContext.privileged", None),
    )


def account(detail: Fields) -> Resource:
    """Return the finding's account as a resource."""
    return Resource("account", detail.identifier("accountId"))


def last(name: str) -> str:
    """Return what follows the last slash or colon: the id at the end of an ARN."""
    return name.replace(":", "/").rpartition("/")[2]


def unique(found: Iterable[Resource]) -> tuple[Resource, ...]:
    """Return each resource once, in order; a later mention adds what the first does not say.

    Kubernetes names repeat in other namespaces, and an object has versions.
    """
    merged: dict[tuple[object, ...], Resource] = {}
    for each in found:
        within = (each.attributes.get(name) for name in ("cluster", "namespace", "version_id"))
        key = (each.kind, each.id, *within)
        first = merged.setdefault(key, each)
        attributes = {**each.attributes, **first.attributes}
        merged[key] = Resource(each.kind, each.id, first.arn or each.arn, attributes)
    return tuple(merged.values())
