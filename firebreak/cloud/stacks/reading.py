"""The operations of CloudFormation's API that read.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult

from firebreak.cloud.stacks.errors import invalid
from firebreak.cloud.stacks.operations import kept, named
from firebreak.cloud.stacks.stack import Stack
from firebreak.cloud.stacks.templates import IAM_NAMES, Template, body, parse


def describe_stacks(response: Any) -> ActionResult:
    """Describe one stack, or all."""
    if response._get_param("StackName"):
        found = [named(response, message="Stack with id {} does not exist")]
    else:
        found = list(kept(response).stacks.values())
    return ActionResult({"Stacks": [each.described() for each in found]})


def list_stacks(response: Any) -> ActionResult:
    """List stacks, those deleted too."""
    here = kept(response)
    wanted = response._get_param("StackStatusFilter", []) or []
    found = [each.described() for each in (*here.stacks.values(), *here.deleted.values())]
    return ActionResult(
        {"StackSummaries": [e for e in found if not wanted or e["StackStatus"] in wanted]}
    )


def describe_stack_events(response: Any) -> ActionResult:
    """Return the events of a stack, the newest first."""
    return ActionResult({"StackEvents": named(response).events[::-1]})


def _resources(stack: Stack) -> list[dict[str, Any]]:
    return [
        {
            **{key: value for key, value in event.items() if key != "EventId"},
            "LastUpdatedTimestamp": event["Timestamp"],
        }
        for event in stack.states.values()
        if event["ResourceStatus"] != "DELETE_COMPLETE" or stack.status == "DELETE_COMPLETE"
    ]


def describe_stack_resources(response: Any) -> ActionResult:
    """Return the resources of a stack, or one of them."""
    wanted = response._get_param("LogicalResourceId")
    found = _resources(named(response))
    return ActionResult(
        {"StackResources": [e for e in found if wanted in (None, e["LogicalResourceId"])]}
    )


def describe_stack_resource(response: Any) -> ActionResult:
    """Return one resource of a stack."""
    stack, wanted = named(response), response._get_param("LogicalResourceId")
    for each in _resources(stack):
        if each["LogicalResourceId"] == wanted:
            return ActionResult({"StackResourceDetail": each})
    raise invalid(f"Resource {wanted} does not exist for stack {stack.name}")


def list_stack_resources(response: Any) -> ActionResult:
    """List the resources of a stack."""
    return ActionResult({"StackResourceSummaries": _resources(named(response))})


def get_template(response: Any) -> ActionResult:
    """Return the text of a stack's template, as it came."""
    stack = named(response)
    text = "" if stack.made_of is None else stack.made_of.text
    return ActionResult({"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]})


def validate_template(response: Any) -> ActionResult:
    """Say what a template asks for, if it is one."""
    template = parse(_text(response))
    told = _asked_of(template)
    return ActionResult({**told, "Description": template.get("Description", "")})


def get_template_summary(response: Any) -> ActionResult:
    """Say what a template, or that of a stack, asks for and holds."""
    if response._get_param("StackName"):
        made_of = named(response).made_of
        if made_of is None:
            raise invalid("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")
        template = made_of.template
    else:
        template = parse(_text(response))
    types = sorted({each["Type"] for each in template["Resources"].values()})
    told = {**_asked_of(template), "ResourceTypes": types}
    return ActionResult({**told, "Description": template.get("Description", "")})


def _text(response: Any) -> str:
    url = response._get_param("TemplateURL")
    stored = response._get_stack_from_s3_url(url) if url else None
    return body(response._get_param("TemplateBody"), stored)


def _asked_of(template: Template) -> dict[str, Any]:
    """Return what whoever makes a stack of a template has to give and to acknowledge."""
    of_iam = any(each["Type"] in IAM_NAMES for each in template["Resources"].values())
    parameters = [
        {
            "ParameterKey": name,
            "ParameterType": spec.get("Type", "String"),
            "NoEcho": str(spec.get("NoEcho")).lower() == "true",
            **({"DefaultValue": str(spec["Default"])} if "Default" in spec else {}),
            **({"Description": spec["Description"]} if "Description" in spec else {}),
        }
        for name, spec in template.get("Parameters", {}).items()
    ]
    needed = ["CAPABILITY_NAMED_IAM"] if of_iam else []
    return {"Parameters": parameters, "Capabilities": needed}


def list_exports(response: Any) -> ActionResult:
    """List what the stacks give out."""
    return ActionResult(
        {
            "Exports": [
                {
                    "ExportingStackId": stack.id,
                    "Name": output["ExportName"],
                    "Value": output["OutputValue"],
                }
                for stack in kept(response).stacks.values()
                for output in stack.outputs
                if "ExportName" in output
            ]
        }
    )


OPERATIONS: dict[str, Callable[[Any], ActionResult]] = {
    each.__name__: each
    for each in (
        describe_stack_events,
        describe_stack_resource,
        describe_stack_resources,
        describe_stacks,
        get_template,
        get_template_summary,
        list_exports,
        list_stack_resources,
        list_stacks,
        validate_template,
    )
}
