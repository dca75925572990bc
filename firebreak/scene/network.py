"""VPCs, subnets and security groups, under given ids and with ranges that hold given addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firebreak.scene.ids import derived, given
from firebreak.scene.making import Making, NotMade

if TYPE_CHECKING:
    from moto.ec2.models.availability_zones_and_regions import Zone
    from moto.ec2.models.security_groups import SecurityGroup
    from moto.ec2.models.vpcs import VPC

RANGE = "10.0.0.0/16"  # where the event has no address
PREFIXES = (24, 28, 20, 16)  # of a subnet, the likeliest first
LARGEST = 16  # of a VPC; VPC user guide, "VPC CIDR blocks"
WORLD, WORLD_IPV6 = "0.0.0.0/0", "::/0"
IPV6_ENTRIES = ((101, "allow"), (32_768, "deny"))  # of a default network ACL, beside those for IPv4


@dataclass(frozen=True, slots=True)
class Opening:
    """Say what a security group lets in over TCP."""

    low: int
    high: int
    cidr: str
    description: str = ""


def zone(making: Making, name: str | None) -> Zone:
    """Return the zone of that name, or the region's first."""
    found = making.ec2.describe_availability_zones()
    if not found:
        raise NotMade(f"the embedded AWS has no zones in {making.finding.region}")
    return next((each for each in found if each.name == name), found[0])


# --- VPCs -----------------------------------------------------------------------------------------


def ensure_vpc(
    making: Making, vpc_id: str, addresses: Iterable[str] = (), default_group: str | None = None
) -> VPC:
    """Make a VPC with its default group, network ACL and route table, unless it is there.

    Its ranges are such that they hold the addresses.
    """
    parsed = [ipaddress.ip_address(each) for each in addresses]
    ranges = list(
        dict.fromkeys(_around(str(each), LARGEST) for each in parsed if each.version == 4)
    )
    if vpc_id not in making.ec2.vpcs:
        own = (making.finding.account, vpc_id)
        group, acl = default_group or derived("sg", *own), derived("acl", *own)
        with given(vpc=vpc_id, group=group, network_acl=acl):
            making.ec2.create_vpc((ranges or [RANGE])[0])
        making.made.append(f"{vpc_id} {(ranges or [RANGE])[0]}")
    vpc = making.ec2.get_vpc(vpc_id)
    _add_ranges(making, vpc, ranges)
    _add_ipv6(making, vpc, next((str(each) for each in parsed if each.version == 6), None))
    return vpc


def _around(address: str, prefix: int) -> str:
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))


def _add_ranges(making: Making, vpc: VPC, ranges: Iterable[str]) -> None:
    known = [each["cidr_block"] for each in vpc.get_cidr_block_association_set()]
    for cidr in ranges:
        if cidr not in known:
            with making.attempt(f"range {cidr} of {vpc.id}"):
                making.ec2.associate_vpc_cidr_block(vpc.id, cidr, False)


def _add_ipv6(making: Making, vpc: VPC, address: str | None) -> None:
    """Give the VPC an IPv6 range; its default network ACL then has entries for IPv6, too."""
    if address is None or vpc.get_cidr_block_association_set(ipv6=True):
        return
    with given(ipv6_range=_around(address, 56)):
        making.ec2.associate_vpc_cidr_block(vpc.id, "", True)
    acls = making.ec2.describe_network_acls(filters={"vpc-id": [vpc.id], "default": ["true"]})
    for acl in acls:
        for number, verdict in IPV6_ENTRIES:
            for egress in (True, False):
                making.ec2.create_network_acl_entry(
                    acl.id, number, "-1", verdict, egress, "", None, None, None, None, WORLD_IPV6
                )  # fmt: skip


# --- subnets --------------------------------------------------------------------------------------


def ensure_subnet(
    making: Making,
    subnet_id: str,
    vpc: VPC,
    zone_name: str | None = None,
    addresses: Sequence[str] = (),
    elsewhere: Sequence[str] = (),
) -> None:
    """Make a subnet that holds the addresses, and not those elsewhere, unless it is there.

    As an object: ranges that overlap, as those of sample findings do, are refused by the API.
    """
    from moto.ec2.models.subnets import Subnet

    backend = making.ec2
    if any(subnet_id in subnets for subnets in backend.subnets.values()):
        return
    where = zone(making, zone_name)
    cidr, overlaps = _block(making, vpc, _ipv4(addresses), _ipv4(elsewhere))
    ipv6 = next((_around(each, 64) for each in addresses if ":" in each), None)
    subnet = Subnet(  # type: ignore[abstract]  # as moto does
        backend, subnet_id, vpc.id, cidr, ipv6, where, False, False
    )
    backend.subnets[where.name][subnet_id] = subnet
    backend.associate_default_network_acl_with_subnet(subnet_id, vpc.id)
    making.made.append(f"{subnet_id} {cidr}{' (overlaps another)' if overlaps else ''}")


def _ipv4(addresses: Iterable[str]) -> list[ipaddress.IPv4Address]:
    return [ipaddress.IPv4Address(each) for each in addresses if ":" not in each]


def _block(
    making: Making,
    vpc: VPC,
    addresses: Sequence[ipaddress.IPv4Address],
    elsewhere: Sequence[ipaddress.IPv4Address],
) -> tuple[str, bool]:
    """Return the likeliest range of a subnet, and whether it overlaps that of another."""
    taken = [
        ipaddress.ip_network(each.cidr_block)
        for each in making.ec2.describe_subnets(filters={"vpc-id": [vpc.id]})
    ]
    if addresses:
        around = [ipaddress.ip_network(_around(str(addresses[0]), each)) for each in PREFIXES]
    else:
        around = list(ipaddress.ip_network(vpc.cidr_block).subnets(new_prefix=PREFIXES[0]))
    fitting = [each for each in around if all(one in each for one in addresses)] or around[-1:]
    alone = [each for each in fitting if not any(one in each for one in elsewhere)]
    free = [each for each in alone if not any(each.overlaps(one) for one in taken)]
    return str((free or fitting)[0]), not free


# --- security groups ------------------------------------------------------------------------------


def ensure_group(
    making: Making, group_id: str, name: str, vpc: VPC, openings: Iterable[Opening]
) -> None:
    """Make a security group with these openings inward and the default one outward.

    The default group of the VPC, which came with it, gets the openings too.
    """
    from moto.ec2.models.security_groups import SecurityGroup

    backend = making.ec2
    group = backend.get_security_group_from_id(group_id)
    if group is None:
        group = SecurityGroup(  # type: ignore[abstract]  # as moto does
            backend, group_id, name, f"Of {making.finding.id}"[:255], vpc.id
        )
        backend.groups[vpc.id][group_id] = group
        making.made.append(f"{group_id} ({name})")
    elif group.ingress_rules or not group.is_default:
        return
    for opening in openings:
        _open(making, group, opening)


def _open(making: Making, group: SecurityGroup, opening: Opening) -> None:
    from moto.ec2.models.security_groups import SecurityGroupRule

    family = "CidrIpv6" if ":" in opening.cidr else "CidrIp"
    source = {family: opening.cidr} | (
        {"Description": opening.description} if opening.description else {}
    )
    low, high = str(opening.low), str(opening.high)
    group.add_ingress_rule(
        SecurityGroupRule(making.ec2, "tcp", group.id, low, high, source, is_egress=False)
    )
