"""Tests of versions of state machines, and of what an update or a deletion does to what runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firebreak.cloud import Cloud
from tests.cloud.conftest import HOME, token_task
from tests.cloud.strict.conftest import code_of

ROLE = f"arn:aws:iam::{HOME}:role/states"


def saying(word: str) -> str:
    """Return a definition that ends with a word."""
    state = {"Type": "Pass", "Result": word, "End": True}
    return json.dumps({"StartAt": "Say", "States": {"Say": state}})


def waiting(word: str) -> str:
    """Return a definition that waits for a token, then ends with a word."""
    states = {
        "Wait": token_task("keep", Next="Say"),
        "Say": {"Type": "Pass", "Result": word, "End": True},
    }
    return json.dumps({"StartAt": "Wait", "States": states})


@pytest.fixture
def client(cloud: Cloud) -> Any:
    """Return Step Functions of the home account."""
    return cloud.session().client("stepfunctions")


@pytest.fixture
def tokens(cloud: Cloud) -> list[str]:
    """Add a function that keeps the tokens it gets; return them."""
    kept: list[str] = []
    cloud.add_function("keep", lambda event, context: kept.append(event["token"]))
    return kept


def output(cloud: Cloud, client: Any, arn: str) -> Any:
    """Run an execution to its end and return its description."""
    return cloud.wait(client.start_execution(stateMachineArn=arn)["executionArn"])


def test_versions_are_numbered(client: Any) -> None:
    """Each published revision is a version of the next number, the newest listed first."""
    made = client.create_state_machine(
        name="m", definition=saying("a"), roleArn=ROLE, publish=True, versionDescription="first"
    )
    arn = made["stateMachineArn"]
    updated = client.update_state_machine(
        stateMachineArn=arn, definition=saying("b"), publish=True, versionDescription="second"
    )
    client.update_state_machine(stateMachineArn=arn, definition=saying("c"))
    third = client.publish_state_machine_version(stateMachineArn=arn, description="third")
    listed = client.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]

    assert f"{arn}:1" == made["stateMachineVersionArn"]
    assert f"{arn}:2" == updated["stateMachineVersionArn"]
    assert f"{arn}:3" == third["stateMachineVersionArn"]
    assert [f"{arn}:{n}" for n in (3, 2, 1)] == [e["stateMachineVersionArn"] for e in listed]
    assert "second" == client.describe_state_machine(stateMachineArn=f"{arn}:2")["description"]
    page = client.list_state_machine_versions(stateMachineArn=arn, maxResults=2)
    rest = client.list_state_machine_versions(stateMachineArn=arn, nextToken=page["nextToken"])
    assert (2, 1) == (len(page["stateMachineVersions"]), len(rest["stateMachineVersions"]))


def test_a_revision_is_published_once(client: Any) -> None:
    """Publishing what is published gives its version; a revision that is not current is refused."""
    arn = client.create_state_machine(name="m", definition=saying("a"), roleArn=ROLE)[
        "stateMachineArn"
    ]
    publish = client.publish_state_machine_version
    first = publish(stateMachineArn=arn)["stateMachineVersionArn"]
    assert first == publish(stateMachineArn=arn)["stateMachineVersionArn"]
    revision = client.update_state_machine(stateMachineArn=arn, definition=saying("b"))[
        "revisionId"
    ]
    shown = client.describe_state_machine(stateMachineArn=arn)

    assert revision == shown["revisionId"]
    assert "ConflictException" == code_of(publish, stateMachineArn=arn, revisionId="other")
    assert f"{arn}:2" == publish(stateMachineArn=arn, revisionId=revision)["stateMachineVersionArn"]


def test_an_execution_of_a_version(cloud: Cloud, client: Any) -> None:
    """A version runs with its definition; the execution names machine and version."""
    made = client.create_state_machine(name="m", definition=saying("a"), roleArn=ROLE, publish=True)
    arn = made["stateMachineArn"]
    client.update_state_machine(stateMachineArn=arn, definition=saying("b"))
    old, new = output(cloud, client, f"{arn}:1"), output(cloud, client, arn)

    assert ('"a"', '"b"') == (old["output"], new["output"])
    assert (arn, f"{arn}:1") == (old["stateMachineArn"], old["stateMachineVersionArn"])
    assert "stateMachineVersionArn" not in new
    client.delete_state_machine_version(stateMachineVersionArn=f"{arn}:1")
    start = client.start_execution
    assert "StateMachineDoesNotExist" == code_of(start, stateMachineArn=f"{arn}:1")


def test_what_runs_ends_on_what_it_began_with(cloud: Cloud, client: Any, tokens: list[str]) -> None:
    """An update, and deleting the version, do not touch an execution that waits."""
    arn = client.create_state_machine(
        name="m", definition=waiting("old"), roleArn=ROLE, publish=True
    )["stateMachineArn"]
    running = client.start_execution(stateMachineArn=f"{arn}:1")["executionArn"]
    cloud.wait(running)
    client.update_state_machine(stateMachineArn=arn, definition=saying("new"), publish=True)
    client.delete_state_machine_version(stateMachineVersionArn=f"{arn}:1")
    client.send_task_success(taskToken=tokens[0], output="{}")

    assert '"old"' == cloud.wait(running)["output"]
    assert '"new"' == output(cloud, client, arn)["output"]


def test_deleting_ends_what_runs_at_its_next_state(
    cloud: Cloud, client: Any, tokens: list[str]
) -> None:
    """DELETING until nothing runs: nothing starts, and what waited ends when it would go on."""
    arn = client.create_state_machine(name="m", definition=waiting("old"), roleArn=ROLE)[
        "stateMachineArn"
    ]
    running = client.start_execution(stateMachineArn=arn)["executionArn"]
    cloud.wait(running)
    client.delete_state_machine(stateMachineArn=arn)

    assert "DELETING" == client.describe_state_machine(stateMachineArn=arn)["status"]
    assert "RUNNING" == client.describe_execution(executionArn=running)["status"]
    assert "StateMachineDeleting" == code_of(client.start_execution, stateMachineArn=arn)
    again = {"name": "m", "definition": saying("new"), "roleArn": ROLE}
    assert "StateMachineDeleting" == code_of(client.create_state_machine, **again)
    client.send_task_success(taskToken=tokens[0], output="{}")
    assert "ABORTED" == cloud.wait(running)["status"]
    assert [] == client.list_state_machines()["stateMachines"]
    assert "ok" == code_of(client.create_state_machine, **again)


def test_settings_and_tags(client: Any) -> None:
    """Tracing, logging and tags are kept."""
    logging = {
        "level": "ERROR",
        "includeExecutionData": False,
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:x:y:z:*"}}],
    }
    arn = client.create_state_machine(
        name="m",
        definition=saying("a"),
        roleArn=ROLE,
        loggingConfiguration=logging,
        tracingConfiguration={"enabled": True},
        tags=[{"key": "a", "value": "b"}],
    )["stateMachineArn"]
    shown = client.describe_state_machine(stateMachineArn=arn)

    assert logging == shown["loggingConfiguration"]
    assert {"enabled": True} == shown["tracingConfiguration"]
    tags = client.list_tags_for_resource(resourceArn=arn)["tags"]
    assert [{"key": "a", "value": "b"}] == tags


def test_validating_a_definition(client: Any) -> None:
    """What would be refused is told, without a state machine."""
    validate = client.validate_state_machine_definition
    wrong = json.dumps({"StartAt": "B", "States": {"A": {"Type": "Succeed"}}})

    assert "OK" == validate(definition=saying("a"))["result"]
    assert "FAIL" == validate(definition=wrong)["result"]
    assert "INVALID_JSON_DESCRIPTION" == validate(definition="{")["diagnostics"][0]["code"]
