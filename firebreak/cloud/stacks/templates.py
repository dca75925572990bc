"""Read a template, and refuse what CloudFormation refuses before it begins.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import yaml

from firebreak.cloud.stacks.errors import invalid, refused
from firebreak.cloud.stacks.intrinsics import references
from firebreak.iam.registry import known_types, schema

Template = Mapping[str, Any]

MAX_BODY_BYTES, MAX_STORED_BYTES = 51_200, 1_048_576
SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Hooks",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
        "Transform",
    }
)
PSEUDO = frozenset(
    f"AWS::{name}"
    for name in (
        "AccountId",
        "NoValue",
        "NotificationARNs",
        "Partition",
        "Region",
        "StackId",
        "StackName",
        "URLSuffix",
    )
)
# Types whose creation needs to be acknowledged, and the property that names each.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
IAM_NAMES = {
    "AWS::IAM::AccessKey": "",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": "",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::UserToGroupAddition": "",
}


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms; dates stay texts."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _short_form(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        value: Any = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = loader.construct_scalar(node)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def parse(text: str) -> Template:
    """Read a template's text; raise ValidationError where it is none."""
    try:
        read = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, _Loader)  # noqa: S506  # a safe loader
    except (ValueError, yaml.YAMLError) as error:
        raise invalid(f"Template format error: {error}") from None
    if not isinstance(read, dict):
        raise invalid("Template format error: unsupported structure.")
    _check_shape(read)
    _check_types(read)
    _check_references(read)
    in_order(read, read["Resources"])
    return read


def _check_shape(template: Template) -> None:
    unknown = sorted(template.keys() - SECTIONS)
    if unknown:
        raise invalid(f"Invalid template property or properties [{', '.join(unknown)}]")
    resources = template.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise invalid("Template format error: At least one Resources member must be defined.")
    for name, resource in resources.items():
        if not name.isalnum():
            message = f"Template format error: Resource name {name} is non alphanumeric."
            raise invalid(message)
        if not isinstance(resource, dict) or "Type" not in resource:
            where = f"[/Resources/{name}]"
            raise invalid(
                f"Template format error: {where} Every Resources object must contain a Type member."
            )


def _check_types(template: Template) -> None:
    types = {resource["Type"] for resource in template["Resources"].values()}
    unknown = sorted(types - known_types().keys())
    if unknown:
        raise invalid(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")


def _check_references(template: Template) -> None:
    known = {*template["Resources"], *template.get("Parameters", {}), *PSEUDO}
    for section in ("Resources", "Outputs"):
        missing = sorted(set(references(template.get(section, {}))) - known)
        if section == "Resources":
            wanted = {name for each in template[section].values() for name in depends_on(each)}
            missing = sorted({*missing, *wanted} - known)
        if missing:
            message = f"Unresolved resource dependencies [{', '.join(missing)}]"
            raise invalid(
                f"Template format error: {message} in the {section} block of the template"
            )


def depends_on(resource: Mapping[str, Any]) -> list[str]:
    """Return the resources that a resource is said to wait for."""
    wanted = resource.get("DependsOn", [])
    return [wanted] if isinstance(wanted, str) else list(wanted)


def in_order(template: Template, wanted: Collection[str]) -> list[str]:
    """Return resources so that each comes after those it speaks of."""
    resources = template["Resources"]
    graph = {
        name: {
            each
            for each in (*references(resources[name]), *depends_on(resources[name]))
            if each in resources and each != name
        }
        for name in resources
    }
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        names = ", ".join(sorted(set(error.args[1])))
        raise invalid(f"Circular dependency between resources: [{names}]") from None
    return [name for name in order if name in wanted]


def check_capabilities(template: Template, given: Collection[str]) -> None:
    """Refuse IAM resources that the caller did not acknowledge.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
    """
    of_iam = [each for each in template["Resources"].values() if each["Type"] in IAM_NAMES]
    named = any(IAM_NAMES[each["Type"]] in each.get("Properties", {}) for each in of_iam)
    needed = "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"
    if of_iam and not {needed, "CAPABILITY_NAMED_IAM"} & set(given):
        message = f"Requires capabilities : [{needed}]"
        raise refused("InsufficientCapabilitiesException", message)


def body(given: str | None, stored: str | None) -> str:
    """Return the text of a template that came with a call, or lay in a bucket."""
    if bool(given) == bool(stored):
        raise invalid("Either Template URL or Template Body must be specified.")
    text, field, limit = (
        (given, "templateBody", MAX_BODY_BYTES) if given else (stored, "template", MAX_STORED_BYTES)
    )
    if len((text or "").encode()) > limit:
        raise invalid(
            f"1 validation error detected: Value at '{field}' failed to satisfy constraint: "
            f"Member must have length less than or equal to {limit}"
        )
    return text or ""


def tag_property(kind: str) -> str:
    """Return the property that holds a type's tags; "" where it has none."""
    tagging = schema(kind).get("tagging", {})
    named = str(tagging.get("tagProperty", "/properties/Tags")).rsplit("/", 1)[-1]
    return named if named in schema(kind)["properties"] else ""
