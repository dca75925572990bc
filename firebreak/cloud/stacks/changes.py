"""What a template would change in a stack, resource by resource.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from firebreak.cloud.stacks.errors import ResourceFailed, invalid
from firebreak.cloud.stacks.intrinsics import Scope
from firebreak.cloud.stacks.properties import changed, replacing
from firebreak.cloud.stacks.resolving import (
    LATER,
    kind_of,
    look_up,
    outputs_of,
    properties_of,
)
from firebreak.cloud.stacks.stack import Resource, Stack, Wanted
from firebreak.cloud.stacks.templates import in_order

NOTHING = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)
NO_UPDATE = "No updates are to be performed."


class Differences:
    """The differences between a stack and what it is to be."""

    def __init__(self, stack: Stack, wanted: Wanted, exports: Mapping[str, str]) -> None:
        self._stack, self._wanted = stack, wanted
        self._later: set[str] = set()
        self._values, self._exports = stack.values(wanted), exports
        self.changes = list(self._found())
        self.of_outputs = self._outputs() != stack.outputs
        before = {} if stack.made_of is None else stack.made_of.tags
        self.of_tags = dict(before) != dict(wanted.tags)

    def __bool__(self) -> bool:
        return bool(self.changes) or self.of_outputs or self.of_tags

    def _scope(self) -> Scope:
        look = look_up(self._stack.resources, frozenset(self._later))
        return Scope(self._wanted.template, self._values, look, self._exports)

    def _found(self) -> Iterator[dict[str, Any]]:
        active = self._wanted.active(self._scope())
        have = self._stack.resources
        for name in in_order(self._wanted.template, active):
            if name in have:
                yield from self._modified(have[name])
            else:
                self._later.add(name)
                kind = self._wanted.template["Resources"][name]["Type"]
                kind_of(kind)
                yield {"Action": "Add", "LogicalResourceId": name, "ResourceType": kind}
        for name, resource in have.items():
            if name not in active:
                yield {"Action": "Remove", **_named(resource)}

    def _modified(self, have: Resource) -> Iterator[dict[str, Any]]:
        declared = self._wanted.template["Resources"][have.name]
        if declared["Type"] != have.kind:
            raise invalid(
                "Update of resource type is not permitted. The new template modifies resource "
                f"type of the following resources: [{have.name}]"
            )
        new = properties_of(self._stack, self._wanted, self._scope(), have.name, have)
        names = changed(have.properties, new)
        if not names:
            return
        again = replacing(have.kind, names)
        if again:
            self._later.add(have.name)
        yield {
            "Action": "Modify",
            **_named(have),
            "Replacement": _replacement(again, new),
            "Scope": sorted({"Tags" if name == "Tags" else "Properties" for name in names}),
            "Details": [_detail(name, again, new) for name in names],
        }

    def _outputs(self) -> list[dict[str, str]]:
        return outputs_of(self._wanted, self._scope())


def _named(resource: Resource) -> dict[str, Any]:
    return {
        "LogicalResourceId": resource.name,
        "PhysicalResourceId": resource.made.id,
        "ResourceType": resource.kind,
    }


def _is_later(value: Any) -> bool:
    return LATER in str(value)


def _replacement(again: tuple[str, ...], new: Mapping[str, Any]) -> str:
    """Say whether a resource is replaced; "Conditional" where only the run will show."""
    if not again:
        return "False"
    return "Conditional" if all(_is_later(new.get(name)) for name in again) else "True"


def _detail(name: str, again: tuple[str, ...], new: Mapping[str, Any]) -> dict[str, Any]:
    later = _is_later(new.get(name))
    target = {"Attribute": "Tags"} if name == "Tags" else {"Attribute": "Properties", "Name": name}
    how = ("Conditionally" if later else "Always") if name in again else "Never"
    return {
        "Target": {**target, "RequiresRecreation": how},
        "Evaluation": "Dynamic" if later else "Static",
        "ChangeSource": "DirectModification",
    }


def differences(stack: Stack, wanted: Wanted, exports: Mapping[str, str]) -> Differences:
    """Work out what would change. Raise ValidationError where the template cannot be worked out."""
    try:
        return Differences(stack, wanted, exports)
    except ResourceFailed as failure:
        raise invalid(str(failure)) from None


def check_update(stack: Stack, wanted: Wanted, exports: Mapping[str, str]) -> None:
    """Refuse an update that changes nothing."""
    try:
        if not Differences(stack, wanted, exports):
            raise invalid(NO_UPDATE)
    except ResourceFailed:
        return  # the run says it, on the resource
