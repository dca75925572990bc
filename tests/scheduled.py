"""Scheduled functions, invoked as EventBridge does; and playbooks whose work they look after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chalicelib import lifecycle, sources
from chalicelib.playbook import Playbook
from chalicelib.store import Remediation
from firebreak import scene
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.worlds import finding_event, playbook, recorded

ADDRESS = "203.0.113.9/32"
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
SCHEDULED = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "111122223333",
    "time": "2026-11-21T10:00:00Z",
    "region": "us-east-1",
    "resources": ["arn:aws:events:us-east-1:111122223333:rule/scheduled"],
    "detail": {},
}


def blocking(name: str = "block", /, **guardrails: Any) -> Playbook:
    """Return a playbook that denies one address in an instance's network ACLs."""
    given = {"instance_id": "$.finding.resource.id", "cidrs": [ADDRESS]}
    block = {"name": "block", "action": "deny_in_network_acl", "with": given}
    return playbook(name, guardrails={"mode": "enforce", **guardrails}, steps=[block])


def closing(name: str = "close", /, **guardrails: Any) -> Playbook:
    """Return a playbook that closes the ports of a security group that Config complains of."""
    given = {"group_id": "$.finding.resource.id", "ports": [22]}
    step = {"name": "close", "action": "revoke_open_ingress", "with": given}
    match = {"source": ["aws.config"]}
    return playbook(name, match=match, guardrails={"mode": "enforce", **guardrails}, steps=[step])


def open_group() -> dict[str, Any]:
    """Return an event about a group that is open to the world."""
    return recorded("config/restricted_ssh_noncompliant.json")


def prepared(stage: Stage, event: Mapping[str, Any]) -> dict[str, Any]:
    """Make what an event speaks of; return the event."""
    for finding in sources.read(event).findings:
        stage.admit_account(finding.account)
        scene.make(stage.cloud, finding)
    return dict(event)


def delivered(stage: Stage, event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Deliver an event and wait for what it starts; return what was decided."""
    answers = stage.cloud.emit(event)
    settle(stage)
    return [each for answer in answers for each in answer.get("decisions", ())]


def contained(stage: Stage, event: Mapping[str, Any] | None = None) -> str:
    """Make and deliver an event; return the remediation that contained it."""
    (decision,) = delivered(stage, prepared(stage, event or finding_event()))
    identity = str(decision["remediation"])
    assert "contained" == head_of(stage, identity).status
    return identity


def invoked(stage: Stage, function: str) -> dict[str, Any]:
    """Invoke a scheduled function, and wait for what it starts."""
    client = stage.cloud.session().client("lambda")
    answer = client.invoke(FunctionName=function, Payload=json.dumps(SCHEDULED).encode())
    settle(stage)
    value: dict[str, Any] = json.loads(answer["Payload"].read())
    return value


def swept(stage: Stage) -> dict[str, int]:
    """Let the sweep run; return what it did. Nothing may fail."""
    answer = invoked(stage, "sweep")
    assert [] == answer["failed"]
    done: dict[str, int] = answer["done"]
    return done


def reconciled(stage: Stage) -> dict[str, list[str]]:
    """Let the reconciliation run; return what it found. Nothing may fail."""
    answer = invoked(stage, "reconcile")
    assert [] == answer["failed"]
    found: dict[str, list[str]] = answer["found"]
    return found


def head_of(stage: Stage, identity: str) -> Remediation:
    """Return a remediation's head."""
    return lifecycle.head_of(stage.desk, identity)


def told(stage: Stage, since: int = 0) -> list[str]:
    """Return the messages that were sent, each with its subject as first line."""
    made = [call for call in stage.cloud.calls[since:] if call.operation == "Publish"]
    return [f"{call.params['Subject']}\n{call.params['Message']}" for call in made]


def later(stage: Stage, seconds: float) -> None:
    """Let time pass."""
    stage.desk.clock.sleep(seconds)


def denied(stage: Stage) -> bool:
    """Say whether the address is denied in any network ACL of the member account."""
    ec2 = stage.cloud.session("222233334444").client("ec2")
    acls = ec2.describe_network_acls()["NetworkAcls"]
    return any(
        entry.get("CidrBlock") == ADDRESS and entry["RuleAction"] == "deny"
        for acl in acls
        for entry in acl["Entries"]
    )


def kinds(stage: Stage, identity: str) -> list[str]:
    """Return the kinds of a chain's records."""
    return [record.kind for record in stage.desk.tables.records(identity)]
