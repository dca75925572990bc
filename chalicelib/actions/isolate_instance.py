"""Cut a compromised instance off from the network."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product

from chalicelib.actions import On, action
from chalicelib.autoscaling import membership
from chalicelib.ec2 import Interface, always_tracked, instance, interface_groups, interfaces
from chalicelib.effect import FIXTURE_TAG, JSON, Call, Change, Effects, Reader
from chalicelib.errors import NotApplicable, Refused
from chalicelib.network_acl import DIRECTIONS, acls_of, denied
from chalicelib.parameters import INSTANCE_ID
from chalicelib.quarantine import WHY, own_group_id, quarantine_group, untrack_group

HERE = "arn:{partition}:ec2:{region}:{account}:"
GROUPS = HERE + "security-group/*"
# A group is Firebreak's own from its birth on; no other's rules are touched, and nothing else gets
# a tag. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
BORN = {"StringEquals": {f"aws:RequestTag/{FIXTURE_TAG}": tuple(WHY)}}
OWN = {"StringEquals": {f"aws:ResourceTag/{FIXTURE_TAG}": tuple(WHY)}}
WITH_THE_GROUP = {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}
IN_SERVICE = ("InService", "Pending")
UNFILTERED = (
    "DNS through the VPC's resolver, instance metadata, DHCP and time: no security group"
    " filters them"
)
TRACKED = "connections made before: tracked ones last until they idle out, TCP for up to 5 days"


@action(
    params={
        "instance_id": INSTANCE_ID,
        "cut_tracked": {
            "enum": ["none", "two_step"],
            "default": "none",
            "description": "whether to try to end the connections that are open already",
        },
    },
    permissions=(
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeRouteTables",
        "ec2:DescribeNetworkAcls",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSecurityGroupRules",
        "ec2:CreateSecurityGroup",
        "ec2:CreateTags",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:ModifyNetworkInterfaceAttribute",
        "autoscaling:DescribeAutoScalingInstances",
    ),
    facts=(
        "instance_id",
        "interfaces",
        "isolated",
        "already_isolated",
        "not_isolated",
        "tracked_connections",
        "survives",
        "public_addresses",
    ),
    target={
        "ec2:CreateSecurityGroup": (On(GROUPS, BORN), HERE + "vpc/*"),
        "ec2:CreateTags": (On(GROUPS, WITH_THE_GROUP),),
        "ec2:AuthorizeSecurityGroupIngress": (On(GROUPS, OWN),),
        "ec2:AuthorizeSecurityGroupEgress": (On(GROUPS, OWN),),
        "ec2:RevokeSecurityGroupIngress": (On(GROUPS, OWN),),
        "ec2:RevokeSecurityGroupEgress": (On(GROUPS, OWN),),
    },
)
def isolate_instance(aws: Reader, instance_id: str, cut_tracked: str = "none") -> Effects:
    """Move every network interface of an instance into a security group without rules.

    Each interface is changed by itself, in whichever subnet and VPC it is, those of EKS pods behind
    a trunk interface too; the group is Firebreak's own, one per VPC, and its rules are checked one
    by one each time. Undo brings back each interface's former groups.

    A connection that is open and tracked survives this (EC2 user guide, security group connection
    tracking). `cut_tracked: two_step` lets everything pass for a moment first, so that connections
    are tracked no longer and end with the rules. This opens the instance for seconds: it is refused
    (`needs_remote_deny`) unless the finding's remote addresses are denied both ways in the network
    ACL of each of its subnets by then. AWS does not promise that it works, and through NAT and
    transit gateways, load balancers and endpoints it never does. So the fact
    `tracked_connections` stays `may survive`; `survives` says what else does.

    Refused while the instance is in service in an Auto Scaling group, which would take it for
    unhealthy and terminate it: `needs_standby` (leave_auto_scaling_group). Refused where no
    interface can be changed (`not_isolatable`); where only some cannot, they are in `not_isolated`,
    and `isolated` is false. `already_isolated`: nothing was left to move when this run began.
    """
    instance(aws, instance_id)
    _require_out_of_service(aws, instance_id)
    found = interfaces(aws, instance_id)
    movable = [each for each in found if each.unchangeable is None]
    _require_movable(instance_id, found, movable)
    two_step = cut_tracked == "two_step"
    if two_step:
        _require_remote_deny(aws, movable)
    facts = _facts(instance_id, found, always_tracked(aws, found))
    vpc_ids = sorted({each.vpc_id for each in movable})
    leftover = {vpc_id: own_group_id(aws, vpc_id, "untrack") for vpc_id in vpc_ids}
    inside: dict[str, str] = {}
    for vpc_id in vpc_ids:
        inside[vpc_id] = yield quarantine_group(vpc_id=vpc_id)
    outside = [each for each in movable if each.groups != (inside[each.vpc_id],)]
    untrack: dict[str, str] = {}
    for vpc_id in sorted({each.vpc_id for each in outside}) if two_step else ():
        untrack[vpc_id] = yield untrack_group(vpc_id=vpc_id)
    for each in movable:
        quarantine = inside[each.vpc_id]
        former = _former(each, leftover[each.vpc_id], quarantine)
        if two_step and each in outside:
            yield _move(each, untrack[each.vpc_id], former, waypoint=True)
        yield _move(each, quarantine, former)
    return {**facts, "already_isolated": facts["isolated"] and not outside}


def _move(interface: Interface, group: str, former: list[str], *, waypoint: bool = False) -> Change:
    def call(groups: list[str]) -> Call:
        return Call(
            "ec2",
            "modify_network_interface_attribute",
            NetworkInterfaceId=interface.id,
            Groups=groups,
        )

    return Change(
        probe=interface_groups(interface_id=interface.id),
        want=[group],
        do=call([group]),
        undo=call(former),
        waypoint=waypoint,
    )


def _former(interface: Interface, untrack: str | None, quarantine: str) -> list[str]:
    """Return the groups to go back to: never the open one, where a run broke off half-way."""
    return [group for group in interface.groups if group != untrack] or [quarantine]


def _require_out_of_service(aws: Reader, instance_id: str) -> None:
    member = aws.look(membership(instance_id=instance_id))
    if member and member["state"] in IN_SERVICE:
        raise Refused(
            "needs_standby",
            f"{instance_id} is {member['state']} in Auto Scaling group {member['group']}, which"
            " terminates an instance that is cut off: run leave_auto_scaling_group first",
        )


def _require_movable(
    instance_id: str, found: Sequence[Interface], movable: Sequence[Interface]
) -> None:
    if not found:
        raise NotApplicable(f"{instance_id} has no network interface")
    if not movable:
        reasons = "; ".join(f"{each.id} is {each.unchangeable}" for each in found)
        raise Refused("not_isolatable", f"{instance_id}: {reasons}")


def _require_remote_deny(aws: Reader, movable: Iterable[Interface]) -> None:
    """Refuse unless each remote address is denied both ways wherever the instance stands."""
    cidrs = aws.finding["remote_cidrs"]
    missing = sorted(_open_ways(aws, {each.subnet_id for each in movable}, cidrs))
    if not cidrs or missing:
        what = ", ".join(missing) or "the finding names no remote address"
        raise Refused(
            "needs_remote_deny",
            f"two_step opens the instance for a moment; not denied: {what}"
            " (run deny_in_network_acl first)",
        )


def _open_ways(aws: Reader, subnet_ids: Collection[str], cidrs: Iterable[str]) -> Iterator[str]:
    """Yield each way between the subnets and the networks that no network ACL denies."""
    acls = {subnet: acl["NetworkAclId"] for subnet, acl in acls_of(aws, subnet_ids).items()}
    yield from (f"anything in {each}" for each in subnet_ids if each not in acls)
    for acl_id, cidr, way in product(sorted(set(acls.values())), cidrs, DIRECTIONS):
        if aws.look(denied(acl_id=acl_id, direction=way, cidr=cidr)) is None:
            yield f"{cidr} {way} in {acl_id}"


def _facts(
    instance_id: str, found: Sequence[Interface], tracked: Sequence[str]
) -> Mapping[str, JSON]:
    kept = [each for each in found if each.unchangeable]
    trunks = [each.id for each in found if each.kind == "trunk"]
    return {
        "instance_id": instance_id,
        "interfaces": [each.id for each in found if not each.unchangeable],
        "isolated": not kept,
        "not_isolated": [{"interface": each.id, "reason": each.unchangeable} for each in kept],
        "tracked_connections": "may survive",
        "survives": [
            TRACKED,
            UNFILTERED,
            *(f"connections through {each}: always tracked" for each in tracked),
            *(f"ECS tasks with interfaces of their own behind {each}" for each in trunks),
        ],
        "public_addresses": sorted({address for each in found for address in each.public}),
    }
