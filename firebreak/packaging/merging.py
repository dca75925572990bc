"""One CloudFormation template of a whole stage, for pipelines: its stacks and Chalice's as one.

The parts stand on each other by name, so CloudFormation sees no order between them; a handle that
waits for nothing stands for all that is before it.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-dependson.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from chalicelib.errors import Invalid
from chalicelib.playbook import reading
from firebreak import templates
from firebreak.cfn import Value
from firebreak.packaging import functions, machines, shipping
from firebreak.packaging.configuration import FILE, ROOT

SUMMARY = "Firebreak, a whole stage: what it must not lose, what it stands on, and its functions."
TRANSFORM = "AWS::Serverless-2016-10-31"
SECTIONS = ("Parameters", "Conditions", "Resources", "Outputs")
BARRIER = "AWS::CloudFormation::WaitConditionHandle"


def template(folder: Path, stage: str, root: Path = ROOT) -> Value:
    """Return the template of a stage of which a build for no place lies in a folder."""
    config, playbooks = json.loads((folder / FILE).read_text("utf-8")), shipping.playbooks(root)
    names = tuple(path.stem for path in reading.files(playbooks))
    wanted = replace(templates.of_config(stage, config), playbooks=names)
    machine = functions.function_id("run_step")
    return merged(
        {
            "Data": templates.build("data", wanted),
            "Foundation": templates.build("foundation", wanted),
            "Functions": functions.template(folder, stage),
            "Machines": {"Resources": machines.resources(stage, shipping.playbooks(root), machine)},
            "Operations": templates.build("operations", wanted),
        }
    )


def merged(parts: Mapping[str, Value]) -> Value:
    """Return several templates as one, each made after what stands before it.

    Raise Invalid where two of them give one name to different things.
    """
    ordered = _ordered({name: part.get("Resources", {}) for name, part in parts.items()})
    found: dict[str, Any] = {section: {} for section in SECTIONS}
    for name, part in parts.items():
        for section in SECTIONS:
            said = ordered[name] if section == "Resources" else part.get(section, {})
            _add(found[section], said, f"{name}: {section}")
    present = {section: said for section, said in found.items() if said}
    whole = _own_values(present, _exports(found["Outputs"]))
    head = {"AWSTemplateFormatVersion": "2010-09-09", "Transform": TRANSFORM}
    return {**head, "Description": SUMMARY, **whole}


def _add(found: dict[str, Any], said: Value, where: str) -> None:
    for name, value in said.items():
        if name in found and (found[name] != value or where.endswith("Resources")):
            raise Invalid(f"{where}.{name}: another template has one of this name: rename it")
        found[name] = value


def _ordered(parts: Mapping[str, Value]) -> dict[str, Value]:
    """Return the resources of each part, each made after all of the part before."""
    ordered: dict[str, Value] = {}
    before = ""
    for name, resources in parts.items():
        ordered[name] = {each: _after(resource, before) for each, resource in resources.items()}
        before, always = f"{name}Ready", [n for n in resources if "Condition" not in resources[n]]
        ordered[name][before] = {"Type": BARRIER, "DependsOn": sorted(always)}
    del ordered[name][before]  # nothing comes after the last part
    return ordered


def _after(resource: Value, before: str) -> Value:
    said = resource.get("DependsOn", [])
    others = [said] if isinstance(said, str) else list(said)
    return {**resource, "DependsOn": [*others, before]} if before else resource


# --- what one stack imports of another ------------------------------------------------------------


def _exports(outputs: Value) -> dict[str, Any]:
    exported = (said for said in outputs.values() if "Export" in said)
    return {said["Export"]["Name"]: said["Value"] for said in exported}


def _own_values(value: Any, exports: Mapping[str, Any]) -> Any:
    """Return a template that has what it would import: a stack cannot import from itself."""
    if isinstance(value, list):
        return [_own_values(each, exports) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Fn::ImportValue"} and value["Fn::ImportValue"] in exports:
        return exports[value["Fn::ImportValue"]]
    return {name: _own_values(each, exports) for name, each in value.items()}
