from __future__ import annotations

import copy

import pytest

from chalicelib import halting, lifecycle
from chalicelib.runner.work import Desk
from firebreak.cloud.calls import CallInfo
from tests.deploying.clones import Clone
from tests.deploying.running import join_member, running
from tests.worlds import HOME, recorded

KEPT = "report_root_usage"


def admitted(clone: Clone, desk: Desk) -> str:
    """Let a remediation begin that waits at its first step; return its id."""
    event = copy.deepcopy(recorded("guardduty/root_usage.json"))
    event["account"] = event["detail"]["accountId"] = HOME
    begun: list[str] = []

    def halted(call: CallInfo) -> None:
        if call.operation == "StartExecution" and call.phase == "before":
            halting.halt(desk, "the test says so", "test")
            begun.append(call.params["stateMachineArn"])

    clone.cloud.inject = halted
    clone.cloud.emit(event)
    clone.cloud.inject = None
    assert [f"arn:aws:states:us-east-1:{HOME}:stateMachine:firebreak-dev-{KEPT}:1"] == begun
    (execution,) = clone.cloud.executions
    clone.cloud.wait(execution)
    return execution.rpartition(":")[2]


def test_what_waits_ends_on_its_own_version_and_its_undo_runs_on_the_newest(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An execution that waits through an upgrade ends on the definition it began with."""
    assert 0 == clone.deploy().exit_code
    join_member(clone)
    with running(clone, monkeypatch) as desk:
        identity = admitted(clone, desk)
        before = lifecycle.head_of(desk, identity)
        clone.retitle(KEPT, "Another title")
        upgraded = clone.deploy()
        halting.resume(desk, "test")
        ended = clone.cloud.wait(clone.cloud.executions[0])
        after = lifecycle.head_of(desk, identity)
        undo = lifecycle.start_undo(desk, identity, {"by": "test"})
        undone = clone.cloud.wait(undo)
        back = lifecycle.head_of(desk, identity)
        kinds = {record.kind: record.what for record in desk.tables.records(identity)}

    assert 0 == upgraded.exit_code, upgraded.exception
    assert ("apply", 1) == (before.phase, before.machine_version)
    assert ("SUCCEEDED", "1") == (ended["status"], ended["stateMachineVersionArn"][-1])
    assert ("closed", "contained") == (after.phase, after.status)
    assert ("SUCCEEDED", "2") == (undone["status"], undone["stateMachineVersionArn"][-1])
    assert ("closed", "rolled_back") == (back.phase, back.status)
    assert 1 == kinds["admitted"]["machine_version"]
    assert 2 == kinds["undo_begun"]["undo"]["machine_version"]
