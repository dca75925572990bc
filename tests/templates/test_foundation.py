from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.settings import FUNCTIONS, function_name
from firebreak import iam, retry_queue
from firebreak.cloud.policy import Decision, Request, evaluate
from tests.templates.made import (
    HOME,
    HOME_REGION,
    MEMBER,
    ORGANIZATION,
    STAGE,
    documents,
    made,
    statements,
)

BUS = f"arn:aws:events:{HOME_REGION}:{HOME}:event-bus/default"
QUEUE = f"arn:aws:sqs:{HOME_REGION}:{HOME}:firebreak-dev"


def bus_policies(**given: Any) -> list[dict[str, Any]]:
    """Return the policy of the default bus."""
    return [
        statement
        for resource in made("foundation", **given).values()
        if resource["Type"] == "AWS::Events::EventBusPolicy"
        for statement in statements(resource)
    ]


def test_the_bus_admits_nobody_unless_told() -> None:
    """Without an organisation or accounts, the bus is the account's own."""
    assert [] == bus_policies()


@pytest.mark.parametrize(
    ("organization", "source", "expected"),
    [
        (ORGANIZATION, "aws.guardduty", Decision.ALLOW),
        (ORGANIZATION, "aws.config", Decision.ALLOW),
        (ORGANIZATION, "aws.network-firewall", Decision.ALLOW),
        (ORGANIZATION, "aws.states", Decision.IMPLICIT_DENY),
        (ORGANIZATION, "firebreak.network-firewall", Decision.IMPLICIT_DENY),
        ("o-another1234", "aws.guardduty", Decision.IMPLICIT_DENY),
        (ORGANIZATION, "aws.guardduty aws.config", Decision.ALLOW),
        (ORGANIZATION, "aws.guardduty firebreak.network-firewall", Decision.IMPLICIT_DENY),
        (ORGANIZATION, "", Decision.IMPLICIT_DENY),
    ],
)
def test_the_bus_admits_three_sources_of_the_organisation(
    organization: str, source: str, expected: Decision
) -> None:
    """Other accounts put events of exactly three sources, and only those of the organisation.

    A request has several sources where it has several events; each has to be one of the three.
    """
    policies = bus_policies(OrganizationId=ORGANIZATION)
    sources = {"events:source": tuple(source.split())} if source else {}
    context = {"aws:principalorgid": (organization,), **sources}
    document = {"Statement": policies}

    assert expected == evaluate([document], Request("events:PutEvents", BUS, context))
    assert ["events:PutEvents"] == [each["Action"] for each in policies]


def test_accounts_outside_the_organisation_are_named() -> None:
    """Accounts that are given one by one are principals; the sources are the same three."""
    (statement,) = bus_policies(Accounts=[MEMBER])

    assert {"AWS": [MEMBER]} == statement["Principal"]
    assert 3 == len(statement["Condition"]["ForAllValues:StringEquals"]["events:source"])


def test_the_queues_are_as_the_code_has_them() -> None:
    """The retry queue's attributes are retry_queue's, and both queues have the stage's key."""
    resources = made("foundation")
    retry, dead = resources["RetryIntake"], resources["DeadLetters"]
    wanted = retry_queue.attributes(f"{QUEUE}-dead-letters")

    assert {name: json.loads(value) for name, value in wanted.items()} == {
        name: retry[name] for name in wanted
    }
    assert int(wanted["MessageRetentionPeriod"]) == dead["MessageRetentionPeriod"]
    assert ["alias/firebreak-dev"] * 2 == [each["KmsMasterKeyId"] for each in (retry, dead)]


def test_only_the_rules_of_the_stage_send_to_the_queues() -> None:
    """EventBridge may send for the rules that Chalice makes, each by its whole name."""
    sends = statements(made("foundation")["RetryIntakePolicy"])[0]
    rules = f"arn:aws:events:{HOME_REGION}:{HOME}:rule/firebreak-dev"

    assert {
        f"{rules}-{name}-event"
        for name in ("on_event", "on_execution_ended", "sweep", "reconcile", "seal_audit")
    } == set(sends["Condition"]["ArnLike"]["aws:SourceArn"])
    assert HOME == sends["Condition"]["StringEquals"]["aws:SourceAccount"]


@pytest.mark.parametrize("name", ["RetryIntakePolicy", "DeadLettersPolicy", "NotificationsPolicy"])
def test_nothing_is_taken_without_tls(name: str) -> None:
    """Queues and topic refuse what is not encrypted on its way."""
    refused = [s for s in statements(made("foundation")[name]) if s["Effect"] == "Deny"]

    assert [{"Bool": {"aws:SecureTransport": "false"}}] == [s["Condition"] for s in refused]


def test_each_function_has_a_log_group_that_ends() -> None:
    """Log groups have the names that Lambda writes to, a retention and the stage's key."""
    groups = [r for r in made("foundation").values() if r["Type"] == "AWS::Logs::LogGroup"]

    assert {f"/aws/lambda/{function_name(STAGE, f)}" for f in FUNCTIONS} == {
        group["LogGroupName"] for group in groups
    }
    assert all(group["RetentionInDays"] > 0 for group in groups)
    assert {"<imported firebreak-dev-key>"} == {group["KmsKeyId"] for group in groups}


def test_the_machines_role_is_for_the_machines_of_the_stage() -> None:
    """Step Functions may assume it for the stage's machines, and it has the derived policy."""
    trust, allowed = documents(made("foundation")["MachineRole"])
    condition = trust["Statement"][0]["Condition"]
    place = iam.Place("aws", HOME, HOME_REGION, STAGE)
    machines = f"arn:aws:states:{HOME_REGION}:{HOME}:stateMachine:firebreak-dev-*"

    assert HOME == condition["StringEquals"]["aws:SourceAccount"]
    assert machines == condition["ArnLike"]["aws:SourceArn"]
    assert iam.machine_policy(place) == allowed


def test_an_address_is_told_only_where_one_is_given() -> None:
    """The e-mail subscription is there when NotifyEmail is."""
    assert "NotificationsEmail" not in made("foundation")
    told = made("foundation", NotifyEmail="people@example.com")["NotificationsEmail"]
    assert "people@example.com" == told["Endpoint"]
