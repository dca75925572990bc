"""What protect_from_termination protects, gives back, and cannot protect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from tests.actions.drive import applied

LATER = "i-0123456789abcdef0"


def launched(session: boto3.Session, **more: Any) -> str:
    """Launch an instance with a boot volume and return its id."""
    ec2 = session.client("ec2")
    answer = ec2.run_instances(
        ImageId="ami-12c6146b", InstanceType="m5.large", MinCount=1, MaxCount=1, **more
    )
    return str(answer["Instances"][0]["InstanceId"])


def one_volume(session: boto3.Session) -> dict[str, Any]:
    """Make an instance as most are launched."""
    return {"instance_id": launched(session)}


def several_volumes(session: boto3.Session) -> dict[str, Any]:
    """Make an instance that terminates on shutdown, with volumes of which one is kept already."""
    ec2 = session.client("ec2")
    instance_id = launched(
        session,
        InstanceInitiatedShutdownBehavior="terminate",
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8, "DeleteOnTermination": True}},
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}},
        ],
    )
    zone = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    volume = ec2.create_volume(Size=1, AvailabilityZone=zone["Placement"]["AvailabilityZone"])
    ec2.attach_volume(InstanceId=instance_id, VolumeId=volume["VolumeId"], Device="/dev/sdg")
    return {"instance_id": instance_id}


def protected_already(session: boto3.Session) -> dict[str, Any]:
    """Make an instance whose owner has protected it."""
    instance_id = launched(session)
    session.client("ec2").modify_instance_attribute(
        InstanceId=instance_id, DisableApiTermination={"Value": True}
    )
    return {"instance_id": instance_id}


SCENES: dict[str, Callable[[boto3.Session], dict[str, Any]]] = {
    "one_volume": one_volume,
    "several_volumes": several_volumes,
    "protected_already": protected_already,
}


def attribute(session: boto3.Session, instance_id: str, name: str) -> Any:
    """Return an attribute of an instance as EC2 describes it."""
    answer = session.client("ec2").describe_instance_attribute(
        InstanceId=instance_id, Attribute=name
    )
    return answer[name[0].upper() + name[1:]]["Value"]


def kept(session: boto3.Session, instance_id: str) -> list[bool]:
    """Return which volumes stay when the instance goes, by device."""
    answer = session.client("ec2").describe_instances(InstanceIds=[instance_id])
    mappings = answer["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
    ordered = sorted(mappings, key=lambda each: str(each["DeviceName"]))
    return [not each["Ebs"]["DeleteOnTermination"] for each in ordered]


def test_protects_instance_and_every_volume(account: boto3.Session) -> None:
    """The API refuses to terminate, a shutdown only stops, and all volumes stay."""
    params = several_volumes(account)

    run = applied("protect_from_termination", account, **params)

    assert "done" == run.status
    assert attribute(account, params["instance_id"], "disableApiTermination") is True
    assert "stop" == attribute(account, params["instance_id"], "instanceInitiatedShutdownBehavior")
    assert [True, True, True] == kept(account, params["instance_id"])
    assert 3 == len(run.facts["volumes"])
    assert [] == run.facts["unprotected"]


def test_undo_gives_back_what_was_before(account: boto3.Session) -> None:
    """Each setting returns to its former value, which differs between volumes."""
    params = several_volumes(account)
    before = kept(account, params["instance_id"])

    run = applied("protect_from_termination", account, **params)
    run.undo()

    assert [False, False, True] == before
    assert before == kept(account, params["instance_id"])
    assert attribute(account, params["instance_id"], "disableApiTermination") is False
    assert "terminate" == attribute(
        account, params["instance_id"], "instanceInitiatedShutdownBehavior"
    )


def test_what_is_protected_already_is_not_called_for(account: boto3.Session) -> None:
    """An owner's protection is joined, and no call is made for it."""
    params = protected_already(account)

    run = applied("protect_from_termination", account, **params)

    assert [True, "stop", True] == [each["before"] for each in run.changes]
    assert ["ec2:modify_instance_attribute"] == run.calls  # for the volume alone


def test_says_that_a_spot_instance_can_be_taken_back(account: boto3.Session) -> None:
    """Termination protection is not had for Spot Instances, and the facts say so."""
    instance_id = launched(account, InstanceMarketOptions={"MarketType": "spot"})

    run = applied("protect_from_termination", account, instance_id=instance_id)

    assert "done" == run.status
    assert attribute(account, instance_id, "disableApiTermination") is False
    assert "Spot" in run.facts["unprotected"][0]


@pytest.mark.parametrize("ended", [True, False], ids=["terminated", "unknown"])
def test_nothing_to_protect(account: boto3.Session, ended: bool) -> None:
    """A terminated instance, and one that EC2 never had, are not applicable."""
    instance_id = launched(account) if ended else LATER
    if ended:
        account.client("ec2").terminate_instances(InstanceIds=[instance_id])

    run = applied("protect_from_termination", account, instance_id=instance_id)

    assert "not_applicable" == run.status
    assert instance_id in run.reason
