from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import app
from chalicelib import grants
from chalicelib.settings import FUNCTIONS, forwarding_role, function_role
from firebreak import iam
from firebreak.cloud.policy import Decision, Request, applies, evaluate
from tests.templates.made import (
    HOME,
    HOME_REGION,
    MEMBER,
    ORGANIZATION,
    OTHER_REGION,
    STAGE,
    built,
    made,
    statements,
)

NEEDED = {"HomeAccount": HOME, "HomeRegion": HOME_REGION}
PLACES = [(a, r) for a in (HOME, MEMBER) for r in (HOME_REGION, OTHER_REGION)]
GLOBAL = ("AWS::IAM::",)  # names that an account has once, whatever the region


def member(account: str, region: str, **given: Any) -> dict[str, dict[str, Any]]:
    return made("member", account, region, **NEEDED, **given)


def bus_of(target: Mapping[str, Any]) -> tuple[str, str]:
    _, _, _, region, account, _ = target["Arn"].split(":")
    return account, region


@pytest.mark.parametrize(("account", "region"), PLACES)
def test_events_are_forwarded_from_everywhere_but_where_they_go(account: str, region: str) -> None:
    """A region forwards to the security account's home region; that one never to itself."""
    rules = [r for r in member(account, region).values() if r["Type"] == "AWS::Events::Rule"]
    goes_to = [bus_of(target) for rule in rules for target in rule["Targets"]]

    expected = [] if (account, region) == (HOME, HOME_REGION) else [(HOME, HOME_REGION)]
    assert expected == goes_to
    assert (account, region) not in goes_to


def test_what_is_forwarded_is_what_the_functions_take() -> None:
    """Sources and kinds are on_event's, but for those of Firebreak itself."""
    pattern = member(MEMBER, OTHER_REGION)["ForwardingRule"]["EventPattern"]

    assert ["aws.guardduty", "aws.config", "aws.network-firewall"] == pattern["source"]
    assert {"Network Firewall Alert"} == set(app.EVENTS["detail-type"]) - set(
        pattern["detail-type"]
    )


@pytest.mark.parametrize("account", [HOME, MEMBER])
def test_two_regions_of_an_account_never_want_the_same_name(account: str) -> None:
    """The role that is acted in is made in the home region only; those that forward say theirs."""
    home, other = member(account, HOME_REGION), member(account, OTHER_REGION)
    once = {n for n, each in home.items() if each["Type"].startswith(GLOBAL)}
    named = [
        each["RoleName"]
        for region in (home, other)
        for each in region.values()
        if "RoleName" in each
    ]

    assert {"Boundary", "MemberRole"} == once - {"ForwardingRole"}
    assert set() == {"Boundary", "MemberRole"} & set(other)
    assert len(named) == len(set(named))


def test_no_region_waits_for_another() -> None:
    """Each rule refers to the role that its own stack makes: a stack set has no order to keep."""
    resources = built("member")["Resources"]
    (target,) = resources["ForwardingRule"]["Properties"]["Targets"]

    assert {"Fn::GetAtt": ["ForwardingRole", "Arn"]} == target["RoleArn"]
    assert resources["ForwardingRule"]["Condition"] == resources["ForwardingRole"]["Condition"]
    assert 64 >= len(forwarding_role("a" * 19, "ap-southeast-99"))


def test_what_cannot_be_handed_over_is_kept() -> None:
    """A target tries for a day, and then has a queue that its own rule may send to."""
    resources = member(MEMBER, OTHER_REGION)
    target = resources["ForwardingRule"]["Targets"][0]
    sends = statements(resources["UndeliveredPolicy"])[0]

    assert 86_400 == target["RetryPolicy"]["MaximumEventAgeInSeconds"]
    assert target["DeadLetterConfig"]["Arn"] == sends["Resource"]
    rule = f"arn:aws:events:{OTHER_REGION}:{MEMBER}:rule/firebreak-dev-forwarding"
    assert [rule] == sends["Condition"]["ArnLike"]["aws:SourceArn"]
    assert MEMBER == sends["Condition"]["StringEquals"]["aws:SourceAccount"]


def trusting(caller: str, external_id: str, organization: str, **given: Any) -> bool:
    """Say whether the member role may be assumed."""
    role = member(MEMBER, HOME_REGION, **given)["MemberRole"]
    context = {
        "aws:principalarn": (caller,),
        "sts:externalid": (external_id,),
        "aws:principalorgid": (organization,),
    }
    trust = role["AssumeRolePolicyDocument"]
    assert {f"arn:aws:iam::{HOME}:root"} == {s["Principal"]["AWS"] for s in trust["Statement"]}
    request = Request("sts:AssumeRole", "", context)
    return Decision.ALLOW == evaluate([trust], request)


def role(function: str, account: str = HOME) -> str:
    return f"arn:aws:iam::{account}:role/{function_role(STAGE, function)}"


@pytest.mark.parametrize("function", grants.assuming())
def test_functions_that_act_in_accounts_are_trusted(function: str) -> None:
    """Each function that assumes the role may, with the external id, from the organisation."""
    given = {"OrganizationId": ORGANIZATION}

    assert trusting(role(function), "firebreak-dev", ORGANIZATION, **given)
    assert not trusting(role(function), "another", ORGANIZATION, **given)
    assert not trusting(role(function), "firebreak-dev", "o-another1234", **given)
    assert trusting(role(function), "firebreak-dev", "o-another1234")


def test_nobody_else_is_trusted() -> None:
    """The trust lists the roles of exactly the functions whose policies let them assume it."""
    place = iam.Place("aws", HOME, HOME_REGION, STAGE)
    assume = Request("sts:AssumeRole", f"arn:aws:iam::{MEMBER}:role/firebreak-dev-member")
    may = {
        role(function)
        for function in FUNCTIONS
        if any(applies(s, assume) for s in iam.function_policy(function, place)["Statement"])
    }
    resources = member(MEMBER, HOME_REGION)
    trusted = statements(resources["MemberRole"])[0]["Condition"]["ArnLike"]["aws:PrincipalArn"]

    assert may == set(trusted)
    assert not trusting(role("keep_audit"), "firebreak-dev", ORGANIZATION)
    assert not trusting(f"arn:aws:iam::{HOME}:role/Admin", "firebreak-dev", ORGANIZATION)


def test_people_are_trusted_where_they_are_named() -> None:
    """AlsoTrusted lets people in, on the same conditions."""
    someone = f"arn:aws:iam::{HOME}:role/responders-anna"
    given = {"AlsoTrusted": [f"arn:aws:iam::{HOME}:role/responders-*"]}

    assert not trusting(someone, "firebreak-dev", ORGANIZATION)
    assert trusting(someone, "firebreak-dev", ORGANIZATION, **given)
    assert not trusting(someone, "another", ORGANIZATION, **given)


def test_the_role_is_bounded() -> None:
    """The member role has the derived policy, its boundary, and sessions of an hour."""
    resources = member(MEMBER, HOME_REGION)
    bounded = resources["MemberRole"]
    place = iam.Place("aws", MEMBER, HOME_REGION, STAGE)

    assert [iam.member_policy(place)] == [p["PolicyDocument"] for p in bounded["Policies"]]
    assert iam.member_boundary(place) == resources["Boundary"]["PolicyDocument"]
    assert "<Boundary>" == bounded["PermissionsBoundary"]
    assert 3_600 == bounded["MaxSessionDuration"]


@pytest.mark.parametrize("region", [HOME_REGION, OTHER_REGION])
def test_the_forwarding_role_only_forwards(region: str) -> None:
    """EventBridge may assume it for the one rule, and put events on the one bus."""
    forwarding = member(MEMBER, region)["ForwardingRole"]
    trust, may = statements(forwarding)

    assert {"Service": "events.amazonaws.com"} == trust["Principal"]
    assert MEMBER == trust["Condition"]["StringEquals"]["aws:SourceAccount"]
    rule = f"arn:aws:events:{region}:{MEMBER}:rule/firebreak-dev-forwarding"
    assert rule == trust["Condition"]["ArnLike"]["aws:SourceArn"]
    assert ("events:PutEvents", f"arn:aws:events:{HOME_REGION}:{HOME}:event-bus/default") == (
        may["Action"],
        may["Resource"],
    )
