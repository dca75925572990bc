"""The state machines of the playbooks as resources of a template."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chalicelib import playbook
from chalicelib.effect import canonical_text
from chalicelib.playbook import Playbook
from chalicelib.settings import machine_role
from chalicelib.workflow import FUNCTION
from chalicelib.workflow import compile as compiled
from firebreak import cfn
from firebreak.cfn import Value

STEP = FUNCTION.strip("${}")  # what a definition leaves open, by its name


def resources(stage: str, folder: Path, function: str) -> Value:
    """Return a state machine and a version of it for each playbook of a folder.

    function: the logical id of the function that does the steps.
    """
    return {
        identity: resource
        for each in playbook.load(folder).values()
        for identity, resource in _of(stage, each, function)
    }


def _of(stage: str, each: Playbook, function: str) -> Iterator[tuple[str, Value]]:
    """Yield a machine and its version: a change makes another, and those that there were stay.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-stepfunctions-statemachineversion.html
    """
    machine = f"{cfn.logical(each.name)}Machine"
    properties = {
        "StateMachineName": cfn.names(stage).state_machine_arn(each.name).rpartition(":")[2],
        "StateMachineType": "STANDARD",
        "RoleArn": cfn.role_arn(machine_role(stage)),
    }
    resource = cfn.resource("StepFunctions::StateMachine", properties)
    resource["Properties"] |= {
        "DefinitionString": canonical_text(compiled(each)),
        "DefinitionSubstitutions": {STEP: {"Fn::GetAtt": [function, "Arn"]}},
    }
    yield machine, resource
    published = {
        "StateMachineArn": {"Ref": machine},
        "StateMachineRevisionId": {"Fn::GetAtt": [machine, "StateMachineRevisionId"]},
        "Description": f"version {each.version} of the playbook",
    }
    yield f"{machine}Version", cfn.kept("StepFunctions::StateMachineVersion", published)
