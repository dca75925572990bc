"""Tests of the role that is assumed in an account."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest

from chalicelib import guardrails, playbook, reconciling
from chalicelib.actions import actions
from chalicelib.errors import InvalidSettings
from chalicelib.settings import FUNCTIONS
from firebreak import iam
from firebreak.iam.documents import INLINE_LIMIT, MANAGED_LIMIT, size
from firebreak.reference import resource_types

PLACE = iam.Place("aws-us-gov", "123456789012", "*", "nineteen-characters")
DECLARED = {
    *(p for a in actions().values() if a.at == "resource" for p in a.permissions),
    *guardrails.PERMISSIONS,
    *reconciling.permissions(),
}
PLAYBOOKS = sorted(playbook.load(playbook.FOLDER))


def of(policy: dict[str, Any], effect: str = "Allow") -> list[dict[str, Any]]:
    """Return the statements of a policy that allow, or deny."""
    return [each for each in policy["Statement"] if each["Effect"] == effect]


def actions_of(statements: list[dict[str, Any]]) -> set[str]:
    """Return the IAM actions of statements."""
    return {action for each in statements for action in each["Action"]}


@pytest.mark.parametrize("make", [iam.member_policy, iam.member_boundary])
def test_all_that_is_declared_is_granted_and_nothing_else(make: Any) -> None:
    """Policy and boundary allow what actions, guardrails and finders declare: no more, no less."""
    assert actions_of(of(make(PLACE))) == DECLARED


def test_policies_fit() -> None:
    """Policy and boundary are short enough, however long partition and stage are."""
    assert size(iam.member_policy(PLACE)) < INLINE_LIMIT
    assert size(iam.member_boundary(PLACE)) < MANAGED_LIMIT


def test_a_permission_is_limited_where_aws_lets_it_be() -> None:
    """What AWS lets be limited to resources is; each ARN is of this account, or of none."""
    for each in of(iam.member_policy(PLACE)):
        limitable = [a for a in each["Action"] if resource_types(*a.split(":"))]

        assert ([] == limitable) == (["*"] == each["Resource"])
        for arn in each["Resource"]:
            assert arn == "*" or arn.split(":")[4] in ("123456789012", "", "aws")


def test_only_what_is_declared_can_be_tagged() -> None:
    """CreateTags is for kinds of which an action says so; of rules, only as they are made."""
    kinds: dict[str, set[str]] = {}
    for each in of(iam.member_policy(PLACE)):
        if "ec2:CreateTags" in each["Action"]:
            made = each.get("Condition", {}).get("StringEquals", {}).get("ec2:CreateAction", "")
            kinds[made] = {arn.split(":")[5].partition("/")[0] for arn in each["Resource"]}

    assert {
        "": {"image", "instance", "network-interface", "security-group", "snapshot", "volume"},
        "AuthorizeSecurityGroupIngress": {"security-group-rule"},
    } == kinds


def test_what_no_other_action_needs_keeps_its_condition() -> None:
    """Outgoing rules are touched in Firebreak's own groups alone; a playbook's role is narrower."""
    own = {"StringEquals": {"aws:ResourceTag/firebreak:fixture": ["quarantine", "untrack"]}}
    whole = iam.member_policy(PLACE)
    one = iam.playbook_policy("contain_compromised_instance", PLACE)

    for policy, permissions in (
        (whole, ["ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupEgress"]),
        (one, ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]),
    ):
        for permission in permissions:
            (only,) = [each for each in of(policy) if permission in each["Action"]]
            assert own == only["Condition"]


@pytest.mark.parametrize("make", [iam.member_policy, iam.member_boundary])
def test_its_own_roles_are_left_alone(make: Any) -> None:
    """Nothing that changes a role is allowed on Firebreak's own."""
    (stay,) = of(make(PLACE), "Deny")

    assert {
        "iam:DeleteRolePolicy",
        "iam:PutRolePolicy",
        "iam:TagRole",
        "iam:UntagRole",
    } == set(stay["Action"])
    names = {each.partition("role/")[2] for each in stay["Resource"]}
    assert {
        f"firebreak-{PLACE.stage}-{each}" for each in (*FUNCTIONS, "member", "machines")
    } < names
    assert not any(fnmatchcase("firebreak-of-somebody", name) for name in names)


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_a_playbook_needs_what_its_actions_declare(name: str) -> None:
    """The policy of a playbook holds the permissions of its steps' actions, and no others."""
    used = {step.action for step in playbook.load(playbook.FOLDER)[name].all_steps()}
    policy = iam.playbook_policy(name, PLACE)

    assert {p for each in used for p in actions()[each].permissions} == actions_of(of(policy))
    assert size(policy) < INLINE_LIMIT


def test_a_playbook_needs_no_more_than_the_role_may() -> None:
    """What a playbook's policy allows in an account, the role's allows too."""
    whole = of(iam.member_policy(PLACE))
    for name in PLAYBOOKS:
        for each in of(iam.playbook_policy(name, PLACE)):
            for action in set(each["Action"]) - {"sns:Publish"}:
                wider = [a for s in whole if action in s["Action"] for a in s["Resource"]]
                for arn in each["Resource"]:
                    assert any(fnmatchcase(arn, pattern) for pattern in wider), (action, arn)


def test_an_unknown_playbook_is_said() -> None:
    """Who misspells a playbook is told which there are."""
    with pytest.raises(InvalidSettings, match=r"playbook 'nope': there are block_alerted_address"):
        iam.playbook_policy("nope", PLACE)


def test_only_functions_that_act_in_accounts_are_trusted() -> None:
    """The root of the security account is trusted, for the roles of five functions alone."""
    (only,) = iam.member_trust(PLACE, "999988887777")["Statement"]
    role = "arn:aws-us-gov:iam::999988887777:role/firebreak-nineteen-characters-"

    assert {"AWS": "arn:aws-us-gov:iam::999988887777:root"} == only["Principal"]
    assert {
        "StringEquals": {"sts:ExternalId": "firebreak-nineteen-characters"},
        "ArnEquals": {
            "aws:PrincipalArn": [
                f"{role}{each}"
                for each in (
                    "on_event",
                    "on_execution_ended",
                    "reconcile",
                    "retry_intake",
                    "run_step",
                )
            ]
        },
    } == only["Condition"]


def test_the_organisation_is_asked_for_where_there_is_one() -> None:
    """With an organisation, only its own accounts are trusted."""
    (only,) = iam.member_trust(PLACE, "999988887777", "o-a1b2c3d4e5")["Statement"]

    assert "o-a1b2c3d4e5" == only["Condition"]["StringEquals"]["aws:PrincipalOrgID"]
