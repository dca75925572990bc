"""How revoke_open_ingress closes ports to the world, what it leaves open, and how it comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from chalicelib.ingress import closings, is_world
from chalicelib.quotas import RULES_PER_SECURITY_GROUP
from tests.actions.drive import applied

WORLD, WORLD_6 = "0.0.0.0/0", "::/0"

Shown = tuple[str, int, int, str, str]


def group(session: boto3.Session) -> str:
    """Make a security group in a VPC of its own and return its id."""
    ec2 = session.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.40.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc_id)
    return str(made["GroupId"])


def admit(
    session: boto3.Session,
    group_id: str,
    low: int,
    high: int,
    cidr: str = WORLD,
    *,
    protocol: str = "tcp",
    description: str = "",
    tags: dict[str, str] | None = None,
) -> None:
    """Add an ingress rule to a security group."""
    described = {"Description": description} if description else {}
    key, name = ("Ipv6Ranges", "CidrIpv6") if ":" in cidr else ("IpRanges", "CidrIp")
    permission: dict[str, Any] = {"IpProtocol": protocol, key: [{name: cidr, **described}]}
    if protocol != "-1":
        permission |= {"FromPort": low, "ToPort": high}
    listed = [{"Key": each, "Value": value} for each, value in (tags or {}).items()]
    tagged = [{"ResourceType": "security-group-rule", "Tags": listed}]
    session.client("ec2").authorize_security_group_ingress(
        GroupId=group_id,
        IpPermissions=[permission],
        **({"TagSpecifications": tagged} if listed else {}),
    )


def open_ssh(session: boto3.Session) -> dict[str, Any]:
    """Make a group with SSH open to the world, both families, beside rules that must stay."""
    group_id = group(session)
    admit(session, group_id, 22, 22, description="from anywhere", tags={"owner": "web"})
    admit(session, group_id, 22, 22, WORLD_6)
    admit(session, group_id, 443, 443)
    admit(session, group_id, 22, 22, "192.0.2.0/24", description="the office")
    admit(session, group_id, 22, 22, "10.0.0.0/8")
    return {"group_id": group_id, "ports": [22]}


def range_with_ssh(session: boto3.Session) -> dict[str, Any]:
    """Make a group with a range of ports open to the world that holds SSH in its middle."""
    group_id = group(session)
    admit(session, group_id, 20, 30, description="a range", tags={"owner": "web"})
    admit(session, group_id, 20, 22, WORLD_6)
    return {"group_id": group_id, "ports": [22]}


def several_ports(session: boto3.Session) -> dict[str, Any]:
    """Make a group with every TCP port open to the world, of which four are to be closed."""
    group_id = group(session)
    admit(session, group_id, 0, 65535, description="lab")
    return {"group_id": group_id, "ports": [3389, 22, 23, 65535]}


def halves(session: boto3.Session) -> dict[str, Any]:
    """Make a group that names the world in two halves, for UDP."""
    group_id = group(session)
    admit(session, group_id, 53, 53, "0.0.0.0/1", protocol="udp")
    admit(session, group_id, 50, 60, "128.0.0.0/1", protocol="udp")
    return {"group_id": group_id, "ports": [53]}


def all_protocols(session: boto3.Session) -> dict[str, Any]:
    """Make a group that lets everything in."""
    group_id = group(session)
    admit(session, group_id, -1, -1, protocol="-1", description="everything")
    admit(session, group_id, -1, -1, WORLD_6, protocol="-1")
    return {"group_id": group_id, "ports": [22]}


def every_port(session: boto3.Session) -> dict[str, Any]:
    """Make a group with several rules open to the world, all of which are to be closed."""
    group_id = group(session)
    admit(session, group_id, 20, 30, description="a range", tags={"owner": "web"})
    admit(session, group_id, 53, 53, WORLD_6, protocol="udp")
    admit(session, group_id, -1, -1, protocol="icmp")
    return {"group_id": group_id}


def full(session: boto3.Session) -> dict[str, Any]:
    """Make a group without room for the rules of a split."""
    group_id = group(session)
    admit(session, group_id, 20, 30, description="a range")
    for port in range(1000, 1000 + RULES_PER_SECURITY_GROUP[1] - 1):
        admit(session, group_id, port, port, "192.0.2.0/24")
    return {"group_id": group_id, "ports": [22]}


def nothing_open(session: boto3.Session) -> dict[str, Any]:
    """Make a group without any rule, in or out."""
    group_id = group(session)
    ec2 = session.client("ec2")
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group_id]}])
    ids = [each["SecurityGroupRuleId"] for each in rules["SecurityGroupRules"]]
    ec2.revoke_security_group_egress(GroupId=group_id, SecurityGroupRuleIds=ids)
    return {"group_id": group_id, "ports": [22]}


Scene = Callable[[boto3.Session], dict[str, Any]]
SCENES: dict[str, Scene] = {
    scene.__name__: scene
    for scene in (
        open_ssh,
        range_with_ssh,
        several_ports,
        halves,
        all_protocols,
        every_port,
        full,
        nothing_open,
    )
}


def rules(session: boto3.Session, group_id: str) -> list[Any]:
    """Return the ingress rules of a group, without their ids."""
    found = session.client("ec2").describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [group_id]}]
    )["SecurityGroupRules"]
    return sorted(
        (
            each["IpProtocol"],
            each["FromPort"],
            each["ToPort"],
            each.get("CidrIpv4") or each.get("CidrIpv6") or each.get("PrefixListId", ""),
            each.get("Description", ""),
            sorted((tag["Key"], tag["Value"]) for tag in each.get("Tags", ())),
        )
        for each in found
        if not each["IsEgress"]
    )


def ranges(session: boto3.Session, group_id: str, cidr: str = WORLD) -> list[tuple[int, int]]:
    """Return the port ranges that a group opens to a network."""
    return [(low, high) for _, low, high, source, *_ in rules(session, group_id) if source == cidr]


def test_only_the_named_port_is_closed_to_the_world(account: boto3.Session) -> None:
    """SSH from the world is revoked, for both families; other sources and ports stay."""
    params = open_ssh(account)

    run = applied("revoke_open_ingress", account, **params)

    assert (run.status, run.reason) == ("done", "")
    assert [rule[1:4] for rule in rules(account, params["group_id"])] == [
        (22, 22, "10.0.0.0/8"),
        (22, 22, "192.0.2.0/24"),
        (443, 443, WORLD),
    ]
    assert run.facts == {
        "revoked": ["tcp 22-22 from 0.0.0.0/0", "tcp 22-22 from ::/0"],
        "kept": [],
        "still_open": [],
        "prefix_lists": [],
    }


def test_a_range_is_split(account: boto3.Session) -> None:
    """The ports beside the closed one stay open, with description and tags."""
    params = range_with_ssh(account)

    run = applied("revoke_open_ingress", account, **params)

    assert ranges(account, params["group_id"]) == [(20, 21), (23, 30)]
    assert ranges(account, params["group_id"], WORLD_6) == [(20, 21)]
    assert run.facts["kept"] == [
        "tcp 20-21 from 0.0.0.0/0",
        "tcp 20-21 from ::/0",
        "tcp 23-30 from 0.0.0.0/0",
    ]
    first = rules(account, params["group_id"])[0]
    assert first[4] == "a range"
    assert ("owner", "web") in first[5]
    assert ("firebreak:split-from", "20-30") in first[5]


def test_the_ports_beside_are_never_cut_off(account: boto3.Session) -> None:
    """The rules for what stays open are made before the range is revoked."""
    run = applied("revoke_open_ingress", account, **range_with_ssh(account))

    assert run.calls[:3] == [
        "ec2:authorize_security_group_ingress",
        "ec2:authorize_security_group_ingress",
        "ec2:revoke_security_group_ingress",
    ]


def test_several_ports_of_one_rule(account: boto3.Session) -> None:
    """Each named port is closed, neighbours and the last one of the range too."""
    params = several_ports(account)

    applied("revoke_open_ingress", account, **params)

    assert ranges(account, params["group_id"]) == [(0, 21), (24, 3388), (3390, 65534)]


@pytest.mark.parametrize("scene", [open_ssh, range_with_ssh, several_ports, full])
def test_undo_makes_every_rule_again(account: boto3.Session, scene: Scene) -> None:
    """After undo the group has the rules it had, with descriptions and tags."""
    params = scene(account)
    before = rules(account, params["group_id"])

    run = applied("revoke_open_ingress", account, **params)
    results = {row["result"] for row in run.undo()}

    assert (run.status, results) == ("done", {"restored"})
    assert rules(account, params["group_id"]) == before


@pytest.mark.parametrize("first", [0, 1])
def test_two_remediations_share_a_range(account: boto3.Session, first: int) -> None:
    """Each port opens with the undo of its own remediation, in any order, and the rule is whole."""
    group_id = group(account)
    admit(account, group_id, 20, 30, description="a range", tags={"owner": "web"})
    before = rules(account, group_id)
    runs = [
        applied("revoke_open_ingress", account, group_id=group_id, ports=[port])
        for port in (22, 25)
    ]
    assert [run.status for run in runs] == ["done", "done"]
    assert ranges(account, group_id) == [(20, 21), (23, 24), (26, 30)]

    runs[first].undo()

    assert ranges(account, group_id) == ([(20, 24), (26, 30)], [(20, 21), (23, 30)])[first]

    runs[1 - first].undo()

    assert rules(account, group_id) == before


def test_a_port_closed_twice_opens_with_the_last_undo(account: boto3.Session) -> None:
    """A second remediation of the same port holds it closed after the first is taken back."""
    group_id = group(account)
    admit(account, group_id, 20, 30)
    before = rules(account, group_id)
    runs = [
        applied("revoke_open_ingress", account, group_id=group_id, ports=[22]) for _ in range(2)
    ]
    assert runs[1].calls == []

    assert {row["result"] for row in runs[0].undo()} == {"held"}
    assert ranges(account, group_id) == [(20, 21), (23, 30)]

    runs[1].undo()

    assert rules(account, group_id) == before


def test_undo_opens_nothing_that_somebody_closed_whole(account: boto3.Session) -> None:
    """Where another remediation closed what was left of a range, its port stays closed."""
    group_id = group(account)
    admit(account, group_id, 20, 30)
    port = applied("revoke_open_ingress", account, group_id=group_id, ports=[22])
    applied("revoke_open_ingress", account, group_id=group_id)

    failed, *_ = port.undo()

    assert failed["result"] == "failed"
    assert "closed whole" in failed["reason"]
    assert ranges(account, group_id) == []


def test_a_rule_for_all_protocols_is_revoked_whole(account: boto3.Session) -> None:
    """What is left of all protocols cannot be written as rules."""
    params = all_protocols(account)

    run = applied("revoke_open_ingress", account, **params)

    assert rules(account, params["group_id"]) == []
    assert run.facts["revoked"] == ["all from 0.0.0.0/0", "all from ::/0"]


def test_rules_for_all_protocols_can_be_left_alone(account: boto3.Session) -> None:
    """Left out of `protocols`, they stay, and are told."""
    params = all_protocols(account)
    before = rules(account, params["group_id"])

    run = applied("revoke_open_ingress", account, **params, protocols=["tcp", "udp"])

    assert rules(account, params["group_id"]) == before
    assert run.facts["still_open"] == ["all from 0.0.0.0/0", "all from ::/0"]


def test_without_ports_every_rule_is_revoked(account: boto3.Session) -> None:
    """Rules of TCP, UDP and all protocols are revoked; ping is not among them."""
    params = every_port(account)

    applied("revoke_open_ingress", account, **params)

    assert [rule[0] for rule in rules(account, params["group_id"])] == ["icmp"]


def test_a_full_group_loses_the_whole_rule(account: boto3.Session) -> None:
    """Where a split would pass the quota of rules, the port is closed all the same."""
    params = full(account)

    run = applied("revoke_open_ingress", account, **params)

    assert ranges(account, params["group_id"]) == []
    assert run.facts["revoked"] == ["tcp 20-30 from 0.0.0.0/0"]


@pytest.mark.parametrize(("taken", "kept"), [(57, [(20, 21), (23, 24), (26, 30)]), (58, [])])
def test_a_rule_is_split_at_all_ports_or_at_none(taken: int, kept: list[tuple[int, int]]) -> None:
    """Where there is no room for all parts of a rule, it is closed whole."""
    rule = {"IpProtocol": "tcp", "FromPort": 20, "ToPort": 30, "CidrIpv4": WORLD}
    listed = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListId": "pl-1"}
    shown = [rule | {"SecurityGroupRuleId": "sgr-1"}, *([listed] * (taken - 1))]

    _, standing = closings(shown, ["tcp"], [22, 25], 60)

    assert [(each.low, each.high) for each in standing] == kept


def test_prefix_lists_and_groups_stay(account: boto3.Session) -> None:
    """Rules for prefix lists and other groups are not judged, and the lists are told."""
    params = open_ssh(account)
    ec2 = account.client("ec2")
    made = ec2.create_managed_prefix_list(
        PrefixListName="everyone", MaxEntries=1, AddressFamily="IPv4", Entries=[{"Cidr": WORLD}]
    )
    prefix_list = made["PrefixList"]["PrefixListId"]
    ports = {"IpProtocol": "tcp", "FromPort": 20, "ToPort": 25}
    ec2.authorize_security_group_ingress(
        GroupId=params["group_id"],
        IpPermissions=[
            {**ports, "PrefixListIds": [{"PrefixListId": prefix_list}]},
            {**ports, "UserIdGroupPairs": [{"GroupId": params["group_id"]}]},
        ],
    )

    run = applied("revoke_open_ingress", account, **params)

    assert run.facts["prefix_lists"] == [prefix_list]
    assert prefix_list in [rule[3] for rule in rules(account, params["group_id"])]


def test_nothing_open(account: boto3.Session) -> None:
    """A group that is closed already is left as it is, and the step is done."""
    run = applied("revoke_open_ingress", account, **nothing_open(account))

    assert (run.status, run.calls, run.facts["revoked"]) == ("done", [], [])


def test_a_group_that_does_not_exist(account: boto3.Session) -> None:
    """There is nothing to act on."""
    run = applied("revoke_open_ingress", account, group_id="sg-0123456789abcdef0", ports=[22])

    assert run.status == "not_applicable"
    assert "sg-0123456789abcdef0 does not exist" in run.reason


@pytest.mark.parametrize(
    ("cidr", "wide"),
    [
        ("0.0.0.0/0", True),
        ("128.0.0.0/1", True),
        ("16.0.0.0/7", True),
        ("16.0.0.0/8", False),
        ("10.0.0.0/8", False),
        ("::/0", True),
        ("2000::/3", True),
        ("fc00::/7", False),
        ("2001:db8::/32", False),
    ],
)
def test_what_the_world_is(cidr: str, *, wide: bool) -> None:
    """The world is what AWS calls public: wider than /8 or /32, and not private."""
    assert is_world(cidr) is wide
