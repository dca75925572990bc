"""Whose events are believed, once rules and buses are real ones."""

from __future__ import annotations

import copy
import json

from botocore.exceptions import ClientError

from tests.deployed.accounts import AWAY, HOME, MEMBER, OUTSIDE, REGION
from tests.deployed.desk import recorded
from tests.deployed.world import Deployed

BUS = f"arn:aws:events:{REGION}:{HOME}:event-bus/default"
MINER = recorded("guardduty/crypto_currency_ec2.json")
INSTANCE = MINER["detail"]["resource"]["instanceDetails"]["instanceId"]


def test_a_copy_by_the_administrator_changes_nothing_more(stage: Deployed) -> None:
    """GuardDuty's administrator delivers the member's finding too: believed, and a repeat."""
    before = len(stage.cloud.executions)
    stage.emit({**MINER, "account": HOME}, HOME, AWAY)
    stage.emit(MINER)

    assert before == len(stage.cloud.executions)
    assert 1 == len(stage.remediations(INSTANCE))


def test_forged_and_foreign_events_do_not_get_in(stage: Deployed) -> None:
    """Neither a member nor anybody outside can put an event that Firebreak would believe."""
    alert = recorded("network_firewall/alert_event.json")
    entry = {"DetailType": alert["detail-type"], "Detail": json.dumps(alert["detail"])}
    before = len(stage.cloud.executions)
    for account, bus in ((MEMBER, "default"), (MEMBER, BUS), (OUTSIDE, BUS)):
        for source in (alert["source"], "aws.guardduty"):
            events = stage.cloud.session(account, REGION).client("events")
            forged = {**entry, "Source": source, "EventBusName": bus}
            try:
                answer = events.put_events(Entries=[forged])
            except ClientError as refused:
                assert "AccessDenied" in refused.response["Error"]["Code"]
                continue
            assert bus == "default" or answer["FailedEntryCount"]
    stage.settle()

    assert before == len(stage.cloud.executions)


def test_who_speaks_for_another_account_is_rejected_and_told(stage: Deployed) -> None:
    """An event on the bus whose sender is neither its account nor an administrator is kept."""
    before = len(stage.told())
    forged = copy.deepcopy(MINER)
    forged["detail"]["accountId"] = OUTSIDE
    stage.emit(forged)

    assert any("may not speak for account" in text for text in stage.told()[before:])


def test_a_sample_finding_is_planned_and_not_applied(stage: Deployed) -> None:
    """GuardDuty's own samples plan, and change nothing."""
    sample = copy.deepcopy(MINER)
    detail = sample["detail"]
    detail["service"]["additionalInfo"] = {"sample": True}
    detail["resource"]["instanceDetails"]["instanceId"] = "i-99999999999999999"
    stage.emit(sample)
    (head,) = stage.remediations("i-99999999999999999")

    assert "observe" == head.mode
    assert head.status in ("planned", "observed", "failed")
