"""Findings whose events never arrived are contained; what a person decided about is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib import clock, lifecycle
from firebreak.cloud import ProcessKilled
from firebreak.cloud.strict import config
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.scheduled import (
    blocking,
    closing,
    contained,
    delivered,
    denied,
    head_of,
    invoked,
    later,
    open_group,
    prepared,
    reconciled,
    told,
)
from tests.worlds import HOME, MEMBER, failing, finding_event, world

KNOWN = f"{MEMBER}"
PLAYBOOK = {"block": blocking(cooldown="0s")}
HIGH = {"source": ["aws.guardduty"], "detail": {"severity": [{"numeric": [">=", 2]}]}}
SEVERE = {"block": replace(PLAYBOOK["block"], match=HIGH)}


def kept(stage: Stage, ago: float = 3_600, account: str = MEMBER, **detail: Any) -> dict[str, Any]:
    """Keep a finding in GuardDuty without an event of it; return the event there should be."""
    at = clock.text(stage.desk.clock.seconds() - ago)
    event = finding_event(createdAt=at, updatedAt=at, **detail)
    prepared(stage, event)
    stage.cloud.add_finding(event["detail"], account)
    return event


def started(found: dict[str, list[str]]) -> list[str]:
    return [text for text in found.get("findings", []) if "started" in text]


def undelivered(stage: Stage) -> list[str]:
    return [message for message in told(stage) if "never arrived" in message]


def test_a_finding_that_never_arrived_is_contained() -> None:
    """GuardDuty has it, no event came: it is decided upon like any other, and told once."""
    with world(PLAYBOOK, ACCOUNTS=KNOWN) as stage:
        kept(stage)

        assert 1 == len(started(reconciled(stage)))
        assert denied(stage)
        assert {} == reconciled(stage)
        assert 1 == len(undelivered(stage))


def test_a_finding_that_arrived_is_not_handed_in() -> None:
    """What was delivered, and its repeats, are known; so is what the same containment covers."""
    with world(PLAYBOOK, ACCOUNTS=KNOWN) as stage:
        delivered(stage, kept(stage))
        kept(stage, id="0" * 32)

        assert {} == reconciled(stage)
        assert 1 == len(stage.cloud.executions)


def test_what_a_person_took_back_is_not_contained_again() -> None:
    """The finding is active still; the person's decision stands."""
    with world(PLAYBOOK, ACCOUNTS=KNOWN) as stage:
        kept(stage)
        (text,) = started(reconciled(stage))
        identity = text.split()[-1]
        lifecycle.start_undo(stage.desk, identity, {"by": "a person"})
        settle(stage)
        later(stage, 3_600)

        assert "rolled_back" == head_of(stage, identity).status
        assert {} == reconciled(stage)
        assert not denied(stage)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ago": 60},
        {"ago": 3 * 86_400},
        {"account": HOME},
        {"type": "Recon:EC2/Portscan", "severity": 1.0},
    ],
    ids=[
        "just found",
        "not active any more",
        "told by an account that may not",
        "asks for nothing",
    ],
)
def test_what_need_not_come_is_not_handed_in(wrong: dict[str, Any]) -> None:
    """What may still arrive, is old, is not believed or matches nothing is left alone."""
    with world(SEVERE, ACCOUNTS=KNOWN) as stage:
        kept(stage, **wrong)

        assert {} == reconciled(stage)
        assert [] == stage.cloud.executions


def test_an_administrator_tells_of_its_members() -> None:
    """Where no accounts are listed, the administrator's detector shows its members' findings."""
    with world(PLAYBOOK, ADMINISTRATORS=HOME) as stage:
        kept(stage, account=HOME)

        assert 1 == len(started(reconciled(stage)))
        assert denied(stage)


def test_an_archived_finding_is_left_alone() -> None:
    """Whoever archived it in GuardDuty decided."""
    with world(PLAYBOOK, ACCOUNTS=KNOWN) as stage:
        event = kept(stage)
        client = stage.cloud.session(MEMBER).client("guardduty")
        (detector,) = client.list_detectors()["DetectorIds"]
        client.archive_findings(DetectorId=detector, FindingIds=[event["detail"]["id"]])

        assert {} == reconciled(stage)


@pytest.mark.parametrize("operation", ["TransactWriteItems", "StartExecution"])
@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_run_that_dies_is_finished_by_the_next(operation: str, phase: str) -> None:
    """Killed while it hands in, the finding is contained by one execution all the same."""
    with world(PLAYBOOK, ACCOUNTS=KNOWN) as stage:
        kept(stage)
        stage.cloud.inject = failing(operation, ProcessKilled, phase=phase)
        invoked(stage, "reconcile")
        stage.cloud.inject = None
        later(stage, 600)
        invoked(stage, "reconcile")

        assert denied(stage)
        assert 1 == len(stage.cloud.executions)


def test_many_findings_are_gone_through_over_several_runs() -> None:
    """A run looks at so many; the next goes on from there, and none is left out."""
    with world(SEVERE, ACCOUNTS=KNOWN) as stage:
        for number in range(230):
            at = clock.text(stage.desk.clock.seconds() - 7_200 + number)
            quiet = finding_event(id=f"{number:032x}", createdAt=at, updatedAt=at, severity=1.0)
            stage.cloud.add_finding(quiet["detail"], MEMBER)
        kept(stage)
        first = invoked(stage, "reconcile")
        invoked(stage, "reconcile")

        assert not started(first["found"])
        assert denied(stage)


def non_compliant(stage: Stage, ago: float = 3_600) -> None:
    """Let AWS Config find the open group without telling of it."""
    detail = open_group()["detail"]
    at = datetime.fromtimestamp(stage.desk.clock.seconds() - ago, UTC).timestamp()
    qualifier = {
        "ConfigRuleName": detail["configRuleName"],
        "ResourceType": detail["resourceType"],
        "ResourceId": detail["resourceId"],
    }
    result = {
        "EvaluationResultIdentifier": {
            "EvaluationResultQualifier": qualifier,
            "OrderingTimestamp": at,
        },
        "ComplianceType": "NON_COMPLIANT",
        "ResultRecordedTime": at,
        "ConfigRuleInvokedTime": at,
    }
    config.add_result(HOME, stage.cloud.region, result)


def test_a_non_compliant_resource_that_never_arrived_is_contained() -> None:
    """What AWS Config finds and no event told is closed, once."""
    with world({"close": closing()}) as stage:
        prepared(stage, open_group())
        non_compliant(stage)
        found = reconciled(stage)

        assert ["compliance"] == list(found)
        assert 1 == len(stage.cloud.executions)
        assert {} == reconciled(stage)


def test_a_compliance_change_that_arrived_is_not_handed_in() -> None:
    """What was closed stays known, also after a person opened it again."""
    with world({"close": closing(cooldown="0s")}) as stage:
        identity = contained(stage, open_group())
        non_compliant(stage)
        assert {} == reconciled(stage)
        lifecycle.start_undo(stage.desk, identity, {"by": "a person"})
        settle(stage)

        assert {} == reconciled(stage)
        assert 2 == len(stage.cloud.executions)
