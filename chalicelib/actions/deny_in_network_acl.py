"""Deny remote networks at the edge of an instance's subnets."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from chalicelib import quotas
from chalicelib.actions import action
from chalicelib.addresses import (
    NEVER,
    OWN_PERMISSIONS,
    OWN_TARGETS,
    canonical,
    own_networks,
    sort_out,
    version,
)
from chalicelib.ec2 import Interface, interfaces
from chalicelib.effect import Effects, Reader
from chalicelib.errors import NotApplicable, Refused
from chalicelib.network_acl import DIRECTIONS, acls_of, check_room, denial
from chalicelib.parameters import CIDRS, INSTANCE_ID
from chalicelib.quotas import vpc_quota

ACLS = ("arn:{partition}:ec2:{region}:{account}:network-acl/*",)
NOTE = (
    "a network ACL is the whole subnet's: its other instances cannot reach these networks either;"
    " traffic inside the subnet does not pass it"
)


@action(
    params={"instance_id": INSTANCE_ID, "cidrs": CIDRS, "never": NEVER},
    permissions=(
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeNetworkAcls",
        quotas.PERMISSION,
        *OWN_PERMISSIONS,
        "ec2:CreateNetworkAclEntry",
        "ec2:DeleteNetworkAclEntry",
    ),
    facts=("acls", "denied", "skipped", "uncovered", "note"),
    target={
        **OWN_TARGETS,
        "ec2:CreateNetworkAclEntry": ACLS,
        "ec2:DeleteNetworkAclEntry": ACLS,
    },
)
def deny_in_network_acl(
    aws: Reader, instance_id: str, cidrs: list[str], never: list[str]
) -> Effects:
    """Deny networks all traffic with the subnets of an instance, both ways, in the network ACLs.

    Network ACLs are stateless, so open connections are cut at once. Each entry gets the lowest free
    rule number, and one below the first entry that lets some of the network pass. An ACL of several
    subnets is changed once. IPv6 networks are denied where the VPC has IPv6.

    Never denied, but listed in `skipped` with the reason: networks wider than an IPv4 /32 or an
    IPv6 /64, private and special ones, the account's VPCs and Elastic IP addresses, the instance's
    own addresses, what AWS lists in its managed prefix lists, and `never` (the playbook's list).

    Refused before anything is changed: `nothing_blockable`, `network_acl_full` (quota of rules),
    `no_rule_number` (no number below the first that allows), `network_acl_not_found` (the subnets
    are another account's; where only some are, they are `uncovered`).

    Survives: traffic inside a subnet, to the VPC's DNS resolver, to instance metadata. Undo removes
    the entries, whatever their numbers are by then.
    """
    found = interfaces(aws, instance_id)
    if not found:
        raise NotApplicable(f"{instance_id} has no network interface: it does not exist (any more)")
    acls, uncovered = _acls(aws, found)
    own = own_networks(aws, cidrs, never) | _addresses(found)
    good, skipped = sort_out(cidrs, own)
    with_ipv6 = {whose for each, whose in own.items() if version(each) == 6}
    wanted = {
        acl_id: [cidr for cidr in good if version(cidr) == 4 or acl["VpcId"] in with_ipv6]
        for acl_id, acl in acls.items()
    }
    denied = [cidr for cidr in good if any(cidr in each for each in wanted.values())]
    skipped += [{"value": c, "reason": "the VPC has no IPv6"} for c in good if c not in denied]
    if not denied:
        raise Refused(
            "nothing_blockable", "; ".join(f"{s['value']} {s['reason']}" for s in skipped)
        )
    most = vpc_quota(aws, quotas.RULES_PER_NETWORK_ACL)
    for acl_id, blocks in wanted.items():
        check_room(acl_id, acls[acl_id]["Entries"], blocks, most)
    for acl_id, blocks in wanted.items():
        for cidr in blocks:
            for direction in DIRECTIONS:
                yield denial(acl_id, direction, cidr)
    return {
        "acls": list(acls),
        "denied": denied,
        "skipped": skipped,
        "uncovered": uncovered,
        "note": NOTE,
    }


def _acls(aws: Reader, found: Collection[Interface]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the network ACLs of the subnets by id, and the subnets without one that is seen."""
    subnets = {each.subnet_id for each in found}
    by_subnet = acls_of(aws, subnets)
    uncovered = sorted(subnets - set(by_subnet))
    if not by_subnet:
        raise Refused(
            "network_acl_not_found",
            f"this account sees no network ACL of {', '.join(uncovered)}: shared by another?",
        )
    acls = {acl["NetworkAclId"]: acl for acl in by_subnet.values()}
    return dict(sorted(acls.items())), uncovered


def _addresses(found: Iterable[Interface]) -> dict[str, str]:
    return {
        canonical(f"{address}/{128 if ':' in address else 32}"): f"an address of {each.id}"
        for each in found
        for address in each.public
    }
