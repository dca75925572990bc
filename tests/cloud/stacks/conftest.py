"""A client of CloudFormation that takes templates as dicts, and what its stacks say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import Cloud

CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
Resources = Mapping[str, Any]


def template(resources: Resources, **sections: Any) -> str:
    """Return the text of a template."""
    return json.dumps({"Resources": resources, **sections})


@dataclass(frozen=True)
class Stacks:
    """CloudFormation, as one caller sees it."""

    client: Any

    def create(self, name: str, text: str, **more: Any) -> None:
        """Create a stack."""
        self.client.create_stack(
            StackName=name, TemplateBody=text, Capabilities=CAPABILITIES, **more
        )

    def update(self, name: str, text: str, **more: Any) -> None:
        """Update a stack."""
        self.client.update_stack(
            StackName=name, TemplateBody=text, Capabilities=CAPABILITIES, **more
        )

    def submit(self, name: str, change_set: str, text: str, **more: Any) -> Any:
        """Create a change set and return its description."""
        made = self.client.create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            TemplateBody=text,
            Capabilities=CAPABILITIES,
            **more,
        )
        return self.client.describe_change_set(ChangeSetName=made["Id"])

    def described(self, name: str) -> Any:
        """Return the description of a stack."""
        return self.client.describe_stacks(StackName=name)["Stacks"][0]

    def status(self, name: str) -> str:
        """Return the status of a stack."""
        return str(self.described(name)["StackStatus"])

    def reasons(self, name: str) -> dict[str, str]:
        """Return why resources failed, by logical id."""
        events = self.client.describe_stack_events(StackName=name)["StackEvents"]
        return {
            event["LogicalResourceId"]: event["ResourceStatusReason"]
            for event in events
            if event["ResourceStatus"].endswith("_FAILED") and "ResourceStatusReason" in event
        }


@pytest.fixture
def stacks(cloud: Cloud) -> Stacks:
    """Return CloudFormation of the home account."""
    return Stacks(cloud.session().client("cloudformation"))


def refusal(call: Any, *args: Any, **params: Any) -> tuple[str, str]:
    """Return code and message of the error a call raises; two empty texts where it raises none."""
    try:
        call(*args, **params)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "", ""
