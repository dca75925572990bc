"""How the embedded Network Firewall keeps rule groups and policies, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import Cloud

RULE = 'drop ip 198.51.100.7/32 any <> any any (msg:"no"; sid:1; rev:1;)'
FORWARD = {
    "StatelessDefaultActions": ["aws:forward_to_sfe"],
    "StatelessFragmentDefaultActions": ["aws:forward_to_sfe"],
}
STRICT = {"RuleOrder": "STRICT_ORDER"}


@pytest.fixture
def firewalls(cloud: Cloud) -> Any:
    """Give a client of the service."""
    return cloud.session().client("network-firewall")


def group(client: Any, rules: str = RULE, *, capacity: int = 2, **more: Any) -> dict[str, Any]:
    """Make a rule group and return what AWS answers."""
    return dict(
        client.create_rule_group(
            RuleGroupName="blocklist",
            Type="STATEFUL",
            Capacity=capacity,
            RuleGroup={"RulesSource": {"RulesString": rules}, **more},
            Tags=[{"Key": "owner", "Value": "security"}],
        )
    )


def policy(client: Any, references: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Make a firewall policy and return what AWS answers."""
    document = {**FORWARD, "StatefulRuleGroupReferences": references, **more}
    return dict(client.create_firewall_policy(FirewallPolicyName="edge", FirewallPolicy=document))


def refused(call: Any, code: str, **params: Any) -> None:
    """Assert that a call is answered with an error code."""
    with pytest.raises(ClientError) as caught:
        call(**params)

    assert caught.value.response["Error"]["Code"] == code


def test_a_rule_group_is_as_it_was_made(firewalls: Any) -> None:
    """It has its rules, its tags, and knows how much of its capacity it uses."""
    made = group(firewalls)

    shown = firewalls.describe_rule_group(RuleGroupName="blocklist", Type="STATEFUL")

    assert shown["UpdateToken"] == made["UpdateToken"]
    assert shown["RuleGroup"] == {"RulesSource": {"RulesString": RULE}}
    response = shown["RuleGroupResponse"]
    assert response["Tags"] == [{"Key": "owner", "Value": "security"}]
    assert (response["Capacity"], response["ConsumedCapacity"]) == (2, 1)
    assert firewalls.list_rule_groups()["RuleGroups"] == [
        {"Name": "blocklist", "Arn": response["RuleGroupArn"]}
    ]


def test_an_update_needs_the_current_token(firewalls: Any) -> None:
    """A token is good for one update."""
    made = group(firewalls)
    update = {
        "RuleGroupName": "blocklist",
        "Type": "STATEFUL",
        "RuleGroup": {"RulesSource": {"RulesString": "# nothing"}},
        "UpdateToken": made["UpdateToken"],
    }
    firewalls.update_rule_group(**update)

    refused(firewalls.update_rule_group, "InvalidTokenException", **update)


@pytest.mark.parametrize(
    "rules",
    ["drop everything", RULE.replace("sid:1;", ""), f"{RULE}\n{RULE}", RULE.replace("drop", "eat")],
)
def test_rules_that_are_none(firewalls: Any, rules: str) -> None:
    """A line must be a rule with a sid of its own."""
    with pytest.raises(ClientError, match="stateful rule is invalid"):
        group(firewalls, rules)


def test_the_capacity_is_fixed(firewalls: Any) -> None:
    """More rules than that are refused."""
    rules = "\n".join(RULE.replace("sid:1", f"sid:{sid}") for sid in (1, 2, 3))

    with pytest.raises(ClientError, match="capacity exceeded"):
        group(firewalls, rules)


def test_a_group_in_use_is_not_deleted(firewalls: Any) -> None:
    """A policy that refers to a group holds it."""
    arn = group(firewalls)["RuleGroupResponse"]["RuleGroupArn"]
    policy(firewalls, [{"ResourceArn": arn}])

    refused(firewalls.delete_rule_group, "InvalidOperationException", RuleGroupArn=arn)


def test_what_does_not_exist(firewalls: Any) -> None:
    """Neither a group nor a policy is found by a wrong name."""
    missing = "ResourceNotFoundException"
    refused(firewalls.describe_rule_group, missing, RuleGroupName="none", Type="STATEFUL")
    refused(firewalls.describe_firewall_policy, missing, FirewallPolicyName="none")


def test_order_and_priorities_of_a_policy(firewalls: Any) -> None:
    """Groups must be of the policy's order, and strict order needs a priority for each."""
    arn = group(firewalls, StatefulRuleOptions=STRICT)["RuleGroupResponse"]["RuleGroupArn"]
    reference = {"ResourceArn": arn}
    strict = {"StatefulEngineOptions": STRICT}

    with pytest.raises(ClientError, match="differ in RuleOrder"):
        policy(firewalls, [reference])
    with pytest.raises(ClientError, match="needs a Priority"):
        policy(firewalls, [reference], **strict)

    made = policy(firewalls, [{**reference, "Priority": 1}], **strict)
    assert made["FirewallPolicyResponse"]["ConsumedStatefulRuleCapacity"] == 2


def test_a_policy_refers_to_groups_that_exist(firewalls: Any) -> None:
    """A reference to nothing is refused."""
    arn = "arn:aws:network-firewall:us-east-1:111122223333:stateful-rulegroup/none"
    with pytest.raises(ClientError, match="does not exist"):
        policy(firewalls, [{"ResourceArn": arn}])


def test_a_dry_run_changes_nothing(firewalls: Any) -> None:
    """A request with DryRun is checked and answered, but keeps nothing."""
    source = {"RulesSource": {"RulesString": RULE}}
    named = {"RuleGroupName": "blocklist", "Type": "STATEFUL"}
    firewalls.create_rule_group(**named, Capacity=2, RuleGroup=source, DryRun=True)
    refused(firewalls.describe_rule_group, "ResourceNotFoundException", **named)

    token = group(firewalls)["UpdateToken"]
    other = {"RulesSource": {"RulesString": RULE.replace("drop", "reject")}}
    firewalls.update_rule_group(**named, RuleGroup=other, UpdateToken=token, DryRun=True)

    shown = firewalls.describe_rule_group(**named)
    assert (shown["UpdateToken"], shown["RuleGroup"]) == (token, source)


def test_rules_that_are_not_text_count_too(firewalls: Any) -> None:
    """Stateful rules and listed domains use capacity, and are kept with their IP sets."""
    header = {
        "Protocol": "IP",
        "Source": "$BAD",
        "SourcePort": "ANY",
        "Direction": "ANY",
        "Destination": "ANY",
        "DestinationPort": "ANY",
    }
    rule = {
        "Action": "DROP",
        "Header": header,
        "RuleOptions": [{"Keyword": "sid", "Settings": ["1"]}],
    }
    document = {
        "RuleVariables": {"IPSets": {"BAD": {"Definition": ["198.51.100.0/24"]}}},
        "RulesSource": {"StatefulRules": [rule]},
    }
    named = {"RuleGroupName": "sets", "Type": "STATEFUL"}
    firewalls.create_rule_group(**named, Capacity=1, RuleGroup=document)
    shown = firewalls.describe_rule_group(**named)
    assert shown["RuleGroup"] == document
    assert shown["RuleGroupResponse"]["ConsumedCapacity"] == 1

    domains = {
        "Targets": ["a.example", "b.example"],
        "TargetTypes": ["TLS_SNI"],
        "GeneratedRulesType": "DENYLIST",
    }
    refused(
        firewalls.update_rule_group,
        "InvalidRequestException",
        **named,
        RuleGroup={"RulesSource": {"RulesSourceList": domains}},
        UpdateToken=shown["UpdateToken"],
    )
