"""Tests of the attributes of instances and of their snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.strict.conftest import Network, code_of


@pytest.mark.parametrize(
    ("attribute", "change", "expected"),
    [
        ("disableApiTermination", {"DisableApiTermination": {"Value": True}}, True),
        (
            "instanceInitiatedShutdownBehavior",
            {"InstanceInitiatedShutdownBehavior": {"Value": "terminate"}},
            "terminate",
        ),
        ("disableApiStop", {"DisableApiStop": {"Value": True}}, True),
    ],
)
def test_attributes_are_kept(
    network: Network, attribute: str, change: dict[str, Any], expected: object
) -> None:
    """A changed attribute is described as it was set."""
    instance, _ = network.instance()
    network.ec2.modify_instance_attribute(InstanceId=instance, **change)
    shown = network.ec2.describe_instance_attribute(InstanceId=instance, Attribute=attribute)
    assert shown[attribute[0].upper() + attribute[1:]]["Value"] == expected


def test_shutdown_behavior_leaves_the_groups(network: Network) -> None:
    """Changing another attribute does not touch the groups of the instance's interface."""
    instance, interface = network.instance()
    network.ec2.modify_instance_attribute(
        InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": "terminate"}
    )
    shown = network.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])
    groups = [each["GroupId"] for each in shown["NetworkInterfaces"][0]["Groups"]]
    assert groups == [network.group]


def test_one_attribute_is_changed_at_a_time(network: Network) -> None:
    """A call with two attributes, or none, is refused."""
    instance, _ = network.instance()
    change = network.ec2.modify_instance_attribute
    stop, end = {"DisableApiStop": {"Value": True}}, {"DisableApiTermination": {"Value": True}}
    assert code_of(change, InstanceId=instance, **stop, **end) == "InvalidParameterCombination"
    assert code_of(change, InstanceId=instance) == "InvalidParameterCombination"


def test_protected_instance_is_not_terminated(network: Network) -> None:
    """Termination protection holds."""
    instance, _ = network.instance()
    network.ec2.modify_instance_attribute(
        InstanceId=instance, DisableApiTermination={"Value": True}
    )
    code = code_of(network.ec2.terminate_instances, InstanceIds=[instance])
    assert code == "OperationNotPermitted"


def test_block_devices_show_whether_they_end_with_the_instance(network: Network) -> None:
    """A changed DeleteOnTermination shows in both descriptions."""
    instance, _ = network.instance()
    change = [{"DeviceName": "/dev/sdb", "Ebs": {"DeleteOnTermination": False}}]
    network.ec2.modify_instance_attribute(InstanceId=instance, BlockDeviceMappings=change)
    shown = network.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][
        0
    ]
    attribute = network.ec2.describe_instance_attribute(
        InstanceId=instance, Attribute="blockDeviceMapping"
    )
    for described in (shown, attribute):
        kept = {
            each["DeviceName"]: each["Ebs"]["DeleteOnTermination"]
            for each in described["BlockDeviceMappings"]
        }
        assert kept == {"/dev/sda1": True, "/dev/sdb": False}


def test_snapshots_of_every_volume_carry_tags(network: Network) -> None:
    """CreateSnapshots makes one tagged snapshot per volume, found again by tag."""
    instance, _ = network.instance()
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "firebreak:effect", "Value": "e"}]}]
    made = network.ec2.create_snapshots(
        InstanceSpecification={"InstanceId": instance}, TagSpecifications=tags
    )["Snapshots"]
    found = network.ec2.describe_snapshots(
        OwnerIds=["self"], Filters=[{"Name": "tag:firebreak:effect", "Values": ["e"]}]
    )["Snapshots"]
    assert len({each["VolumeId"] for each in made}) == 2
    assert {s["SnapshotId"] for s in found} == {s["SnapshotId"] for s in made}
