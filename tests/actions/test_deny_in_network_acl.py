"""Where deny_in_network_acl puts its entries, what it never denies, and when it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from chalicelib import network_acl
from chalicelib.quotas import RULES_PER_NETWORK_ACL
from tests.actions.drive import applied

REMOTE, OTHER, REMOTE_6 = "198.51.100.7/32", "203.0.113.9/32", "2001:db8::7/128"


def network(session: boto3.Session, cidr: str = "10.50.0.0/16", *, ipv6: bool = False) -> str:
    """Make a VPC and return its id."""
    made = session.client("ec2").create_vpc(CidrBlock=cidr, AmazonProvidedIpv6CidrBlock=ipv6)
    return str(made["Vpc"]["VpcId"])


def subnet(session: boto3.Session, vpc_id: str, cidr: str = "10.50.1.0/24") -> str:
    """Make a subnet, which has the VPC's default network ACL, and return its id."""
    made = session.client("ec2").create_subnet(VpcId=vpc_id, CidrBlock=cidr)
    return str(made["Subnet"]["SubnetId"])


def instance(session: boto3.Session, *subnet_ids: str) -> str:
    """Launch an instance with an interface in each subnet and return its id."""
    ec2 = session.client("ec2")
    made = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=subnet_ids[0])
    instance_id = str(made["Instances"][0]["InstanceId"])
    for index, each in enumerate(subnet_ids[1:], start=1):
        interface = ec2.create_network_interface(SubnetId=each)["NetworkInterface"]
        ec2.attach_network_interface(
            InstanceId=instance_id,
            NetworkInterfaceId=interface["NetworkInterfaceId"],
            DeviceIndex=index,
        )
    return instance_id


def acl_of(session: boto3.Session, subnet_id: str) -> dict[str, Any]:
    """Return the network ACL of a subnet."""
    found = session.client("ec2").describe_network_acls(
        Filters=[{"Name": "association.subnet-id", "Values": [subnet_id]}]
    )["NetworkAcls"]
    return dict(found[0])


def own_acl(session: boto3.Session, vpc_id: str, subnet_id: str) -> str:
    """Give a subnet a network ACL of its own, without entries, and return its id."""
    ec2 = session.client("ec2")
    acl_id = str(ec2.create_network_acl(VpcId=vpc_id)["NetworkAcl"]["NetworkAclId"])
    associations = acl_of(session, subnet_id)["Associations"]
    (association,) = [each for each in associations if each["SubnetId"] == subnet_id]
    ec2.replace_network_acl_association(
        AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl_id
    )
    return acl_id


def entry(
    session: boto3.Session,
    acl_id: str,
    number: int,
    action: str,
    cidr: str = "0.0.0.0/0",
    *,
    egress: bool = False,
) -> None:
    """Add an entry for every protocol to a network ACL."""
    session.client("ec2").create_network_acl_entry(
        NetworkAclId=acl_id,
        RuleNumber=number,
        Protocol="-1",
        RuleAction=action,
        Egress=egress,
        **{"Ipv6CidrBlock" if ":" in cidr else "CidrBlock": cidr},
    )


def one_subnet(session: boto3.Session) -> dict[str, Any]:
    """Make an instance in a subnet with the VPC's default network ACL."""
    subnet_id = subnet(session, network(session))
    return {"instance_id": instance(session, subnet_id), "cidrs": [REMOTE]}


def both_families(session: boto3.Session) -> dict[str, Any]:
    """Make an instance in a VPC with IPv6, and deny networks of both families."""
    subnet_id = subnet(session, network(session, ipv6=True))
    acl_id = acl_of(session, subnet_id)["NetworkAclId"]
    entry(session, acl_id, 101, "allow", "::/0")
    entry(session, acl_id, 101, "allow", "::/0", egress=True)
    return {"instance_id": instance(session, subnet_id), "cidrs": [REMOTE, REMOTE_6]}


def shared_acl(session: boto3.Session) -> dict[str, Any]:
    """Make an instance with interfaces in two subnets of one network ACL."""
    vpc_id = network(session)
    subnets = [subnet(session, vpc_id), subnet(session, vpc_id, "10.50.2.0/24")]
    return {"instance_id": instance(session, *subnets), "cidrs": [REMOTE, OTHER]}


def several_acls(session: boto3.Session) -> dict[str, Any]:
    """Make an instance in two subnets with an ACL each, one of which has low numbers taken."""
    vpc_id = network(session)
    subnets = [subnet(session, vpc_id), subnet(session, vpc_id, "10.50.2.0/24")]
    acl_id = own_acl(session, vpc_id, subnets[1])
    entry(session, acl_id, 1, "deny", "192.0.2.0/24")
    entry(session, acl_id, 2, "allow", "10.0.0.0/8")
    entry(session, acl_id, 4, "allow")
    entry(session, acl_id, 4, "allow", egress=True)
    return {"instance_id": instance(session, *subnets), "cidrs": [REMOTE]}


def denied_already(session: boto3.Session) -> dict[str, Any]:
    """Make an instance whose network ACL denies the network one way, and too late the other."""
    subnet_id = subnet(session, network(session))
    acl_id = acl_of(session, subnet_id)["NetworkAclId"]
    entry(session, acl_id, 50, "deny", REMOTE)
    entry(session, acl_id, 200, "deny", REMOTE, egress=True)
    return {"instance_id": instance(session, subnet_id), "cidrs": [REMOTE]}


Scene = Callable[[boto3.Session], dict[str, Any]]
SCENES: dict[str, Scene] = {
    scene.__name__: scene
    for scene in (one_subnet, both_families, shared_acl, several_acls, denied_already)
}


def subnets_of(session: boto3.Session, instance_id: str) -> list[str]:
    """Return the subnets of an instance's interfaces, in the order of their addresses."""
    found = session.client("ec2").describe_network_interfaces(
        Filters=[{"Name": "attachment.instance-id", "Values": [instance_id]}]
    )["NetworkInterfaces"]
    return [each["SubnetId"] for each in sorted(found, key=lambda i: str(i["PrivateIpAddress"]))]


def entries(session: boto3.Session, subnet_id: str) -> list[tuple[str, int, str, str]]:
    """Return the entries of a subnet's network ACL, without AWS's own last ones."""
    return sorted(
        (
            "egress" if each["Egress"] else "ingress",
            each["RuleNumber"],
            each["RuleAction"],
            each.get("CidrBlock") or each.get("Ipv6CidrBlock", ""),
        )
        for each in acl_of(session, subnet_id)["Entries"]
        if each["RuleNumber"] <= network_acl.LAST
    )


def first_acl(session: boto3.Session, params: dict[str, Any]) -> str:
    """Return the network ACL of a scene's first subnet."""
    subnet_id = subnets_of(session, params["instance_id"])[0]
    return str(acl_of(session, subnet_id)["NetworkAclId"])


def test_a_network_is_denied_both_ways(account: boto3.Session) -> None:
    """The entries come before the one that lets everything pass."""
    params = one_subnet(account)

    run = applied("deny_in_network_acl", account, **params)

    (subnet_id,) = subnets_of(account, params["instance_id"])
    assert (run.status, run.reason) == ("done", "")
    assert entries(account, subnet_id) == [
        ("egress", 1, "deny", REMOTE),
        ("egress", 100, "allow", "0.0.0.0/0"),
        ("ingress", 1, "deny", REMOTE),
        ("ingress", 100, "allow", "0.0.0.0/0"),
    ]
    assert run.facts["acls"] == [acl_of(account, subnet_id)["NetworkAclId"]]
    assert run.facts["denied"] == [REMOTE]
    assert run.facts["skipped"] == run.facts["uncovered"] == []
    assert "other instances" in run.facts["note"]


def test_ipv6_is_denied_too(account: boto3.Session) -> None:
    """In a VPC with IPv6 an IPv6 network gets entries of its own family."""
    params = both_families(account)

    applied("deny_in_network_acl", account, **params)

    (subnet_id,) = subnets_of(account, params["instance_id"])
    denied = [each for each in entries(account, subnet_id) if each[2] == "deny"]
    assert denied == [
        ("egress", 1, "deny", REMOTE),
        ("egress", 2, "deny", REMOTE_6),
        ("ingress", 1, "deny", REMOTE),
        ("ingress", 2, "deny", REMOTE_6),
    ]


def test_ipv6_is_skipped_where_the_vpc_has_none(account: boto3.Session) -> None:
    """No IPv6 traffic reaches such a VPC, and the report says that it was left out."""
    run = applied(
        "deny_in_network_acl", account, **one_subnet(account) | {"cidrs": [REMOTE, REMOTE_6]}
    )

    assert run.facts["denied"] == [REMOTE]
    assert run.facts["skipped"] == [{"value": REMOTE_6, "reason": "the VPC has no IPv6"}]


def test_one_acl_of_two_subnets_is_changed_once(account: boto3.Session) -> None:
    """Two interfaces behind one network ACL make one entry for each network and direction."""
    run = applied("deny_in_network_acl", account, **shared_acl(account))

    assert run.calls == ["ec2:create_network_acl_entry"] * 4


def test_each_subnet_has_its_acl(account: boto3.Session) -> None:
    """The lowest free number below the first entry that lets the network pass is taken."""
    params = several_acls(account)

    run = applied("deny_in_network_acl", account, **params)

    second = subnets_of(account, params["instance_id"])[1]
    assert len(run.facts["acls"]) == 2
    assert ("ingress", 3, "deny", REMOTE) in entries(account, second)
    assert ("egress", 1, "deny", REMOTE) in entries(account, second)


def test_what_denies_already_is_not_repeated(account: boto3.Session) -> None:
    """An entry that denies in time is enough; one behind the first allow is not."""
    params = denied_already(account)

    run = applied("deny_in_network_acl", account, **params)

    assert run.calls == ["ec2:create_network_acl_entry"]
    assert {row["result"] for row in run.undo()} == {"restored", "already_back"}


def test_undo_removes_the_entry_under_any_number(account: boto3.Session) -> None:
    """Somebody renumbered the entry meanwhile: it is removed all the same, and no other."""
    params = one_subnet(account)
    (subnet_id,) = subnets_of(account, params["instance_id"])
    before = entries(account, subnet_id)
    run = applied("deny_in_network_acl", account, **params)
    acl_id = first_acl(account, params)
    account.client("ec2").delete_network_acl_entry(NetworkAclId=acl_id, RuleNumber=1, Egress=False)
    entry(account, acl_id, 7, "deny", REMOTE)

    results = {row["result"] for row in run.undo()}

    assert results == {"restored"}
    assert entries(account, subnet_id) == before


def test_a_number_taken_meanwhile(bench: Any, account: boto3.Session) -> None:
    """Where somebody takes the number first, the next free one is used."""
    params = one_subnet(account)
    acl_id = first_acl(account, params)

    def take_the_number(call: Any) -> None:
        if call.operation == "CreateNetworkAclEntry" and call.phase == "before":
            bench.cloud.inject = None
            entry(account, acl_id, 1, "deny", OTHER)

    bench.cloud.inject = take_the_number
    run = applied("deny_in_network_acl", account, **params)

    (subnet_id,) = subnets_of(account, params["instance_id"])
    assert run.status == "done"
    assert ("ingress", 2, "deny", REMOTE) in entries(account, subnet_id)


def test_a_full_acl_is_found_out_before_anything_is_changed(account: boto3.Session) -> None:
    """AWS's own last entry counts towards the quota."""
    params = one_subnet(account)
    acl_id = first_acl(account, params)
    for number in range(200, 200 + RULES_PER_NETWORK_ACL[1] - 2):
        entry(account, acl_id, number, "allow", egress=True)

    run = applied("deny_in_network_acl", account, **params)

    assert (run.status, run.calls) == ("refused", [])
    assert run.reason.startswith("network_acl_full: ")
    assert "has 20 egress rules for IPv4" in run.reason


def test_no_number_before_the_first_allow(account: boto3.Session) -> None:
    """An entry that would come too late is not made."""
    params = one_subnet(account)
    entry(account, first_acl(account, params), 1, "allow", egress=True)

    run = applied("deny_in_network_acl", account, **params)

    assert (run.status, run.calls) == ("refused", [])
    assert run.reason.startswith("no_rule_number: ")


def test_what_is_never_denied(account: boto3.Session) -> None:
    """Own, private, special, wide networks and those of AWS are skipped, each with its reason."""
    elastic = "192.0.2.33/32"
    account.client("ec2").allocate_address(Domain="vpc", Address="192.0.2.33")
    never = ["10.50.1.4/32", "169.254.169.254/32", "198.51.100.0/24", "52.216.0.1/32", elastic]

    run = applied(
        "deny_in_network_acl",
        account,
        **one_subnet(account) | {"cidrs": [REMOTE, OTHER, *never], "never": ["203.0.113.0/24"]},
    )

    assert run.facts["denied"] == [REMOTE]
    assert {each["value"]: each["reason"] for each in run.facts["skipped"]} == {
        OTHER: "in 203.0.113.0/24: never to be blocked, says the playbook",
        "10.50.1.4/32": "in 10.0.0.0/8: private",
        "169.254.169.254/32": (
            "in 169.254.0.0/16: link-local, where AWS has instance metadata, DNS and time"
        ),
        "198.51.100.0/24": "wider than /32",
        "52.216.0.1/32": "in 52.216.0.0/15: com.amazonaws.us-east-1.s3",
        elastic: f"in {elastic}: an Elastic IP address of this account",
    }


def test_nothing_that_may_be_denied(account: boto3.Session) -> None:
    """Where nothing is left to deny, the step says so instead of reporting success."""
    run = applied("deny_in_network_acl", account, **one_subnet(account) | {"cidrs": ["0.0.0.0/0"]})

    assert (run.status, run.calls) == ("refused", [])
    assert run.reason == "nothing_blockable: 0.0.0.0/0 wider than /32"


def test_an_instance_that_does_not_exist(account: boto3.Session) -> None:
    """There is nothing to act on."""
    run = applied("deny_in_network_acl", account, instance_id="i-0123456789abcdef0", cidrs=[REMOTE])

    assert run.status == "not_applicable"


@pytest.mark.parametrize("direction", network_acl.DIRECTIONS)
def test_an_allow_of_other_networks_is_no_bound(direction: str) -> None:
    """Only entries that let some of the network pass must come later."""
    egress = direction == "egress"
    allowing = {
        "RuleNumber": 1,
        "Protocol": "-1",
        "RuleAction": "allow",
        "Egress": egress,
        "CidrBlock": "10.0.0.0/8",
    }

    after = network_acl.with_denial([allowing], direction, REMOTE)

    assert after[1] == allowing | {
        "RuleNumber": 2,
        "RuleAction": "deny",
        "CidrBlock": REMOTE,
    }
