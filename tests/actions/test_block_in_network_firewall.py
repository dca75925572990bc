"""Which rules block_in_network_firewall writes, that they are enforced, and when it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from chalicelib import network_firewall
from chalicelib.network_firewall import GUARD
from tests.actions.drive import applied

REMOTE, REMOTE_6, DOMAIN = "198.51.100.7/32", "2001:db8::7/128", "evil.example"
GROUP = "firebreak-replay-blocklist"
FORWARD, PASS = "aws:forward_to_sfe", "aws:pass"


def policy(session: boto3.Session, **document: Any) -> str:
    """Make a firewall policy that forwards everything to stateful rules, and return its ARN."""
    made = session.client("network-firewall").create_firewall_policy(
        FirewallPolicyName="edge",
        FirewallPolicy={
            "StatelessDefaultActions": [FORWARD],
            "StatelessFragmentDefaultActions": [FORWARD],
            **document,
        },
        Description="made by the network team",
    )
    return str(made["FirewallPolicyResponse"]["FirewallPolicyArn"])


def firewall(session: boto3.Session, policy_arn: str) -> str:
    """Make a firewall with a policy and return its name."""
    ec2 = session.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
    made = session.client("network-firewall").create_firewall(
        FirewallName="edge", FirewallPolicyArn=policy_arn, VpcId=vpc_id, SubnetMappings=[]
    )
    return str(made["Firewall"]["FirewallName"])


def rule_group(
    session: boto3.Session,
    name: str,
    rules: list[str],
    *,
    capacity: int = 100,
    order: str = network_firewall.ACTION_ORDER,
    tags: dict[str, str] | None = None,
) -> str:
    """Make a stateful rule group and return its ARN."""
    listed = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    made = session.client("network-firewall").create_rule_group(
        RuleGroupName=name,
        Type="STATEFUL",
        Capacity=capacity,
        RuleGroup={
            "RulesSource": {"RulesString": "\n".join(rules)},
            "StatefulRuleOptions": {"RuleOrder": order},
        },
        **({"Tags": listed} if listed else {}),
    )
    return str(made["RuleGroupResponse"]["RuleGroupArn"])


OTHERS_RULE = 'drop tcp any any -> any 23 (msg:"no telnet"; sid:5; rev:2;)'
STRICT = {"StatefulEngineOptions": {"RuleOrder": network_firewall.STRICT_ORDER}}


def bare_policy(session: boto3.Session) -> dict[str, Any]:
    """Make a firewall whose policy has no stateful rule group."""
    return {"firewall_name": firewall(session, policy(session)), "cidrs": [REMOTE]}


def addresses_and_domains(session: boto3.Session) -> dict[str, Any]:
    """Make a firewall whose policy has a rule group, and block networks and a domain."""
    arn = rule_group(session, "telnet", [OTHERS_RULE])
    policy_arn = policy(session, StatefulRuleGroupReferences=[{"ResourceArn": arn}])
    return {
        "firewall_name": firewall(session, policy_arn),
        "cidrs": [REMOTE, REMOTE_6],
        "domains": [DOMAIN],
    }


def strict_policy(session: boto3.Session) -> dict[str, Any]:
    """Make a firewall whose policy is of strict order."""
    arn = rule_group(session, "telnet", [OTHERS_RULE], order=network_firewall.STRICT_ORDER)
    references = [{"ResourceArn": arn, "Priority": 10}]
    policy_arn = policy(session, **STRICT, StatefulRuleGroupReferences=references)
    return {"firewall_name": firewall(session, policy_arn), "domains": [DOMAIN]}


def own_group(session: boto3.Session) -> dict[str, Any]:
    """Make a firewall whose policy refers to a group that people share with Firebreak."""
    tags = {"firebreak:fixture": "shared"}
    arn = rule_group(session, "shared", ["# people write here too", OTHERS_RULE], tags=tags)
    policy_arn = policy(session, StatefulRuleGroupReferences=[{"ResourceArn": arn}])
    return {
        "firewall_name": firewall(session, policy_arn),
        "cidrs": [REMOTE],
        "rule_group": "shared",
        "attach": False,
    }


Scene = Callable[[boto3.Session], dict[str, Any]]
SCENES: dict[str, Scene] = {
    scene.__name__: scene
    for scene in (bare_policy, addresses_and_domains, strict_policy, own_group)
}


def lines(session: boto3.Session, name: str = GROUP) -> list[str]:
    """Return the lines of a rule group."""
    shown = session.client("network-firewall").describe_rule_group(
        RuleGroupName=name, Type="STATEFUL"
    )
    return list(shown["RuleGroup"]["RulesSource"]["RulesString"].splitlines())


def references(session: boto3.Session) -> list[dict[str, Any]]:
    """Return the policy's references to stateful rule groups."""
    shown = session.client("network-firewall").describe_firewall_policy(FirewallPolicyName="edge")
    return list(shown["FirewallPolicy"].get("StatefulRuleGroupReferences", []))


def heads(session: boto3.Session, name: str = GROUP) -> list[str]:
    """Return the lines of a rule group up to the rule's message."""
    return [each.partition("msg:")[0] for each in lines(session, name)]


def test_a_network_is_dropped_by_every_protocol(account: boto3.Session) -> None:
    """The group is made, the policy refers to it, and one rule drops both ways."""
    run = applied("block_in_network_firewall", account, **bare_policy(account))

    assert (run.status, run.reason) == ("done", "")
    guard, rule = lines(account)
    assert guard == GUARD
    assert rule.startswith(f'drop ip {REMOTE} any <> any any (msg:"Firebreak {run.identity}"; sid:')
    assert [each["ResourceArn"].rpartition("/")[2] for each in references(account)] == [GROUP]
    assert run.facts["blocked"] == [REMOTE]
    assert (run.facts["rule_group"], run.facts["policy"]) == (GROUP, "edge")
    assert "StartFlowFlush" in run.facts["survives"][0]


def test_a_domain_is_dropped_by_name(account: boto3.Session) -> None:
    """The name in TLS handshakes and HTTP requests is matched, that very name."""
    applied("block_in_network_firewall", account, **addresses_and_domains(account))

    assert heads(account)[3:] == [
        "drop tls any any -> any any (flow:to_server; tls.sni;"
        ' content:"evil.example"; startswith; endswith; nocase; ',
        "drop http any any -> any any (flow:to_server; http.host;"
        ' content:"evil.example"; startswith; endswith; ',
    ]


def test_strict_order_gets_a_group_of_its_own_that_goes_first(account: boto3.Session) -> None:
    """A group's order is fixed, so policies of strict order have another; it has priority."""
    run = applied("block_in_network_firewall", account, **strict_policy(account))

    assert run.facts["rule_group"] == f"{GROUP}-strict"
    assert [each["Priority"] for each in references(account)] == [10, 9]
    assert all("pass rule" not in each for each in run.facts["survives"])


def test_other_lines_of_the_group_stay(account: boto3.Session) -> None:
    """What people wrote into the group is not touched, by doing or undoing."""
    params = own_group(account)
    before = lines(account, "shared")

    run = applied("block_in_network_firewall", account, **params)
    assert lines(account, "shared")[:2] == before
    assert "network-firewall:update_firewall_policy" not in run.calls
    run.undo()

    assert lines(account, "shared") == before


def test_undo_removes_rules_and_reference(account: boto3.Session) -> None:
    """The group stays, with the rule that keeps it from being empty."""
    params = addresses_and_domains(account)
    before = references(account)

    run = applied("block_in_network_firewall", account, **params)
    results = {row["result"] for row in run.undo()}

    assert results == {"restored"}
    assert references(account) == before
    assert lines(account) == [GUARD]


def test_a_value_blocked_twice_stays_until_the_last_undo(account: boto3.Session) -> None:
    """Two remediations of one address share the rule and the reference."""
    params = bare_policy(account)
    first = applied("block_in_network_firewall", account, **params)
    second = applied("block_in_network_firewall", account, **params)
    assert second.calls == []

    first.undo()
    assert len(lines(account)) == 2
    assert len(references(account)) == 1

    second.undo()
    assert lines(account) == [GUARD]
    assert references(account) == []


def test_the_description_of_the_policy_stays(account: boto3.Session) -> None:
    """An update that does not repeat the description would lose it."""
    applied("block_in_network_firewall", account, **bare_policy(account))

    shown = account.client("network-firewall").describe_firewall_policy(FirewallPolicyName="edge")
    assert shown["FirewallPolicyResponse"]["Description"] == "made by the network team"


def test_a_group_written_meanwhile(bench: Any, account: boto3.Session) -> None:
    """A stale token is answered by reading again: the other writer's line stays."""
    params = own_group(account)
    client = account.client("network-firewall")

    def write(call: Any) -> None:
        if call.operation == "UpdateRuleGroup" and call.phase == "before":
            bench.cloud.inject = None
            shown = client.describe_rule_group(RuleGroupName="shared", Type="STATEFUL")
            group = shown["RuleGroup"]
            group["RulesSource"]["RulesString"] += "\npass ip any any -> any any (sid:6; rev:1;)"
            client.update_rule_group(
                UpdateToken=shown["UpdateToken"],
                RuleGroupName="shared",
                Type="STATEFUL",
                RuleGroup=group,
            )

    bench.cloud.inject = write
    run = applied("block_in_network_firewall", account, **params)

    assert run.status == "done"
    assert [each[:12] for each in lines(account, "shared")[2:]] == ["pass ip any ", "drop ip 198."]


def test_what_is_never_blocked(account: boto3.Session) -> None:
    """Own and private networks, AWS, and what is no host name are skipped with the reason."""
    run = applied(
        "block_in_network_firewall",
        account,
        **bare_policy(account)
        | {
            "cidrs": [REMOTE, "10.60.0.9/32", "52.216.0.1/32"],
            "domains": ["Evil.Example.", 'x"; sid:1;) pass ip any', "sts.amazonaws.com"],
        },
    )

    assert run.facts["blocked"] == [REMOTE, DOMAIN]
    assert run.facts["skipped"] == [
        {"value": "10.60.0.9/32", "reason": "in 10.0.0.0/8: private"},
        {"value": "52.216.0.1/32", "reason": "in 52.216.0.0/15: com.amazonaws.us-east-1.s3"},
        {"value": 'x"; sid:1;) pass ip any', "reason": "not a host name"},
        {"value": "sts.amazonaws.com", "reason": "belongs to AWS"},
    ]


def refused(session: boto3.Session, code: str, **params: Any) -> None:
    """Assert that the action refuses with this code, having changed nothing."""
    run = applied("block_in_network_firewall", session, **params)

    assert (run.status, run.reason.partition(":")[0], run.calls) == ("refused", code, [])


def test_nothing_that_may_be_blocked(account: boto3.Session) -> None:
    """Where nothing is left to block, the step says so instead of reporting success."""
    refused(account, "nothing_blockable", **bare_policy(account) | {"cidrs": ["10.0.0.1/32"]})


def test_a_policy_that_inspects_nothing(account: boto3.Session) -> None:
    """Rules that no traffic reaches are not reported as a block."""
    arn = policy(account, StatelessDefaultActions=[PASS], StatelessFragmentDefaultActions=[PASS])
    refused(account, "not_inspected", firewall_name=firewall(account, arn), cidrs=[REMOTE])


def test_a_policy_that_must_not_be_changed(account: boto3.Session) -> None:
    """With `attach: false` the policy must refer to the group already."""
    refused(account, "rule_group_not_attached", **bare_policy(account) | {"attach": False})


def test_no_place_before_the_other_groups(account: boto3.Session) -> None:
    """Under strict order a group with priority 1 would decide before Firebreak's."""
    arn = rule_group(account, "telnet", [OTHERS_RULE], order=network_firewall.STRICT_ORDER)
    policy_arn = policy(
        account, **STRICT, StatefulRuleGroupReferences=[{"ResourceArn": arn, "Priority": 1}]
    )
    refused(account, "no_priority", firewall_name=firewall(account, policy_arn), cidrs=[REMOTE])


def test_a_policy_with_twenty_groups(account: boto3.Session) -> None:
    """AWS takes no more than 20 stateful rule groups in a policy."""
    arns = [rule_group(account, f"group-{n}", [OTHERS_RULE]) for n in range(20)]
    references = [{"ResourceArn": arn} for arn in arns]
    policy_arn = policy(account, StatefulRuleGroupReferences=references)
    name = firewall(account, policy_arn)
    refused(account, "firewall_policy_full", firewall_name=name, cidrs=[REMOTE])


def test_a_full_group(account: boto3.Session) -> None:
    """A group's capacity is fixed when it is made: what does not fit is found out beforehand."""
    rule_group(account, GROUP, [GUARD], capacity=1, tags={"firebreak:fixture": GROUP})
    refused(account, "rule_group_full", **bare_policy(account))


def test_a_group_that_is_somebody_elses(account: boto3.Session) -> None:
    """A name is not enough: the tag says that Firebreak may write to the group."""
    rule_group(account, GROUP, [GUARD])
    refused(account, "fixture_differs", **bare_policy(account))


def test_a_policy_of_another_account(account: boto3.Session) -> None:
    """A policy that is shared from elsewhere cannot be changed here."""
    arn = "arn:aws:network-firewall:us-east-1:999988887777:firewall-policy/central"
    refused(
        account, "firewall_policy_not_ours", firewall_name=firewall(account, arn), cidrs=[REMOTE]
    )


def test_a_firewall_that_does_not_exist(account: boto3.Session) -> None:
    """There is nothing to act on."""
    run = applied("block_in_network_firewall", account, firewall_name="gone", cidrs=[REMOTE])

    assert run.status == "not_applicable"


def test_nothing_named(account: boto3.Session) -> None:
    """A finding without remote address or domain leaves nothing to do."""
    params = bare_policy(account) | {"cidrs": []}

    assert applied("block_in_network_firewall", account, **params).status == "not_applicable"


@pytest.mark.parametrize("value", [REMOTE, DOMAIN])
def test_sids_are_unique(value: str) -> None:
    """A sid that is taken is passed over for the next one that is free."""
    first = network_firewall._sid(network_firewall.heads(value)[0], set())

    assert network_firewall._sid(network_firewall.heads(value)[0], {first}) == first + 1
    assert 1_000_000 < first < 2_000_000
