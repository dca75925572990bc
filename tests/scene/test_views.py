from __future__ import annotations

import json

import pytest

from firebreak.cloud import Cloud
from firebreak.scene import describe, make
from tests.scene.conftest import about, client, finding_of, findings

INSTANCE = "i-0a1b2c3d4e5f60718"
DENIED = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}],
}


def states(cloud: Cloud, event: str) -> dict[str, str]:
    return {row["what"]: row["state"] for row in describe(cloud, finding_of(event))}


def scene_of(cloud: Cloud, event: str) -> dict[str, str]:
    make(cloud, finding_of(event))
    return states(cloud, event)


def changed(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[str, str]]:
    names = [*before, *(name for name in after if name not in before)]
    pairs = {name: (before.get(name, ""), after.get(name, "")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def test_nothing_that_an_event_names_stops_the_view(cloud: Cloud) -> None:
    """Rows are plain, each once, in the same order each time, also where nothing was made."""
    for _, finding in findings():
        bare = describe(cloud, finding)
        make(cloud, finding)
        rows = describe(cloud, finding)

        assert rows == describe(cloud, finding)
        assert all({"what", "state"} == set(row) for row in (*bare, *rows))
        assert len(rows) == len({row["what"] for row in rows})


def test_an_instance_shows_its_interfaces_acl_group_and_role(cloud: Cloud) -> None:
    """Moving an interface, denying an address and revoking a role each change one row."""
    event = "guardduty/crypto_currency_ec2"
    make(cloud, finding_of(event), auto_scaling=True)
    before, ec2 = states(cloud, event), client(cloud, "ec2")
    (acl,) = ec2.describe_network_acls(
        Filters=[{"Name": "vpc-id", "Values": ["vpc-0a1b2c3d4e5f60718"]}]
    )["NetworkAcls"]

    ec2.modify_network_interface_attribute(
        NetworkInterfaceId="eni-0a1b2c3d4e5f6a720", Groups=["sg-0a1b2c3d4e5f60001"]
    )
    ec2.create_network_acl_entry(
        NetworkAclId=acl["NetworkAclId"],
        RuleNumber=1,
        Protocol="-1",
        RuleAction="deny",
        Egress=True,
        CidrBlock="198.51.100.23/32",
    )
    client(cloud, "autoscaling").enter_standby(
        InstanceIds=[INSTANCE],
        AutoScalingGroupName=f"scene-{INSTANCE}",
        ShouldDecrementDesiredCapacity=False,
    )
    client(cloud, "iam").put_role_policy(
        RoleName="web-server", PolicyName="cut-off", PolicyDocument=json.dumps(DENIED)
    )

    assert {
        "eni-0a1b2c3d4e5f6a720 10.0.2.17 (subnet-0a1b2c3d4e5f60002)": ("admin, web", "web"),
        f"network ACL {acl['NetworkAclId']}": ("none", "denies 198.51.100.23/32 out"),
        f"Auto Scaling group of {INSTANCE}": (
            f"InService in scene-{INSTANCE}",
            f"Standby in scene-{INSTANCE}",
        ),
        "inline policies of role web-server": ("application", "application, cut-off"),
    } == changed(before, states(cloud, event))
    assert "eni-0a1b2c3d4e5f6a710 10.0.1.17 (subnet-0a1b2c3d4e5f60001)" == next(iter(before))


def test_a_key_shows_its_status(cloud: Cloud) -> None:
    """Active, then Inactive, then not there."""
    event = "guardduty/stolen_access_key_user"
    iam, key = client(cloud, "iam"), "AKIAIOSFODNN7EXAMPLE"

    seen = [scene_of(cloud, event)]
    iam.update_access_key(UserName="deploy", AccessKeyId=key, Status="Inactive")
    seen.append(states(cloud, event))
    iam.delete_access_key(UserName="deploy", AccessKeyId=key)
    seen.append(states(cloud, event))

    assert ["Active", "Inactive", "not there"] == [
        each[f"access key {key} of deploy"] for each in seen
    ]


def test_a_bucket_shows_which_parts_of_the_block_are_on(cloud: Cloud) -> None:
    """None, or the names of those that are on."""
    event, what = "guardduty/public_bucket", "public access block of shop-invoices"
    before = scene_of(cloud, event)

    client(cloud, "s3").put_public_access_block(
        Bucket="shop-invoices",
        PublicAccessBlockConfiguration={"BlockPublicAcls": True, "IgnorePublicAcls": True},
    )

    assert {what: ("none", "BlockPublicAcls, IgnorePublicAcls")} == changed(
        before, states(cloud, event)
    )


def test_a_group_shows_a_row_for_each_rule_inward(cloud: Cloud) -> None:
    """A rule that is revoked has no row any more, a new one has."""
    event = "config/restricted_ssh_noncompliant"
    before, ec2 = scene_of(cloud, event), client(cloud, "ec2")
    group = finding_of(event).resource.id

    ec2.revoke_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}],
    )

    assert [
        f"{group}: tcp 20-30 from 0.0.0.0/0",
        f"{group}: tcp 22 from 0.0.0.0/0",
        f"{group}: tcp 22 from 10.0.0.0/16",
        f"{group}: tcp 22 from ::/0",
        f"{group}: tcp 443 from 0.0.0.0/0",
    ] == list(before)
    assert {
        f"{group}: tcp 22 from 0.0.0.0/0": ("open", ""),
        f"{group}: all from {group}": ("", "open"),
    } == changed(before, states(cloud, event))


def test_a_firewall_shows_what_firebreaks_own_rules_drop(cloud: Cloud) -> None:
    """Networks and names of its groups in the policy are listed, groups of others are not."""
    event, firewall = "network_firewall/alert_event", client(cloud, "network-firewall")
    before = scene_of(cloud, event)
    rules = (
        "drop ip 203.0.113.80/32 any <> any any (sid:1000001; rev:1;)\n"
        'drop tls any any -> any any (tls.sni; content:"c2.bad.example"; sid:1000002; rev:1;)'
    )
    policy = firewall.describe_firewall_policy(FirewallPolicyName="egress")
    references = [
        {
            "Priority": priority,
            "ResourceArn": firewall.create_rule_group(
                RuleGroupName=name,
                Type="STATEFUL",
                Capacity=10,
                RuleGroup={
                    "RulesSource": {"RulesString": rules},
                    "StatefulRuleOptions": {"RuleOrder": "STRICT_ORDER"},
                },
            )["RuleGroupResponse"]["RuleGroupArn"],
        }
        for priority, name in enumerate(("firebreak-test-blocklist", "others"), 1)
    ]

    firewall.update_firewall_policy(
        FirewallPolicyName="egress",
        UpdateToken=policy["UpdateToken"],
        FirewallPolicy={**policy["FirewallPolicy"], "StatefulRuleGroupReferences": references},
    )

    assert {
        "firewall egress: rules of Firebreak": (
            "none",
            "drop ip 203.0.113.80/32, drop tls c2.bad.example",
        )
    } == changed(before, states(cloud, event))


@pytest.mark.parametrize(
    ("kind", "id_", "code"),
    [
        ("bucket", "nowhere", "NoSuchBucket"),
        ("security_group", "GeneratedFindingSecurityId1", "InvalidGroupId.Malformed"),
        ("firewall", "nowhere", "ResourceNotFoundException"),
    ],
)
def test_what_cannot_be_shown_has_the_errors_code(
    cloud: Cloud, kind: str, id_: str, code: str
) -> None:
    """A view does not raise for what is not there, or has an id that the API refuses."""
    assert [{"what": f"{kind} {id_}", "state": code}] == describe(cloud, about(kind, id_))
