"""What CloudFormation keeps of a stack: its resources, its events, and what it was made of."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from firebreak.cloud.stacks.intrinsics import Scope
from firebreak.cloud.stacks.kinds import At, Made
from firebreak.cloud.stacks.parameters import shown, values
from firebreak.cloud.stacks.templates import Template

STACK = "AWS::CloudFormation::Stack"
FINAL_FAILURES = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stack is to be: a template, its parameters and tags."""

    text: str
    template: Template
    settled: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)

    def active(self, scope: Scope) -> list[str]:
        """Return the resources whose condition holds."""
        return [
            name
            for name, resource in self.template["Resources"].items()
            if "Condition" not in resource or scope.holds(resource["Condition"])
        ]

    def parameters(self) -> list[dict[str, str]]:
        """Return the parameters as they are described."""
        return shown(self.template.get("Parameters", {}), self.settled)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a stack, as it stands."""

    name: str
    kind: str
    made: Made
    properties: Mapping[str, Any]
    declared: Mapping[str, Any]

    def kept(self, *, replaced: bool = False) -> bool:
        """Say whether the template asks to keep it when the stack no longer wants it.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
        """
        attribute = "UpdateReplacePolicy" if replaced else "DeletionPolicy"
        return str(self.declared.get(attribute, "Delete")).startswith("Retain")


class Stack:
    """One stack."""

    def __init__(self, at: At, name: str) -> None:
        self.at, self.name = at, name
        place = f"arn:{at.partition}:cloudformation:{at.region}:{at.account}"
        self.id = f"{place}:stack/{name}/{uuid.uuid4()}"
        self.status, self.reason = "REVIEW_IN_PROGRESS", ""
        self.created = dt.datetime.now(dt.UTC)
        self.updated: dt.datetime | None = None
        self.deleted: dt.datetime | None = None
        self.made_of: Wanted | None = None
        self.resources: dict[str, Resource] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.outputs: list[dict[str, str]] = []
        self.events: list[dict[str, Any]] = []
        self.capabilities: list[str] = []
        self.role: str | None = None
        self.protected = False
        self.change_set: str | None = None

    def become(self, status: str, reason: str = "") -> None:
        """Put the stack into a status, and note it."""
        self.status, self.reason = status, reason
        self.note(self.name, STACK, self.id, status, reason)

    def note(self, name: str, kind: str, physical: str, status: str, reason: str = "") -> None:
        """Add an event."""
        event = {
            "EventId": str(uuid.uuid4()),
            "LogicalResourceId": name,
            "PhysicalResourceId": physical,
            "ResourceStatus": status,
            "ResourceType": kind,
            "StackId": self.id,
            "StackName": self.name,
            "Timestamp": dt.datetime.now(dt.UTC),
        }
        self.events.append(event | ({"ResourceStatusReason": reason} if reason else {}))
        replaced = self.states.get(name, event)["PhysicalResourceId"] not in ("", physical)
        if physical != self.id and not (replaced and status.startswith("DELETE")):
            self.states[name] = self.events[-1]

    def values(self, wanted: Wanted) -> dict[str, Any]:
        """Return what `Ref` gives for the parameters and pseudo parameters."""
        pseudo = {
            "AWS::AccountId": self.at.account,
            "AWS::NotificationARNs": [],
            "AWS::Partition": self.at.partition,
            "AWS::Region": self.at.region,
            "AWS::StackId": self.id,
            "AWS::StackName": self.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        return {**pseudo, **values(wanted.template.get("Parameters", {}), wanted.settled)}

    def described(self) -> dict[str, Any]:
        """Return the stack as DescribeStacks shows it."""
        told: dict[str, Any] = {
            "StackId": self.id,
            "StackName": self.name,
            "StackStatus": self.status,
            "StackStatusReason": self.reason or None,
            "CreationTime": self.created,
            "LastUpdatedTime": self.updated,
            "DeletionTime": self.deleted,
            "EnableTerminationProtection": self.protected,
            "Capabilities": self.capabilities,
            "RoleARN": self.role,
            "ChangeSetId": self.change_set,
            "DisableRollback": False,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
            "NotificationARNs": [],
            "Outputs": self.outputs or None,
            "Tags": [],
        }
        if self.made_of is not None:
            told["Description"] = self.made_of.template.get("Description")
            told["Parameters"] = self.made_of.parameters() or None
            told["Tags"] = [{"Key": k, "Value": v} for k, v in self.made_of.tags.items()]
        return {key: value for key, value in told.items() if value is not None}


class Kept:
    """The stacks and change sets of an account in a region."""

    def __init__(self) -> None:
        self.stacks: dict[str, Stack] = {}
        self.deleted: dict[str, Stack] = {}
        self.change_sets: dict[str, Any] = {}

    def find(self, name: str) -> Stack | None:
        """Return the stack of a name or an ARN; a deleted one only by its ARN."""
        for stack in self.stacks.values():
            if name in (stack.name, stack.id):
                return stack
        return self.deleted.get(name)

    def exports(self, apart: Stack) -> dict[str, str]:
        """Return what the other stacks give out."""
        return {
            output["ExportName"]: output["OutputValue"]
            for stack in self.stacks.values()
            if stack is not apart
            for output in stack.outputs
            if "ExportName" in output
        }
