"""Instances with their network interfaces, volumes and role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chalicelib.finding import Resource
from firebreak.scene import iam, volumes
from firebreak.scene.ids import derived, given
from firebreak.scene.making import Making, NotMade
from firebreak.scene.network import WORLD, Opening, ensure_group, ensure_subnet, ensure_vpc, zone

if TYPE_CHECKING:
    from moto.ec2.models.instances import Instance

IMAGE, TYPE = "ami-0abcdef1234567890", "m5.large"  # where the event names none

SSH = Opening(22, 22, WORLD, "administration")
WEB = Opening(443, 443, WORLD, "web")


@dataclass(frozen=True, slots=True)
class Interface:
    """Hold a network interface of the event, with ids for what the event leaves out."""

    id: str
    vpc_id: str
    subnet_id: str
    private_ip: str | None
    public_ip: str | None
    ipv6: Sequence[str]
    groups: Sequence[Mapping[str, str | None]]

    @property
    def addresses(self) -> list[str]:
        """Return its addresses inside."""
        return [each for each in (self.private_ip, *self.ipv6) if each]


# --- instances ------------------------------------------------------------------------------------


def instance(making: Making, resource: Resource) -> None:
    """Make an instance, running, with all that the event says of it."""
    if making.ec2.get_instance_by_id(resource.id):
        return
    interfaces = _interfaces(making, resource)
    _network(making, resource, interfaces)
    attached = [each.id for each in interfaces if _interface(making, each)]
    if not attached:
        raise NotMade("all its network interfaces belong to another instance")
    made = _run(making, resource, attached)
    made.platform = resource.attributes.get("platform")
    made.launch_time = _launch_time(resource) or made.launch_time
    made.add_tags(resource.attributes.get("tags", {}))
    making.made.append(f"instance {resource.id} with interfaces {', '.join(attached)}")
    volumes.attach_to(making, made)
    with making.attempt(f"instance profile of {resource.id}"):
        _attach_profile(making, resource)


def _run(making: Making, resource: Resource, interface_ids: Sequence[str]) -> Instance:
    at = resource.attributes
    nics = [
        {"DeviceIndex": index, "NetworkInterfaceId": each}
        for index, each in enumerate(interface_ids)
    ]
    with given(instance=resource.id):
        reservation = making.ec2.run_instances(
            at.get("image_id", IMAGE),
            1,
            None,
            [],
            instance_type=at.get("instance_type", TYPE),
            is_instance_type_default=True,  # so that it is not looked up
            placement=zone(making, at.get("availability_zone")).name,
            region_name=making.finding.region,
            nics=nics,
            block_device_mappings=[],
        )
    return reservation.instances[0]


def _launch_time(resource: Resource) -> datetime | None:
    try:
        return datetime.fromisoformat(resource.attributes["launch_time"])
    except (KeyError, ValueError):
        return None


def _attach_profile(making: Making, resource: Resource) -> None:
    arn = resource.attributes.get("profile_arn")
    if arn is None:
        return
    name = arn.rpartition("/")[2]
    iam.ensure_profile(making, name, iam.role_of_instance(making, resource.id) or name)
    making.ec2.associate_iam_instance_profile(resource.id, iam_instance_profile_name=name)


# --- network interfaces ---------------------------------------------------------------------------


def _interfaces(making: Making, resource: Resource) -> list[Interface]:
    """Return the interfaces of the event, or one of our own where it names none."""
    shown = resource.attributes.get("interfaces") or [{}]
    return [_filled(making, resource, index, each) for index, each in enumerate(shown)]


def _filled(making: Making, resource: Resource, index: int, at: Mapping[str, Any]) -> Interface:
    own = (making.finding.account, resource.id)
    vpc_id = at.get("vpc_id") or derived("vpc", *own)
    found = Interface(
        id=at.get("id") or derived("eni", *own, str(index)),
        vpc_id=vpc_id,
        subnet_id=at.get("subnet_id") or derived("subnet", *own, vpc_id),
        private_ip=at.get("private_ip"),
        public_ip=at.get("public_ip"),
        ipv6=at.get("ipv6", ()),
        groups=at.get("groups", ()),
    )
    if not at.get("id"):
        making.miss(f"interface {index} of {resource.id}", f"the event has no id: it is {found.id}")
    return found


def _network(making: Making, resource: Resource, interfaces: Sequence[Interface]) -> None:
    """Make the VPCs, subnets and groups of the interfaces."""
    zone_name = resource.attributes.get("availability_zone")
    for each in interfaces:
        beside = [one for one in interfaces if one.vpc_id == each.vpc_id]
        within = [address for one in beside for address in one.addresses]
        vpc = ensure_vpc(making, each.vpc_id, within, _default_group(beside))
        same = [a for one in beside if one.subnet_id == each.subnet_id for a in one.addresses]
        others = [a for one in beside if one.subnet_id != each.subnet_id for a in one.addresses]
        ensure_subnet(making, each.subnet_id, vpc, zone_name, same, others)
        for group in each.groups:
            group_id = str(group["id"])
            ensure_group(making, group_id, group["name"] or group_id, vpc, (SSH, WEB))


def _default_group(interfaces: Sequence[Interface]) -> str | None:
    groups = (group for each in interfaces for group in each.groups)
    return next((group["id"] for group in groups if group["name"] == "default"), None)


def _interface(making: Making, each: Interface) -> bool:
    """Make a network interface; say whether it is free to be attached."""
    if each.id in making.ec2.enis:
        making.miss(f"interface {each.id}", "another one has that id already")
        return False
    with given(interface=each.id):
        made = making.ec2.create_network_interface(
            each.subnet_id,
            each.private_ip or "",
            group_ids=[str(group["id"]) for group in each.groups],
            delete_on_termination=True,
            ipv6_addresses=list(each.ipv6),
        )
    if each.public_ip:
        made.public_ip = each.public_ip
        made.private_ip_addresses[0]["Association"] = {
            "PublicIp": each.public_ip,
            "IpOwnerId": "amazon",
        }
    return True
