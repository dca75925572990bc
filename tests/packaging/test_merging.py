from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chalicelib import playbook, retrying
from chalicelib.errors import Invalid
from chalicelib.settings import FUNCTIONS, function_name, function_role
from chalicelib.workflow import compile as compiled
from firebreak import iam
from firebreak.packaging import build, merging
from firebreak.packaging.functions import renamed
from tests.packaging import clones

Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the template of the project as it is."""
    root = clones.clone(tmp_path_factory.mktemp("merged") / "clone")
    return merging.template(build("dev", iam.pseudo("dev"), root=root).folder, "dev", root)


@pytest.fixture(scope="module")
def resources(template: dict[str, Any]) -> Resources:
    """Return the resources of the template."""
    found: Resources = template["Resources"]
    return found


def of(resources: Resources, kind: str) -> Resources:
    """Return the resources of a type."""
    return {name: each for name, each in resources.items() if each["Type"] == f"AWS::{kind}"}


def test_the_template_passes_the_linter(template: dict[str, Any], tmp_path: Path) -> None:
    """cfn-lint, which expands SAM's transform, finds nothing, and is told to ignore nothing."""
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template), "utf-8")
    done = subprocess.run(  # noqa: S603  # our own interpreter
        [Path(sys.executable).with_name("cfn-lint"), path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stdout)
    assert path.stat().st_size < 1_000_000  # what CloudFormation takes from a bucket


def test_every_function_has_its_own_name_role_and_policy(resources: Resources) -> None:
    """Functions and roles are named as Firebreak derives it, and log JSON."""
    found = {
        each["Properties"]["FunctionName"]: each["Properties"]
        for each in of(resources, "Serverless::Function").values()
    }

    assert {function_name("dev", name) for name in FUNCTIONS} == set(found)
    for function in FUNCTIONS:
        properties = found[function_name("dev", function)]
        role = resources[properties["Role"]["Fn::GetAtt"][0]]["Properties"]
        assert function_role("dev", function) == role["RoleName"]
        assert {"LogFormat": "JSON"} == properties["LoggingConfig"]
        assert "./deployment.zip" == properties["CodeUri"]


def test_no_account_or_region_stands_in_the_template(template: dict[str, Any]) -> None:
    """Account and region are those that it is deployed to, also for the functions."""
    function = template["Resources"]["RunStepFunction"]["Properties"]

    assert {
        "FIREBREAK_STAGE": "dev",
        "FIREBREAK_HOME_ACCOUNT": {"Fn::Sub": "${AWS::AccountId}"},
        "FIREBREAK_REGION": {"Fn::Sub": "${AWS::Region}"},
    } == function["Environment"]["Variables"]
    assert [] == list(bare(template, ""))


def bare(value: Any, key: str) -> list[str]:
    """Return the texts that hold what nobody would fill in."""
    if isinstance(value, dict):
        return [text for name, each in value.items() for text in bare(each, name)]
    if isinstance(value, list):
        return [text for each in value for text in bare(each, key)]
    open_ = isinstance(value, str) and "${AWS::" in value and key != "Fn::Sub"
    return [value] if open_ else []


def test_rules_have_names_and_lead_what_fails_to_a_queue(resources: Resources) -> None:
    """Each rule is named as Chalice names it; what is tried again goes to the retry queue."""
    found = {}
    for function in of(resources, "Serverless::Function").values():
        for event in function["Properties"].get("Events", {}).values():
            said = event["Properties"]
            name = said.get("RuleName") or said["Name"]
            found[name] = said["DeadLetterConfig"]["Arn"]["Fn::Sub"].rpartition(":")[2]
    names = ("on_event", "on_execution_ended", "sweep", "reconcile", "seal_audit")

    assert {
        f"firebreak-dev-{name}-event": "firebreak-dev-"
        + ("retry-intake" if name in retrying.HANDLERS else "dead-letters")
        for name in names
    } == found


def test_each_playbook_has_a_machine_and_a_version(resources: Resources) -> None:
    """A machine is the playbook, compiled, with the function's ARN put in by CloudFormation."""
    machines = {
        each["Properties"]["StateMachineName"]: (name, each["Properties"])
        for name, each in of(resources, "StepFunctions::StateMachine").items()
    }
    versions = of(resources, "StepFunctions::StateMachineVersion")
    playbooks = playbook.load(clones.ROOT / "playbooks")

    assert {f"firebreak-dev-{name}" for name in playbooks} == set(machines)
    for each in playbooks.values():
        name, properties = machines[f"firebreak-dev-{each.name}"]
        assert compiled(each) == json.loads(properties["DefinitionString"])
        substituted = {"run_step": {"Fn::GetAtt": ["RunStepFunction", "Arn"]}}
        assert substituted == properties["DefinitionSubstitutions"]
        version = versions[f"{name}Version"]
        assert {"Ref": name} == version["Properties"]["StateMachineArn"]
        assert "Retain" == version["UpdateReplacePolicy"]


def test_each_part_is_made_after_the_one_before(resources: Resources) -> None:
    """Tables are there before queues, queues before functions, functions before machines."""

    def before(name: str) -> set[str]:
        said = resources[name].get("DependsOn", [])
        direct = {said} if isinstance(said, str) else set(said)
        return direct.union(*map(before, direct)) if direct else direct

    assert {"AuditTable", "StageKeyAlias", "RetryIntake"} <= before("OnEventFunction")
    assert {"OnEventLogs", "RunStepFunction"} <= before("ReportRootUsageMachine")
    (mapping,) = (
        name
        for name, each in of(resources, "Lambda::EventSourceMapping").items()
        if each["Properties"]["FunctionName"] == function_name("dev", "keep_audit")
    )
    assert {"KeepAuditFunction", "ReportRootUsageMachine", "AuditTable"} <= before(mapping)


def test_logs_go_to_the_groups_of_the_foundation_alone(resources: Resources) -> None:
    """Each function has one log group, encrypted, that is there before it."""
    groups = [each["Properties"] for each in of(resources, "Logs::LogGroup").values()]
    names = [group["LogGroupName"] for group in groups]

    assert {f"/aws/lambda/{function_name('dev', name)}" for name in FUNCTIONS} <= set(names)
    assert len(set(names)) == len(names)
    assert all("KmsKeyId" in group for group in groups)


def test_nothing_is_imported_from_another_stack(template: dict[str, Any]) -> None:
    """What the stacks of a deployment import of each other is at hand in one template."""
    assert "Fn::ImportValue" not in json.dumps(template)


def test_two_parts_with_one_name_are_refused() -> None:
    """A logical id that two templates give is an error, and not the loss of one of them."""
    part = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}

    with pytest.raises(Invalid, match=r"Two: Resources.Topic: another template has one"):
        merging.merged({"One": part, "Two": part})
    with pytest.raises(Invalid, match=r"Two: Parameters.Years: another template has one"):
        merging.merged({"One": {"Parameters": {"Years": 1}}, "Two": {"Parameters": {"Years": 2}}})


def test_parameters_that_two_parts_share_are_one() -> None:
    """A parameter that two templates say alike is asked for once."""
    part = {"Parameters": {"Years": {"Type": "Number"}}}

    assert {"Years": {"Type": "Number"}} == merging.merged({"A": part, "B": part})["Parameters"]


def test_a_resource_is_renamed_wherever_it_is_named() -> None:
    """References of every kind follow; what only looks like one stays."""
    value = {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Other": {
            "Type": "AWS::X::Y",
            "DependsOn": "Queue",
            "Properties": {
                "A": {"Ref": "Queue"},
                "B": {"Fn::GetAtt": ["Queue", "Arn"]},
                "C": {"Fn::Sub": "${Queue.Arn}/${Queue}/${AWS::Region}/${!Queue}"},
                "D": {"Fn::Sub": ["${X}", {"X": {"Ref": "Queue"}}]},
                "Queue": "Queue",
            },
        },
    }

    assert {
        "Line": {"Type": "AWS::SQS::Queue"},
        "Other": {
            "Type": "AWS::X::Y",
            "DependsOn": "Line",
            "Properties": {
                "A": {"Ref": "Line"},
                "B": {"Fn::GetAtt": ["Line", "Arn"]},
                "C": {"Fn::Sub": "${Line.Arn}/${Line}/${AWS::Region}/${!Queue}"},
                "D": {"Fn::Sub": ["${X}", {"X": {"Ref": "Line"}}]},
                "Queue": "Queue",
            },
        },
    } == renamed(value, {"Queue": "Line"})
