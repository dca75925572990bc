"""Work out the properties that a template gives its resources."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any

from firebreak.cloud.stacks.errors import ResourceFailed, invalid
from firebreak.cloud.stacks.intrinsics import Scope, as_text, evaluate
from firebreak.cloud.stacks.kinds import Kind, kinds, listed, pairs
from firebreak.cloud.stacks.properties import checked
from firebreak.cloud.stacks.stack import Resource, Stack, Wanted
from firebreak.cloud.stacks.templates import tag_property
from firebreak.iam import registry

LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"
Look = Callable[[str, str | None], Any]


def kind_of(type_: str) -> Kind:
    """Return what is done for a type. Raise ResourceFailed where it is not embedded."""
    found = kinds().get(type_)
    if found is None:
        raise ResourceFailed(f"{type_} is not embedded; add it to firebreak/cloud/stacks/kinds")
    return found


def look_up(resources: Mapping[str, Resource], later: frozenset[str] = frozenset()) -> Look:
    """Return what gives a resource's `Ref` and attributes; those of some are known only later."""

    def look(name: str, attribute: str | None) -> Any:
        if name in later:
            return LATER
        if name not in resources:
            raise invalid(f"Unresolved resource dependencies [{name}] in the template")
        resource = resources[name]
        if attribute is None:
            return resource.made.id
        if attribute not in resource.made.attributes:
            raise invalid(
                f"Template error: resource {name} does not support attribute type {attribute} "
                "in Fn::GetAtt"
            )
        return resource.made.attributes[attribute]

    return look


def properties_of(
    stack: Stack, wanted: Wanted, scope: Scope, name: str, have: Resource | None
) -> dict[str, Any]:
    """Return a resource's properties, with its name and tags. Raise ResourceFailed."""
    declared = wanted.template["Resources"][name]
    type_ = declared["Type"]
    given = evaluate(declared.get("Properties", {}), scope)
    given = _with_tags(type_, given, wanted.tags)
    naming = kind_of(type_).name
    if naming and naming not in given:
        before = {} if have is None else have.properties
        given[naming] = before.get(naming) or _generated(stack, name, type_)
    made = checked(name, type_, given)
    unknown = sorted(kind_of(type_).left_out & made.keys())
    if unknown:
        raise ResourceFailed(f"{type_}: [{', '.join(unknown)}] is not embedded")
    return made


def _with_tags(type_: str, given: Any, tags: Mapping[str, str]) -> dict[str, Any]:
    """Add the stack's tags, where a type has any; its own win."""
    named = tag_property(type_)
    if not tags or not named or named in kind_of(type_).left_out:
        return dict(given)
    whole = {**tags, **pairs(given.get(named))}
    as_object = "object" in registry.schema(type_)["properties"][named].get("type", ())
    return {**given, named: whole if as_object else listed(whole)}


def _generated(stack: Stack, name: str, type_: str) -> str:
    suffix = "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(12))
    made = f"{stack.name}-{name}-{suffix}"
    return made.lower()[-63:].lstrip("-") if type_ == "AWS::S3::Bucket" else made


def is_named(wanted: Wanted, name: str) -> bool:
    """Say whether the template names a resource itself."""
    declared = wanted.template["Resources"][name]
    naming = kind_of(declared["Type"]).name
    return bool(naming) and naming in declared.get("Properties", {})


def outputs_of(wanted: Wanted, scope: Scope) -> list[dict[str, str]]:
    """Return the outputs of a stack."""
    made = []
    for key, output in wanted.template.get("Outputs", {}).items():
        if "Condition" in output and not scope.holds(output["Condition"]):
            continue
        told = {"OutputKey": key, "OutputValue": as_text(evaluate(output["Value"], scope))}
        if "Description" in output:
            told["Description"] = output["Description"]
        if "Export" in output:
            told["ExportName"] = as_text(evaluate(output["Export"]["Name"], scope))
        made.append(told)
    return made
