"""What several actions read of EC2: instances, their volumes, their network interfaces."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.effect import JSON, Reader, probe
from chalicelib.errors import NotApplicable
from chalicelib.gone import gone

SETTLES = 10  # seconds for which EC2 may still show what was before a change
ENDED = ("shutting-down", "terminated")
NO_INSTANCE = ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed")

# Interface types whose groups may be changed while they are attached; the others belong to a
# service (EC2 API reference, NetworkInterface, InterfaceType).
CHANGEABLE = frozenset({"interface", "efa", "efa-only", "trunk", "branch"})

# Set by the EKS VPC resource controller on the branch interfaces of pods; EC2's own call for it,
# DescribeTrunkInterfaceAssociations, is in limited preview.
TRUNK_TAG = "vpcresources.k8s.aws/trunk-eni-id"


# --- instances ------------------------------------------------------------------------------------


def instance(aws: Reader, instance_id: str) -> dict[str, Any]:
    """Return the instance as DescribeInstances shows it. Raise NotApplicable once it is gone."""
    with gone(instance_id, *NO_INSTANCE):
        found = aws.pages("ec2", "describe_instances", "Reservations", InstanceIds=[instance_id])
    for each in (each for reservation in found for each in reservation["Instances"]):
        state = each["State"]["Name"]
        if state in ENDED:
            raise NotApplicable(f"{instance_id} is {state}")
        return dict(each)
    raise NotApplicable(f"{instance_id} does not exist")


def volumes(shown: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the EBS volumes of an instance: what its block device mapping says, by volume id."""
    return {
        each["Ebs"]["VolumeId"]: {"device": each["DeviceName"], **each["Ebs"]}
        for each in shown.get("BlockDeviceMappings", ())
        if "Ebs" in each
    }


# --- network interfaces ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interface:
    """Hold what a network interface is and where it stands."""

    id: str
    vpc_id: str
    subnet_id: str
    groups: tuple[str, ...]
    kind: str
    owner: str | None
    public: tuple[str, ...]

    @property
    def unchangeable(self) -> str | None:
        """Say why this account cannot change its groups, if so."""
        if self.owner:
            return f"managed by {self.owner}"
        return None if self.kind in CHANGEABLE else f"of type {self.kind}, which its service owns"


def interfaces(aws: Reader, instance_id: str) -> tuple[Interface, ...]:
    """Return every interface of the instance, and those of pods behind its trunk, sorted by id.

    They may lie in several subnets and VPCs. Pods' branch interfaces have no attachment to the
    instance: they are found by the controller's tag and their type, as anyone may write a tag.
    """
    own = _interfaces(aws, "attachment.instance-id", [instance_id])
    trunks = [each.id for each in own if each.kind == "trunk"]
    tagged = _interfaces(aws, f"tag:{TRUNK_TAG}", trunks) if trunks else []
    every = [*own, *(each for each in tagged if each.kind == "branch")]
    return tuple(sorted(every, key=lambda each: each.id))


def _interfaces(aws: Reader, name: str, values: list[str]) -> list[Interface]:
    pages = aws.pages(
        "ec2",
        "describe_network_interfaces",
        "NetworkInterfaces",
        Filters=[{"Name": name, "Values": values}],
    )
    return [_interface(each) for each in pages]


def _interface(shown: Mapping[str, Any]) -> Interface:
    holders = [shown, *shown.get("PrivateIpAddresses", ())]
    associations = [each.get("Association", {}) for each in holders]
    return Interface(
        id=shown["NetworkInterfaceId"],
        vpc_id=shown["VpcId"],
        subnet_id=shown["SubnetId"],
        groups=_groups(shown),
        kind=shown.get("InterfaceType", "interface"),
        owner=_owner(shown),
        public=tuple(
            sorted(
                {each["PublicIp"] for each in associations if "PublicIp" in each}
                | {each["Ipv6Address"] for each in shown.get("Ipv6Addresses", ())}
            )
        ),
    )


def _groups(shown: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(sorted(each["GroupId"] for each in shown["Groups"]))


def _owner(shown: Mapping[str, Any]) -> str | None:
    if shown.get("RequesterManaged"):
        return str(shown.get("RequesterId", "an AWS service"))
    operator = shown.get("Operator", {})
    return str(operator.get("Principal", "a service")) if operator.get("Managed") else None


@probe("ec2:interface-groups:{interface_id}", settles=SETTLES)
def interface_groups(aws: Reader, *, interface_id: str) -> JSON:
    """Return the ids of the security groups of a network interface, sorted."""
    with gone(interface_id, "InvalidNetworkInterfaceID.NotFound"):
        found = aws.read("ec2", "describe_network_interfaces", NetworkInterfaceIds=[interface_id])[
            "NetworkInterfaces"
        ]
    if not found:
        raise NotApplicable(f"{interface_id} does not exist")
    return list(_groups(found[0]))


# Ways out whose connections EC2 tracks whatever the rules say (EC2 user guide, security group
# connection tracking, automatically tracked connections): key of a route, and what it is.
TRACKING_ROUTES = {
    "NatGatewayId": "NAT gateway",
    "TransitGatewayId": "transit gateway",
    "EgressOnlyInternetGatewayId": "egress-only internet gateway",
}


def always_tracked(aws: Reader, found: Collection[Interface]) -> list[str]:
    """Return the ways out of the interfaces' subnets whose connections are always tracked.

    What the routes show: gateways and firewall endpoints. Load balancers, accelerators and
    interface endpoints track connections too, and leave no trace there.
    """
    tables = aws.pages(
        "ec2",
        "describe_route_tables",
        "RouteTables",
        Filters=[{"Name": "vpc-id", "Values": sorted({each.vpc_id for each in found})}],
    )
    own = {
        association["SubnetId"]: table
        for table in tables
        for association in table.get("Associations", ())
        if "SubnetId" in association
    }
    main = {
        table["VpcId"]: table
        for table in tables
        if any(each.get("Main") for each in table.get("Associations", ()))
    }
    used = [own.get(each.subnet_id, main.get(each.vpc_id, {})) for each in found]
    return sorted({way for table in used for way in _tracking(table.get("Routes", ()))})


def _tracking(routes: Collection[Mapping[str, Any]]) -> Iterator[str]:
    for route in routes:
        for key, kind in TRACKING_ROUTES.items():
            if route.get(key):
                yield f"{kind} {route[key]}"
        endpoint = route.get("GatewayId", "")
        if endpoint.startswith("vpce-") and "DestinationPrefixListId" not in route:
            yield f"firewall or load balancer endpoint {endpoint}"
