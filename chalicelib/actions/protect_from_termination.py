"""Keep a compromised instance and its volumes from being destroyed."""

from __future__ import annotations

from typing import Any

from chalicelib.actions import action
from chalicelib.ec2 import NO_INSTANCE, SETTLES, instance, volumes
from chalicelib.effect import JSON, Call, Change, Effects, Reader, probe
from chalicelib.errors import NotApplicable
from chalicelib.gone import gone
from chalicelib.parameters import INSTANCE_ID

PROTECTION = "disableApiTermination"
SHUTDOWN = "instanceInitiatedShutdownBehavior"


@action(
    undo_after=("isolate_instance",),  # else the group, or anybody, ends it and its evidence
    params={"instance_id": INSTANCE_ID},
    permissions=(
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceAttribute",
        "ec2:ModifyInstanceAttribute",
    ),
    facts=("instance_id", "volumes", "unprotected"),
    target={
        "ec2:ModifyInstanceAttribute": (
            "arn:{partition}:ec2:{region}:{account}:instance/{instance_id}",
            "arn:{partition}:ec2:{region}:{account}:volume/*",
        )
    },
)
def protect_from_termination(aws: Reader, instance_id: str) -> Effects:
    """Protect an instance from termination, and its EBS volumes from going with it.

    Turn on termination protection, let a shutdown from inside stop the instance instead of
    terminating it, and keep each EBS volume when the instance ends all the same. Undo brings back
    each former value. Facts: `volumes`, and in `unprotected` what these settings cannot prevent:
    EC2 Auto Scaling terminates its members in spite of them (leave_auto_scaling_group), AWS takes
    back Spot Instances, data in an instance store is lost with a stop (EC2 user guide, Terminate
    your instance). Not applicable to an instance that is gone.
    """
    shown = instance(aws, instance_id)
    spot = shown.get("InstanceLifecycle") == "spot"
    stored = shown.get("RootDeviceType") == "instance-store"
    attached = volumes(shown)
    protected = _attribute(aws, instance_id, PROTECTION)
    shutdown = _attribute(aws, instance_id, SHUTDOWN)
    if not spot:
        yield _protect(instance_id, protected)
    if not stored:
        yield _stop_on_shutdown(instance_id, shutdown)
    for volume_id, mapping in sorted(attached.items()):
        yield _keep(instance_id, volume_id, mapping)
    return {
        "instance_id": instance_id,
        "volumes": sorted(attached),
        "unprotected": _unprotected(shown, spot=spot, stored=stored),
    }


def _protect(instance_id: str, before: JSON) -> Change:
    def call(value: JSON) -> Call:
        return _modify(instance_id, DisableApiTermination={"Value": value})

    return Change(
        probe=termination_protection(instance_id=instance_id),
        want=True,
        do=call(True),
        undo=call(before),
    )


def _stop_on_shutdown(instance_id: str, before: JSON) -> Change:
    return Change(
        probe=shutdown_behaviour(instance_id=instance_id),
        want="stop",
        do=_modify(instance_id, Attribute=SHUTDOWN, Value="stop"),
        undo=_modify(instance_id, Attribute=SHUTDOWN, Value=before),
    )


def _keep(instance_id: str, volume_id: str, mapping: dict[str, Any]) -> Change:
    def call(value: JSON) -> Call:
        device = {"DeviceName": mapping["device"], "Ebs": {"DeleteOnTermination": value}}
        return _modify(instance_id, BlockDeviceMappings=[device])

    return Change(
        probe=delete_on_termination(instance_id=instance_id, volume_id=volume_id),
        want=False,
        do=call(False),
        undo=call(mapping["DeleteOnTermination"]),
    )


def _modify(instance_id: str, **attribute: JSON) -> Call:
    return Call("ec2", "modify_instance_attribute", InstanceId=instance_id, **attribute)


def _unprotected(shown: dict[str, Any], *, spot: bool, stored: bool) -> list[str]:
    reasons = []
    if spot:
        reasons.append(
            "a Spot Instance: AWS may take it back, and termination protection is not had"
        )
    if stored:
        reasons.append("its root is in an instance store: a shutdown from inside terminates it")
    tags = {each["Key"]: each["Value"] for each in shown.get("Tags", ())}
    group = tags.get("aws:autoscaling:groupName")  # written by AWS alone: aws: is reserved
    if group:
        reasons.append(f"in Auto Scaling group {group}, which may still terminate it")
    return reasons


@probe("ec2:termination-protection:{instance_id}", settles=SETTLES)
def termination_protection(aws: Reader, *, instance_id: str) -> JSON:
    """Return whether the API refuses to terminate the instance."""
    return _attribute(aws, instance_id, PROTECTION)


@probe("ec2:shutdown-behaviour:{instance_id}", settles=SETTLES)
def shutdown_behaviour(aws: Reader, *, instance_id: str) -> JSON:
    """Return what a shutdown from inside the instance does: `stop` or `terminate`."""
    return _attribute(aws, instance_id, SHUTDOWN)


@probe("ec2:delete-on-termination:{instance_id}:{volume_id}", settles=SETTLES)
def delete_on_termination(aws: Reader, *, instance_id: str, volume_id: str) -> JSON:
    """Return whether the volume goes when the instance it is attached to is terminated."""
    attached = volumes(instance(aws, instance_id))
    if volume_id not in attached:
        raise NotApplicable(f"{volume_id} is not attached to {instance_id} any more")
    return attached[volume_id]["DeleteOnTermination"]


def _attribute(aws: Reader, instance_id: str, name: str) -> JSON:
    with gone(instance_id, *NO_INSTANCE):
        answer = aws.read(
            "ec2", "describe_instance_attribute", InstanceId=instance_id, Attribute=name
        )
    return answer[name[0].upper() + name[1:]]["Value"]
