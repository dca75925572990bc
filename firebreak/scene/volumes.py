"""EBS volumes, those of an instance and others; snapshots and images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chalicelib.finding import Resource
from firebreak.scene.ids import derived, given
from firebreak.scene.making import Making
from firebreak.scene.network import zone

if TYPE_CHECKING:
    from moto.ec2.models.instances import Instance

ROOT, DATA = "/dev/sda1", "/dev/sdf"
ROOTS = (ROOT, "/dev/xvda")
WITH_IOPS = ("io1", "io2")


def attach_to(making: Making, made: Instance) -> None:
    """Attach the volumes that the event names, or else a root and a data volume."""
    for resource, device, goes_with_it in _volumes(making, made.id):
        with making.attempt(f"volume {resource.id}"):
            _ensure(making, resource, made.availability_zone)
            making.ec2.attach_volume(resource.id, made.id, device, goes_with_it)
            if device in ROOTS:
                made.root_device_name = device


def _volumes(making: Making, instance_id: str) -> Iterator[tuple[Resource, str, bool]]:
    named = [
        each
        for each in making.resources
        if each.kind == "volume" and each.attributes.get("attached_to") == instance_id
    ]
    taken = {each.attributes["device"] for each in named if "device" in each.attributes}
    free = iter([device for device in (ROOT, *_letters()) if device not in taken])
    if not taken & set(ROOTS) and all("device" in each.attributes for each in named):
        yield _own_volume(making, instance_id, ROOT), next(free), True
    if not named:
        yield _own_volume(making, instance_id, DATA), DATA, False
    for each in named:
        device = each.attributes.get("device", "")
        if device not in taken:  # none is named, or that of another volume
            device = next(free)
        taken.discard(device)
        yield each, device, device in ROOTS


def _letters() -> Iterator[str]:
    return (f"/dev/sd{letter}" for letter in "fghijklmnopqrstuvwxyz")


def _own_volume(making: Making, instance_id: str, device: str) -> Resource:
    own = derived("vol", making.finding.account, instance_id, device)
    return Resource("volume", own, None, {"size": 30, "type": "gp3"})


def volume(making: Making, resource: Resource) -> None:
    """Make a volume."""
    _ensure(making, resource, None)


def _ensure(making: Making, resource: Resource, zone_name: str | None) -> None:
    if resource.id in making.ec2.volumes:
        return
    at = resource.attributes
    key = at.get("kms_key_arn")
    kind = at.get("type")
    with given(volume=resource.id):
        making.ec2.create_volume(
            at.get("size") or 30,
            zone(making, zone_name).name,
            encrypted=key is not None,
            kms_key_id=key,
            volume_type=kind,
            iops=3000 if kind in WITH_IOPS else None,
        )
    making.made.append(f"volume {resource.id}")


def snapshot(making: Making, resource: Resource) -> None:
    """Make a snapshot and the volume that it is of."""
    if resource.id in making.ec2.snapshots:
        return
    of = resource.attributes.get("volume_id") or derived("vol", making.finding.account, resource.id)
    volume(making, Resource("volume", of))
    with given(snapshot=resource.id):
        making.ec2.create_snapshot(of, f"Of {of}")
    making.made.append(f"snapshot {resource.id}")


def image(making: Making, resource: Resource) -> None:
    """Make a machine image and its first snapshot."""
    from moto.ec2.models.amis import Ami

    if resource.id in making.ec2.amis:
        return
    first = next(iter(resource.attributes.get("snapshot_ids", ())), None)
    with given(snapshot=first):
        made = Ami(
            making.ec2,
            resource.id,
            name=resource.id,
            root_device_type="ebs",
            region_name=zone(making, None).name,
        )
    making.ec2.amis[resource.id] = made
    making.made.append(f"image {resource.id}")
