"""Take a compromised instance out of everything that would replace it or send it traffic."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.actions import action
from chalicelib.autoscaling import membership, sizes
from chalicelib.ec2 import instance
from chalicelib.effect import JSON, Call, Change, Effects, Reader
from chalicelib.errors import Refused, Transient
from chalicelib.load_balancing import (
    classic_load_balancers,
    classic_registration,
    target_registration,
    targets,
)
from chalicelib.parameters import INSTANCE_ID

PASSING = ("Pending",)  # on the way into service, from where it may leave


@action(
    undo_after=("isolate_instance",),  # else the group, or anybody, ends it and its evidence
    params={
        "instance_id": INSTANCE_ID,
        "prefer": {
            "enum": ["standby", "detach"],
            "default": "standby",
            "description": "stay in the group on standby, or leave it",
        },
        "replace": {
            "type": "boolean",
            "default": True,
            "description": "let the group launch an instance in its place",
        },
    },
    permissions=(
        "ec2:DescribeInstances",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:EnterStandby",
        "autoscaling:ExitStandby",
        "autoscaling:DetachInstances",
        "autoscaling:AttachInstances",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:DeregisterTargets",
        "elasticloadbalancing:RegisterTargets",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
        "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
    ),
    facts=("instance_id", "member_of", "state"),
)
def leave_auto_scaling_group(
    aws: Reader, instance_id: str, prefer: str = "standby", *, replace: bool = True
) -> Effects:
    """Take an instance out of service: out of its Auto Scaling group and of every load balancer.

    An isolated instance fails its health checks, and a group terminates what fails them, evidence
    and all. On standby it stays in the group, unchecked; with `prefer: detach` it leaves for good.
    One already on standby stays so. With `replace` the group launches another in its place, so
    that service goes on; without, the desired capacity goes down by one, unless the group is at its
    minimum: then it replaces all the same, as AWS goes no lower (API reference, EnterStandby).

    The group itself deregisters the instance from the load balancers attached to it, and registers
    it again on undo. Every other registration, by instance id or by address, in a target group or a
    Classic Load Balancer, is removed here and put back with the same port. The group comes first:
    an instance in service that no load balancer knows may count as unhealthy. What drains counts as
    gone: containment does not wait for connections to end.

    Undo takes no replacement back: AWS counts the desired capacity up by one as the instance
    returns (API reference, ExitStandby, AttachInstances), and the group is one larger until it
    scales in. Attaching again is refused by AWS where that goes over the maximum, and gives the
    instance the group's own scale-in protection.

    Refused in a warm pool (`cannot_leave`); tried again while the instance is still pending. Facts:
    `member_of` and `state` as they are in the end, both null outside of any group. An instance of
    no group and behind no load balancer is done, without a call.
    """
    shown = instance(aws, instance_id)
    member = aws.look(membership(instance_id=instance_id))
    addresses = _addresses(shown)
    vpc_ids = {each["VpcId"] for each in shown.get("NetworkInterfaces", ())}
    registered = list(targets(aws, instance_id, addresses, vpc_ids))
    classic = classic_load_balancers(aws, instance_id)
    leaving = _leaving(aws, instance_id, member, prefer, replace=replace)
    if leaving:
        member = yield leaving
    for arn, target in registered:
        yield _deregister(arn, target)
    for name in classic:
        yield _deregister_classic(name, instance_id)
    return {
        "instance_id": instance_id,
        "member_of": member["group"] if member else None,
        "state": member["state"] if member else None,
    }


def _addresses(shown: Mapping[str, JSON]) -> frozenset[str]:
    """Return every private IPv4 and every IPv6 address of the instance."""
    return frozenset(
        address[key]
        for interface in shown.get("NetworkInterfaces", ())
        for addresses, key in (
            ("PrivateIpAddresses", "PrivateIpAddress"),
            ("Ipv6Addresses", "Ipv6Address"),
        )
        for address in interface.get(addresses, ())
    )


def _leaving(
    aws: Reader, instance_id: str, member: JSON, prefer: str, *, replace: bool
) -> Change | None:
    """Return the change that takes the instance out of service, if it is in a group."""
    if member is None or member["state"] == "Terminating":
        return None
    group, state = member["group"], member["state"]
    if state in PASSING:
        raise Transient(f"{instance_id} is still {state} in {group}: only InService may leave")
    if state not in ("InService", "Standby"):
        raise Refused(
            "cannot_leave", f"{instance_id} is {state} in {group}: AWS lets none out of it"
        )
    decrement = not replace and _may_shrink(aws, group)
    if prefer == "detach" and state == "InService":
        return _detach(instance_id, group, decrement=decrement)
    return _stand_by(instance_id, group, decrement=decrement)


def _may_shrink(aws: Reader, group: str) -> bool:
    least, desired = sizes(aws, group)
    return desired > least


def _stand_by(instance_id: str, group: str, *, decrement: bool) -> Change:
    who = {"InstanceIds": [instance_id], "AutoScalingGroupName": group}
    return Change(
        probe=membership(instance_id=instance_id),
        want={"group": group, "state": "Standby"},
        do=Call("autoscaling", "enter_standby", ShouldDecrementDesiredCapacity=decrement, **who),
        undo=Call("autoscaling", "exit_standby", **who),
    )


def _detach(instance_id: str, group: str, *, decrement: bool) -> Change:
    who = {"InstanceIds": [instance_id], "AutoScalingGroupName": group}
    return Change(
        probe=membership(instance_id=instance_id),
        want=None,
        do=Call("autoscaling", "detach_instances", ShouldDecrementDesiredCapacity=decrement, **who),
        undo=Call("autoscaling", "attach_instances", **who),
    )


def _deregister(arn: str, target: Mapping[str, JSON]) -> Change:
    where = {"TargetGroupArn": arn, "Targets": [dict(target)]}
    return Change(
        probe=target_registration(target_group=arn, target=target["Id"], port=target["Port"]),
        want=None,
        do=Call("elbv2", "deregister_targets", **where),
        undo=Call("elbv2", "register_targets", **where),
    )


def _deregister_classic(name: str, instance_id: str) -> Change:
    where = {"LoadBalancerName": name, "Instances": [{"InstanceId": instance_id}]}
    return Change(
        probe=classic_registration(load_balancer=name, instance_id=instance_id),
        want=None,
        do=Call("elb", "deregister_instances_from_load_balancer", **where),
        undo=Call("elb", "register_instances_with_load_balancer", **where),
    )
