from __future__ import annotations

import pytest

from chalicelib import settings, wiring
from chalicelib.clock import Clock
from chalicelib.store import listing
from chalicelib.table import Tables
from firebreak.cloud.calls import ProcessKilled
from tests.deploying.clones import Clone
from tests.worlds import HOME, failing

REGION = "us-east-1"
STATE = f"firebreak-dev-state-{HOME}-{REGION}"


@pytest.fixture
def deployed(clone: Clone) -> Clone:
    """Give a clone whose stage is deployed."""
    assert 0 == clone.deploy().exit_code
    return clone


def tables() -> Tables:
    known = settings.from_environment(settings.defaults("dev", HOME, REGION))
    return wiring.desk(known, Clock()).tables


def left(clone: Clone) -> dict[str, list[str]]:
    """Return what there is of a stage."""
    stacks = clone.client("cloudformation").describe_stacks()["Stacks"]
    machines = clone.client("stepfunctions").list_state_machines()["stateMachines"]
    return {
        "stacks": [each["StackName"] for each in stacks],
        "machines": [each["name"] for each in machines],
        "functions": [
            each["FunctionName"] for each in clone.client("lambda").list_functions()["Functions"]
        ],
        "rules": [each["Name"] for each in clone.client("events").list_rules()["Rules"]],
        "apis": [each["id"] for each in clone.client("apigateway").get_rest_apis()["items"]],
        "roles": [each["RoleName"] for each in clone.client("iam").list_roles()["Roles"]],
        "tables": clone.client("dynamodb").list_tables()["TableNames"],
        "buckets": [each["Name"] for each in clone.client("s3").list_buckets()["Buckets"]],
    }


def test_what_a_stage_must_not_lose_stays(deployed: Clone) -> None:
    """Functions, machines and stacks go; tables, buckets and their stack stay, and it is said."""
    done = deployed.destroy()
    there = left(deployed)

    assert 0 == done.exit_code, done.exception
    assert ["firebreak-dev-data"] == there["stacks"]
    assert [] == [*there["machines"], *there["functions"], *there["rules"], *there["apis"]]
    assert [] == there["roles"]
    assert ["firebreak-dev-audit", "firebreak-dev-remediations"] == sorted(there["tables"])
    assert "Stays: both tables" in done.output
    assert "destroyed" in [record.kind for record in tables().records("DEPLOYMENT")]


def test_a_stage_is_deployed_again_on_the_data_it_left(deployed: Clone) -> None:
    """The trail goes on where it was."""
    before = len(tables().records("DEPLOYMENT"))
    deployed.destroy()
    done = deployed.deploy()

    assert 0 == done.exit_code, done.exception
    assert "data        nothing to change" in done.output
    assert before < len(tables().records("DEPLOYMENT"))
    assert "Nothing to change." in deployed.deploy().output


def test_with_data_tables_and_records_go_too(deployed: Clone) -> None:
    """--data deletes tables and state bucket; what is locked stays, and it is said."""
    done = deployed.destroy("--data")
    there = left(deployed)

    assert 0 == done.exit_code, done.exception
    assert [] == [*there["stacks"], *there["tables"]]
    assert [f"firebreak-dev-audit-{HOME}-{REGION}"] == there["buckets"]
    assert "nobody can delete its audit records before their time" in done.output


def test_a_stage_that_is_gone_is_nothing_to_destroy(deployed: Clone) -> None:
    """A second run finds nothing, and changes nothing."""
    deployed.destroy()
    with deployed.changes() as changes:
        done = deployed.destroy()

    assert 0 == done.exit_code
    assert "There is nothing of stage dev to remove." in done.output
    assert [] == changes


def test_a_person_types_the_stages_name(deployed: Clone) -> None:
    """Without --yes the stage's name is asked for; anything else removes nothing."""
    with deployed.changes() as changes:
        done = deployed.run("destroy", "--stage", "dev", input="prod\n")
    gone = deployed.run("destroy", "--stage", "dev", input="dev\n")

    assert "nothing was removed" in str(done.exception)
    assert [] == changes
    assert "- remove stack firebreak-dev-operations" in done.output
    assert "Stage dev is gone." in gone.output


@pytest.mark.parametrize("name", [listing.OPEN, listing.STANDING])
def test_what_is_contained_stands_in_the_way(deployed: Clone, name: str) -> None:
    """While something is contained the stage stays, unless it is forced."""
    tables().put(listing.put(name, "1" * 24, {"playbook": "report_root_usage"}).item)
    with deployed.changes() as changes:
        done = deployed.destroy()

    assert "1 remediations are open or in place" in str(done.exception)
    assert [] == changes
    assert 0 == deployed.destroy("--force").exit_code


POINTS = (
    ("DeleteStack", "before"),
    ("DeleteStateMachine", "after"),
    ("DeleteFunction", "after"),
    ("DeleteRule", "after"),
    ("RemoveTargets", "after"),
    ("DeleteRestApi", "after"),
    ("DeleteRolePolicy", "after"),
    ("DeleteObject", "before"),
    ("UpdateTable", "after"),
    ("DeleteTable", "after"),
    ("DeleteBucket", "before"),
)


@pytest.mark.parametrize(("operation", "phase"), POINTS)
def test_killed_half_way_it_is_finished_by_running_it_again(
    deployed: Clone, operation: str, phase: str
) -> None:
    """Killed at a call, the run after it removes what is left."""
    deployed.cloud.inject = failing(operation, ProcessKilled, phase=phase)
    with pytest.raises(ProcessKilled):
        deployed.destroy("--data")
    deployed.cloud.inject = None
    done = deployed.destroy("--data")

    assert 0 == done.exit_code, done.exception
    assert "There is nothing" in deployed.destroy("--data").output


def test_the_wrong_account_is_refused(deployed: Clone) -> None:
    """--expect-account holds for destroying too."""
    done = deployed.destroy("--expect-account", "999988887777")

    assert "999988887777 is expected" in str(done.exception)
