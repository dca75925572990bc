"""What snapshot_instance_volumes keeps, how it is labelled, and that it is kept once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from tests.actions.drive import applied


def launched(session: boto3.Session) -> str:
    """Launch an instance with a boot volume and return its id."""
    answer = session.client("ec2").run_instances(
        ImageId="ami-12c6146b", InstanceType="m5.large", MinCount=1, MaxCount=1
    )
    return str(answer["Instances"][0]["InstanceId"])


def with_volume(session: boto3.Session, instance_id: str, tags: dict[str, str]) -> str:
    """Attach one more volume to an instance and return the volume's id."""
    ec2 = session.client("ec2")
    shown = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    volume_id = ec2.create_volume(Size=1, AvailabilityZone=shown["Placement"]["AvailabilityZone"])[
        "VolumeId"
    ]
    if tags:
        ec2.create_tags(
            Resources=[volume_id], Tags=[{"Key": k, "Value": v} for k, v in tags.items()]
        )
    ec2.attach_volume(InstanceId=instance_id, VolumeId=volume_id, Device="/dev/sdf")
    return str(volume_id)


def boot_volume(session: boto3.Session) -> dict[str, Any]:
    """Make an instance with nothing but its boot volume."""
    return {"instance_id": launched(session)}


def several_volumes(session: boto3.Session) -> dict[str, Any]:
    """Make an instance with a tagged data volume."""
    instance_id = launched(session)
    with_volume(session, instance_id, {"team": "payments"})
    return {"instance_id": instance_id}


def without_boot_volume(session: boto3.Session) -> dict[str, Any]:
    """Make an instance of which only the data are asked for."""
    return several_volumes(session) | {"exclude_boot": True}


SCENES: dict[str, Callable[[boto3.Session], dict[str, Any]]] = {
    "boot_volume": boot_volume,
    "several_volumes": several_volumes,
    "without_boot_volume": without_boot_volume,
}


def snapshots(session: boto3.Session) -> list[dict[str, Any]]:
    """Return every snapshot that was taken in the account with an evidence tag."""
    answer = session.client("ec2").describe_snapshots(
        OwnerIds=["self"], Filters=[{"Name": "tag-key", "Values": ["firebreak:evidence"]}]
    )
    return [dict(each) for each in answer["Snapshots"]]


def test_every_volume_is_kept_with_its_custody(account: boto3.Session) -> None:
    """Each snapshot says of what, for which finding, by which step and when it was taken."""
    params = several_volumes(account)

    run = applied("snapshot_instance_volumes", account, **params)
    taken = snapshots(account)

    assert "done" == run.status
    assert sorted(each["VolumeId"] for each in taken) == run.facts["volumes"]
    assert sorted(each["SnapshotId"] for each in taken) == run.facts["snapshots"]
    for each in taken:
        tags = {tag["Key"]: tag["Value"] for tag in each["Tags"]}
        assert params["instance_id"] == tags["firebreak:instance"]
        assert {
            "firebreak:evidence",
            "firebreak:remediation",
            "firebreak:playbook",
            "firebreak:step",
            "firebreak:finding",
            "firebreak:instance",
            "firebreak:taken-at",
        } <= set(tags)


def test_undo_keeps_evidence(account: boto3.Session) -> None:
    """Evidence outlives the remediation that took it."""
    run = applied("snapshot_instance_volumes", account, **boot_volume(account))
    run.undo()

    assert 1 == len(snapshots(account))


def test_boot_volume_can_be_left_out(account: boto3.Session) -> None:
    """Only the data volume is kept where the boot volume is excluded."""
    params = without_boot_volume(account)

    run = applied("snapshot_instance_volumes", account, **params)

    assert run.facts["volumes"] == [each["VolumeId"] for each in snapshots(account)]
    assert 1 == len(run.facts["volumes"])


@pytest.mark.parametrize(
    ("tags", "copied"),
    [
        ({"team": "payments"}, True),
        ({f"tag-{i}": "x" for i in range(44)}, False),
        ({"firebreak:evidence": "of another remediation"}, False),
    ],
    ids=["room", "no_room", "contradicts"],
)
def test_tags_of_volumes_are_copied_where_they_fit(
    account: boto3.Session, tags: dict[str, str], copied: bool
) -> None:
    """A resource has room for 50 tags, and custody goes before what the volume says."""
    instance_id = launched(account)
    with_volume(account, instance_id, tags)

    run = applied("snapshot_instance_volumes", account, instance_id=instance_id)

    assert "done" == run.status
    assert copied is run.facts["tags_copied"]


def test_nothing_left_to_keep(account: boto3.Session) -> None:
    """An instance with only a boot volume has nothing to keep where that is excluded."""
    params = boot_volume(account) | {"exclude_boot": True}

    run = applied("snapshot_instance_volumes", account, **params)

    assert "not_applicable" == run.status
    assert [] == snapshots(account)


def test_volumes_of_a_terminated_instance_are_gone(account: boto3.Session) -> None:
    """There is nothing to keep once the instance is terminated."""
    params = boot_volume(account)
    account.client("ec2").terminate_instances(InstanceIds=[params["instance_id"]])

    run = applied("snapshot_instance_volumes", account, **params)

    assert "not_applicable" == run.status
