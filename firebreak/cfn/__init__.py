"""CloudFormation as plain values: what the templates of a stage are made of.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.settings import FUNCTIONS, Settings, defaults, function_name, function_role

ACCOUNT, REGION, PARTITION = "${AWS::AccountId}", "${AWS::Region}", "${AWS::Partition}"
OPEN = re.compile(r"\$\{[A-Z]")  # what CloudFormation fills in begins with a capital letter
POLICY_VARIABLE = re.compile(r"\$\{(?=[a-z])")  # IAM's own, such as ${aws:PrincipalAccount}
VERSION = "2012-10-17"

ORGANIZATION_SHAPE = {
    "AllowedPattern": "|o-[a-z0-9]{10,32}",
    "ConstraintDescription": "the id of an organisation, such as o-a1b2c3d4e5, or nothing",
}
ACCOUNT_SHAPE = {"AllowedPattern": "[0-9]{12}", "ConstraintDescription": "12 digits"}
REGION_SHAPE = {
    "AllowedPattern": "[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}",
    "ConstraintDescription": "an AWS region, such as eu-west-1",
}

Value = dict[str, Any]
Values = Mapping[str, Any]


def names(stage: str) -> Settings:
    """Return what a stage's things are called, with CloudFormation's account, region, partition."""
    given = defaults(stage, ACCOUNT, REGION, PARTITION)
    return Settings(
        stage=stage,
        home_account=ACCOUNT,
        region=REGION,
        partition=PARTITION,
        remediations_table=given["FIREBREAK_REMEDIATIONS_TABLE"],
        audit_table=given["FIREBREAK_AUDIT_TABLE"],
        topic_arn=given["FIREBREAK_TOPIC_ARN"],
        member_role=given["FIREBREAK_MEMBER_ROLE"],
        external_id=given["FIREBREAK_EXTERNAL_ID"],
    )


def template(summary: str, resources: Values, **parts: Values) -> Value:
    """Return a template; empty parts are left out. Raise ValueError where a part is none."""
    if wrong := set(parts) - {"parameters", "conditions", "outputs"}:
        raise ValueError(f"a template has no {', '.join(sorted(wrong))}")
    said = {
        "Parameters": parts.get("parameters"),
        "Conditions": parts.get("conditions"),
        "Resources": resources,
        "Outputs": parts.get("outputs"),
    }
    present = {name: part for name, part in said.items() if part}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Description": summary, **present}


def sub(value: Any) -> Any:
    """Return a value in which every text that holds `${` is filled in by CloudFormation.

    IAM's policy variables are left to IAM.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-sub.html
    """
    if isinstance(value, str):
        return {"Fn::Sub": POLICY_VARIABLE.sub("${!", value)} if OPEN.search(value) else value
    if isinstance(value, Mapping):
        whole = "Fn::Sub" in value
        return dict(value) if whole else {name: sub(each) for name, each in value.items()}
    return [sub(each) for each in value] if isinstance(value, Sequence) else value


def parameter(description: str, default: str | int | None = None, **more: Any) -> Value:
    """Return a parameter: a text, unless `more` says otherwise."""
    given = {} if default is None else {"Default": default}
    return {"Type": "String", "Description": description, **given, **more}


def resource(kind: str, properties: Values, **more: Any) -> Value:
    """Return a resource; what its texts leave open is filled in by CloudFormation."""
    return {"Type": f"AWS::{kind}", **more, "Properties": sub(properties)}


def kept(kind: str, properties: Values, **more: Any) -> Value:
    """Return a resource that outlives its stack: losing it would hurt, once it was made.

    One whose stack fails to be made goes, or it would stand in the way of the next try.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
    """
    policies = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
    return resource(kind, properties, **policies, **more)


def if_(condition: str, value: Any, otherwise: Any = None) -> Value:
    """Return a value that holds on a condition; without it another, or none at all."""
    return {"Fn::If": [condition, value, otherwise or {"Ref": "AWS::NoValue"}]}


def given(parameter: str) -> Value:
    """Return the condition that a parameter is not empty."""
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


def some_given(parameter: str) -> Value:
    """Return the condition that a list parameter is not empty."""
    return {"Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": parameter}]}, ""]}]}


def exported(stage: str, name: str) -> str:
    """Return under which name a stage's stack exports a value."""
    return f"firebreak-{stage}-{name}"


def imported(stage: str, name: str) -> Value:
    """Return a value that another stack of the stage exports."""
    return {"Fn::ImportValue": exported(stage, name)}


def arn(service: str, what: str, *, region: str = REGION, account: str = ACCOUNT) -> str:
    """Return the ARN of something, of this account and region if nothing else is said."""
    return f"arn:{PARTITION}:{service}:{region}:{account}:{what}"


def root(account: str = ACCOUNT) -> str:
    """Return the principal that stands for an account."""
    return arn("iam", "root", region="", account=account)


def role_arn(role: str, account: str = ACCOUNT) -> str:
    """Return the ARN of a role."""
    return arn("iam", f"role/{role}", region="", account=account)


def function_role_arn(stage: str, function: str, account: str = ACCOUNT) -> str:
    """Return the ARN of the role of a function."""
    return role_arn(function_role(stage, function), account)


def rule_name(stage: str, function: str) -> str:
    """Return the name that Chalice gives to the rule of a function."""
    return f"firebreak-{stage}-{function}-event"


def logical(name: str) -> str:
    """Return a name as CloudFormation takes it for a resource: `on_event` is `OnEvent`."""
    return "".join(part.capitalize() for part in re.split("[^A-Za-z0-9]+", name))


def functions(stage: str) -> dict[str, str]:
    """Return the name of every function's deployed function."""
    return {function: function_name(stage, function) for function in FUNCTIONS}


def triggered(*, scheduled: bool | None = None) -> tuple[str, ...]:
    """Return the functions that an EventBridge rule invokes.

    scheduled: only those of schedules, or only those of event patterns.
    """
    from chalice.app import ScheduledEventConfig

    import app

    return tuple(
        source.name
        for source in app.app.event_sources
        if scheduled is None or isinstance(source, ScheduledEventConfig) is scheduled
    )
