from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from chalicelib import lifecycle, published
from chalicelib.published import Published
from chalicelib.runner.work import Desk
from chalicelib.settings import defaults, from_environment
from firebreak.stage import Stage, definition_of
from tests.worlds import HOME, finding_event, playbook, world

BOOK = playbook()


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Give a stage with one playbook."""
    with world({"test": BOOK}) as made:
        made.provide_machines(["test"])
        yield made


def publish(stage: Stage, times: int = 1) -> int:
    """Publish versions of the machine, and say which is the newest; return its number."""
    client, number = stage.cloud.session().client("stepfunctions"), 0
    machine = stage.settings.state_machine_arn("test")
    for turn in range(times):
        definition = definition_of(BOOK, stage.function_arn) | {"Comment": str(turn)}
        made = client.update_state_machine(
            stateMachineArn=machine, definition=json.dumps(definition), publish=True
        )
        number = int(made["stateMachineVersionArn"].rpartition(":")[2])
    tables = stage.desk.tables
    tables.put(published.put("test", Published(number, BOOK.version, "0", "")).item)
    return number


def begun(stage: Stage) -> str:
    """Let a finding start a remediation; return its id."""
    stage.cloud.emit(finding_event())
    (execution,) = stage.cloud.executions
    stage.cloud.wait(execution)
    return execution.rpartition(":")[2]


def version_of(stage: Stage) -> str:
    """Return the version that the execution runs on, "" for none."""
    (execution,) = stage.cloud.executions
    found = stage.cloud.wait(execution)
    return str(found.get("stateMachineVersionArn", "")).rpartition(":")[2]


def recorded(desk: Desk, identity: str, kind: str) -> dict[str, object]:
    """Return what a record says."""
    return next(dict(r.what) for r in desk.tables.records(identity) if r.kind == kind)


def test_an_execution_runs_on_the_newest_version_and_the_trail_says_which(stage: Stage) -> None:
    """What is admitted runs on the version that is the newest then."""
    number = publish(stage, 2)
    identity = begun(stage)

    assert str(number) == version_of(stage)
    assert number == lifecycle.head_of(stage.desk, identity).machine_version
    assert number == recorded(stage.desk, identity, "admitted")["machine_version"]


def test_where_nothing_is_published_the_machine_itself_is_started(stage: Stage) -> None:
    """In a replay, and where Chalice alone deployed, there are no versions."""
    identity = begun(stage)

    assert "" == version_of(stage)
    assert 0 == lifecycle.head_of(stage.desk, identity).machine_version


def test_a_version_that_is_gone_gives_way_to_the_machine(stage: Stage) -> None:
    """A machine that was made anew has other versions; a remediation must not wait for it."""
    tables = stage.desk.tables
    tables.put(published.put("test", Published(7, BOOK.version, "0", "")).item)
    identity = begun(stage)

    assert "" == version_of(stage)
    assert 0 == lifecycle.head_of(stage.desk, identity).machine_version
    assert 0 == recorded(stage.desk, identity, "started")["machine_version"]


def test_the_arn_of_a_version_is_the_machines_with_its_number() -> None:
    """0 stands for the machine itself."""
    settings = from_environment(defaults("dev", HOME, "us-east-1"))
    machine = f"arn:aws:states:us-east-1:{HOME}:stateMachine:firebreak-dev-test"

    assert [machine, f"{machine}:3"] == [published.arn(settings, "test", n) for n in (0, 3)]
