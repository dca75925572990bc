"""What an action reads of Elastic Load Balancing: where an instance is registered."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from chalicelib.effect import JSON, Reader, probe
from chalicelib.gone import gone

SETTLES = 10

# What a target says that gets no new requests (ELBv2 API reference, TargetHealth).
LEFT = frozenset({"Target.DeregistrationInProgress", "Target.NotRegistered"})


@probe("elbv2:target:{target_group}:{target}:{port}", settles=SETTLES)
def target_registration(aws: Reader, *, target_group: str, target: str, port: int) -> JSON:
    """Return `registered` while a target group (an ARN) sends requests to a target at a port."""
    with gone(target_group, "TargetGroupNotFound"):
        shown = aws.read("elbv2", "describe_target_health", TargetGroupArn=target_group)
    matching = (
        each
        for each in shown["TargetHealthDescriptions"]
        if each["Target"]["Id"] == target and each["Target"].get("Port") == port
    )
    return "registered" if any(_registered(each) for each in matching) else None


@probe("elb:registration:{load_balancer}:{instance_id}", settles=SETTLES)
def classic_registration(aws: Reader, *, load_balancer: str, instance_id: str) -> JSON:
    """Return `registered` while a Classic Load Balancer has the instance."""
    with gone(load_balancer, "LoadBalancerNotFound"):
        shown = aws.read("elb", "describe_load_balancers", LoadBalancerNames=[load_balancer])
    return "registered" if _has(shown["LoadBalancerDescriptions"][0], instance_id) else None


def targets(
    aws: Reader, instance_id: str, addresses: Collection[str], vpc_ids: Collection[str]
) -> Iterator[tuple[str, Mapping[str, JSON]]]:
    """Yield every registration of an instance as target group ARN and target, by id or address.

    Groups of instances lie in the VPC of their targets; groups of addresses may lie elsewhere.
    """
    groups = aws.pages("elbv2", "describe_target_groups", "TargetGroups")
    for group in sorted(groups, key=lambda each: str(each["TargetGroupArn"])):
        kind = group.get("TargetType", "instance")
        if kind == "ip":
            names = frozenset(addresses)
        elif kind == "instance" and group.get("VpcId") in vpc_ids:
            names = frozenset({instance_id})
        else:
            continue
        arn = group["TargetGroupArn"]
        shown = aws.read("elbv2", "describe_target_health", TargetGroupArn=arn)
        for each in shown["TargetHealthDescriptions"]:
            if each["Target"]["Id"] in names and _registered(each):
                yield arn, _target(each["Target"])


def classic_load_balancers(aws: Reader, instance_id: str) -> list[str]:
    """Return the names of the Classic Load Balancers that the instance is registered with."""
    every = aws.pages("elb", "describe_load_balancers", "LoadBalancerDescriptions")
    return sorted(each["LoadBalancerName"] for each in every if _has(each, instance_id))


def _registered(health: Mapping[str, Any]) -> bool:
    state = health.get("TargetHealth", {})
    return state.get("State") != "draining" and state.get("Reason") not in LEFT


def _target(shown: Mapping[str, Any]) -> Mapping[str, JSON]:
    """Return what registers the target again: the zone only where it must be given (`all`)."""
    return {
        key: value for key, value in shown.items() if key != "AvailabilityZone" or value == "all"
    }


def _has(load_balancer: Mapping[str, Any], instance_id: str) -> bool:
    return any(each["InstanceId"] == instance_id for each in load_balancer.get("Instances", ()))
