"""What was deployed contains what happens in a member account, by its own rules and roles."""

from __future__ import annotations

import json
import time

from chalicelib import sources
from firebreak import scene
from tests.deployed.accounts import AWAY, MEMBER
from tests.deployed.clone import STAGE
from tests.deployed.desk import Person, groups, recorded
from tests.deployed.world import LOG_GROUP, Deployed

SSH = 22
READS = ("Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet")
MINER = recorded("guardduty/crypto_currency_ec2.json")
INSTANCE = MINER["detail"]["resource"]["instanceDetails"]["instanceId"]


def test_a_second_deployment_changes_nothing(stage: Deployed) -> None:
    """Deployed again from the same clone, nothing is called that writes."""
    with stage.cloud.recording() as calls:
        out = stage.clone.must("deploy", "--stage", STAGE)

    assert "Nothing to change" in out
    assert [] == [c.operation for c in calls if not c.operation.startswith(READS)]


def test_a_compromised_instance_of_a_member_account_is_contained(stage: Deployed) -> None:
    """An event on the member's bus ends with the instance isolated in the member account."""
    stage.happen(MINER)
    (head,) = stage.remediations(INSTANCE)
    kinds = {record.kind for record in stage.trail(head.id)}

    assert ("contained", MEMBER) == (head.status, head.account)
    assert {f"firebreak-{STAGE}-quarantine"} == groups(stage, INSTANCE)
    assert {"admitted", "started", "intent", "outcome", "step_ended", "closed"} <= kinds
    assert any(INSTANCE in text for text in stage.told())
    assert [] == stage.cloud.denied


def test_all_that_acted_there_were_sessions_narrowed_to_a_step(stage: Deployed) -> None:
    """What changed the member account was called in its role, by sessions named for their steps."""
    writing = [
        call
        for call in stage.cloud.calls
        if call.account == MEMBER and f"assumed-role/firebreak-{STAGE}-member/" in call.caller
    ]

    assert {"isolate", "block", "keep", "revoke"} <= {
        str(call.session_name).rpartition("-")[2] for call in writing
    }


def test_an_open_group_that_config_tells_of_is_closed(stage: Deployed) -> None:
    """A compliance change on the member's bus ends with the port closed."""
    event = recorded("config/restricted_ssh_noncompliant.json")
    stage.happen(event)
    (head,) = stage.remediations(event["detail"]["resourceId"])
    ec2 = stage.cloud.session(MEMBER, AWAY).client("ec2")
    (group,) = ec2.describe_security_groups(GroupIds=[event["detail"]["resourceId"]])[
        "SecurityGroups"
    ]
    open_to = [
        each["CidrIp"]
        for rule in group["IpPermissions"]
        for each in rule["IpRanges"]
        if rule["FromPort"] <= SSH <= rule["ToPort"]
    ]

    assert "contained" == head.status
    assert "0.0.0.0/0" not in open_to


def test_an_alert_in_a_firewalls_log_is_blocked_once_a_person_agrees(
    stage: Deployed, person: Person
) -> None:
    """Log group, destination, stream, function, bus, playbook, the API's answer, the firewall."""
    record = recorded("network_firewall/alert_outbound_tls.json")
    (finding,) = sources.read(recorded("network_firewall/alert_event.json")).findings
    scene.make(stage.cloud, finding)
    logs = stage.cloud.session(MEMBER, AWAY).client("logs")
    logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName="egress")
    logs.put_log_events(
        logGroupName=LOG_GROUP,
        logStreamName="egress",
        logEvents=[{"timestamp": int(time.time() * 1_000), "message": json.dumps(record)}],
    )
    while stage.cloud.poll():
        stage.settle()
    (waiting,) = stage.remediations("firewall/egress")
    plan = waiting.plan["hash"]
    person.does("approve", waiting.id, "--plan", plan, "--reason", "seen")
    stage.settle()
    (head,) = stage.remediations("firewall/egress")
    firewalls = stage.cloud.session(MEMBER, AWAY).client("network-firewall")
    listed = firewalls.list_rule_groups()["RuleGroups"]

    assert "contained" == head.status, [r.what for r in stage.trail(head.id)][-4:]
    assert [each for each in listed if f"firebreak-{STAGE}" in each["Name"]]
