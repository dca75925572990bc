"""Keep the disks of a compromised instance as evidence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chalicelib.actions import On, action
from chalicelib.ec2 import SETTLES, instance, volumes
from chalicelib.effect import JSON, Call, Effects, Evidence, Reader, probe
from chalicelib.errors import NotApplicable
from chalicelib.parameters import INSTANCE_ID
from chalicelib.text import one_line, tag_value

TAGS = 50  # the most a resource may have, those of AWS (aws:…) not counted
DESCRIPTION = 255


@action(
    params={
        "instance_id": INSTANCE_ID,
        "exclude_boot": {
            "type": "boolean",
            "default": False,
            "description": "leave out the volume the instance boots from",
        },
    },
    permissions=(
        "ec2:DescribeInstances",
        "ec2:DescribeVolumes",
        "ec2:DescribeSnapshots",
        "ec2:CreateSnapshots",
        "ec2:CreateTags",
    ),
    facts=("instance_id", "snapshots", "volumes", "tags_copied"),
    contains=False,
    target={
        "ec2:CreateSnapshots": (
            "arn:{partition}:ec2:{region}:{account}:instance/{instance_id}",
            "arn:{partition}:ec2:{region}:{account}:volume/*",
            "arn:{partition}:ec2:{region}::snapshot/*",
        ),
        "ec2:CreateTags": (
            On(
                "arn:{partition}:ec2:{region}::snapshot/*",
                {"StringEquals": {"ec2:CreateAction": "CreateSnapshots"}},
            ),
        ),
    },
)
def snapshot_instance_volumes(
    aws: Reader, instance_id: str, *, exclude_boot: bool = False
) -> Effects:
    """Take one snapshot of each EBS volume of an instance, all of the same moment.

    CreateSnapshots makes them crash-consistent over the instance, which need not be stopped (EC2
    API reference). The snapshots carry who took them, when, why and of what as tags `firebreak:…`,
    and the volumes' own tags as far as there is room for all. They are evidence: undo keeps them.
    They exist from the call on, while their data is still being copied; memory and instance stores
    are not in them. Not applicable to an instance that is gone or has no such volume.
    """
    shown = instance(aws, instance_id)
    boot = shown.get("RootDeviceName") if exclude_boot else None
    attached = volumes(shown)
    kept = sorted(id_ for id_, mapping in attached.items() if mapping["device"] != boot)
    if not kept:
        raise NotApplicable(f"{instance_id} has no EBS volume to take a snapshot of")
    evidence = tag_value(f"{aws.remediation}/{aws.step}/{instance_id}")
    tags = _custody(aws, instance_id, evidence)
    copied = _room(_volume_tags(aws, kept), tags)
    snapshots = yield Evidence(
        probe=evidence_snapshots(evidence=evidence),
        do=Call(
            "ec2",
            "create_snapshots",
            InstanceSpecification={"InstanceId": instance_id, "ExcludeBootVolume": exclude_boot},
            Description=one_line(f"Firebreak {aws.remediation} {instance_id}", DESCRIPTION),
            TagSpecifications=[{"ResourceType": "snapshot", "Tags": tags}],
            **({"CopyTagsFromSource": "volume"} if copied else {}),
        ),
    )
    return {
        "instance_id": instance_id,
        "snapshots": snapshots,
        "volumes": kept,
        "tags_copied": copied,
    }


def _custody(aws: Reader, instance_id: str, evidence: str) -> list[dict[str, str]]:
    """Return the chain of custody as tags; `firebreak:evidence` is what they are found by."""
    values = {
        "evidence": evidence,
        "remediation": aws.remediation,
        "playbook": aws.playbook,
        "step": aws.step,
        "finding": str(aws.finding["id"]),
        "instance": instance_id,
        "taken-at": aws.now(),
    }
    return [{"Key": f"firebreak:{name}", "Value": tag_value(text)} for name, text in values.items()]


def _volume_tags(aws: Reader, volume_ids: list[str]) -> list[set[str]]:
    found: list[dict[str, Any]] = aws.pages(
        "ec2", "describe_volumes", "Volumes", VolumeIds=volume_ids
    )
    return [
        {tag["Key"] for tag in each.get("Tags", ()) if not tag["Key"].startswith("aws:")}
        for each in found
    ]


def _room(theirs: Iterable[set[str]], ours: list[dict[str, str]]) -> bool:
    """Say whether every volume's tags fit beside ours, and none would contradict them."""
    keys = {each["Key"] for each in ours}
    return all(len(each | keys) <= TAGS and not each & keys for each in theirs)


@probe("ec2:evidence-snapshots:{evidence}", settles=SETTLES)
def evidence_snapshots(aws: Reader, *, evidence: str) -> JSON:
    """Return the ids of the snapshots that carry this evidence tag, sorted; None without any."""
    found = aws.pages(
        "ec2",
        "describe_snapshots",
        "Snapshots",
        OwnerIds=["self"],
        Filters=[{"Name": "tag:firebreak:evidence", "Values": [evidence]}],
    )
    return sorted(each["SnapshotId"] for each in found if each.get("State") != "error") or None
