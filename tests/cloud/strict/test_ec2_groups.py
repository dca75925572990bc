"""Tests of security groups and the interfaces that have them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.strict.conftest import Network, code_of

MISSING = "sg-0123456789abcdef0"


def groups(network: Network, instance: str) -> tuple[set[str], set[str]]:
    """Return the groups of an instance and of its first interface."""
    shown = network.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][
        0
    ]
    (first,) = [n for n in shown["NetworkInterfaces"] if n["Attachment"]["DeviceIndex"] == 0]
    return (
        {each["GroupId"] for each in shown["SecurityGroups"]},
        {each["GroupId"] for each in first["Groups"]},
    )


def test_groups_of_an_interface_are_replaced(network: Network) -> None:
    """What an interface is given is all it has, and the instance shows the same."""
    instance, interface = network.instance()
    network.ec2.modify_network_interface_attribute(
        NetworkInterfaceId=interface, Groups=[network.other_group]
    )
    assert groups(network, instance) == ({network.other_group}, {network.other_group})
    shown = network.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])
    found = [each["GroupId"] for each in shown["NetworkInterfaces"][0]["Groups"]]
    assert found == [network.other_group]


def test_groups_of_an_instance_are_its_interfaces(network: Network) -> None:
    """Changing an instance's groups changes its only interface."""
    instance, _ = network.instance()
    network.ec2.modify_instance_attribute(InstanceId=instance, Groups=[network.other_group])
    assert groups(network, instance) == ({network.other_group}, {network.other_group})


@pytest.mark.parametrize(
    ("chosen", "code"),
    [("missing", "InvalidGroup.NotFound"), ("foreign", "InvalidGroup.NotFound")],
)
def test_interface_takes_groups_of_its_vpc_only(network: Network, chosen: str, code: str) -> None:
    """A group that does not exist, or of another VPC, is refused and nothing changes."""
    instance, interface = network.instance()
    group = MISSING if chosen == "missing" else network.foreign_group
    change = network.ec2.modify_network_interface_attribute
    assert code_of(change, NetworkInterfaceId=interface, Groups=[group]) == code
    assert groups(network, instance) == ({network.group}, {network.group})


def test_interface_has_at_least_one_group(network: Network) -> None:
    """Taking every group away is refused."""
    _, interface = network.instance()
    change = network.ec2.modify_network_interface_attribute
    code = code_of(change, NetworkInterfaceId=interface, Groups=[])
    assert code == "InvalidParameterCombination"


def test_instance_runs_with_groups_of_its_vpc_only(network: Network) -> None:
    """RunInstances refuses missing and foreign groups."""
    run = {"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1, "SubnetId": network.subnet}
    launch = network.ec2.run_instances
    assert code_of(launch, **run, SecurityGroupIds=[MISSING]) == "InvalidGroup.NotFound"
    assert code_of(launch, **run, SecurityGroupIds=[network.foreign_group]) == "InvalidParameter"


def test_groups_of_several_interfaces_are_changed_one_by_one(network: Network) -> None:
    """ModifyInstanceAttribute refuses the groups of an instance with two interfaces."""
    instance, _ = network.instance()
    second = network.ec2.create_network_interface(SubnetId=network.subnet, Groups=[network.group])
    network.ec2.attach_network_interface(
        NetworkInterfaceId=second["NetworkInterface"]["NetworkInterfaceId"],
        InstanceId=instance,
        DeviceIndex=1,
    )
    change = network.ec2.modify_instance_attribute
    code = code_of(change, InstanceId=instance, Groups=[network.other_group])
    assert code == "InvalidInstanceID"


def test_group_in_use_cannot_be_deleted(network: Network) -> None:
    """An interface that has it, or a rule that names it, keeps a group."""
    network.instance()
    delete = network.ec2.delete_security_group
    assert code_of(delete, GroupId=network.group) == "DependencyViolation"
    pair = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": network.other_group}]}
    network.ec2.authorize_security_group_ingress(GroupId=network.group, IpPermissions=[pair])
    assert code_of(delete, GroupId=network.other_group) == "DependencyViolation"
    network.ec2.revoke_security_group_ingress(GroupId=network.group, IpPermissions=[pair])
    assert code_of(delete, GroupId=network.other_group) == "ok"


def test_group_of_a_terminated_instance_can_be_deleted(network: Network) -> None:
    """A terminated instance holds nothing."""
    instance, _ = network.instance()
    network.ec2.terminate_instances(InstanceIds=[instance])
    assert code_of(network.ec2.delete_security_group, GroupId=network.group) == "ok"


def test_default_group_stays(network: Network) -> None:
    """A VPC's default group cannot be deleted."""
    found = network.ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [network.vpc]}]
    )["SecurityGroups"]
    (default,) = [each["GroupId"] for each in found if each["GroupName"] == "default"]
    assert code_of(network.ec2.delete_security_group, GroupId=default) == "CannotDelete"


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ({"GroupName": "sg-x", "Description": "d"}, "InvalidParameterValue"),
        ({"GroupName": "x", "Description": "what's <this>"}, "InvalidParameterValue"),
        ({"GroupName": "x", "Description": "d" * 256}, "InvalidParameterValue"),
        ({"GroupName": "x", "Description": "a-Z 0._:/()#,@[]+=&;{}!$*"}, "ok"),
    ],
)
def test_texts_of_groups(network: Network, texts: dict[str, str], code: str) -> None:
    """Names and descriptions have AWS's characters only."""
    assert code_of(network.ec2.create_security_group, VpcId=network.vpc, **texts) == code


def rule(number: int, **fields: Any) -> dict[str, Any]:
    """Return a permission for one address."""
    ranges = [{"CidrIp": f"10.9.{number}.0/24", **fields}]
    return {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": ranges}


def test_rules_are_known_by_their_ids(network: Network) -> None:
    """Rules are listed with ids, refused when double, and revoked by id."""
    ec2, group = network.ec2, network.group
    allow = ec2.authorize_security_group_ingress
    allow(GroupId=group, IpPermissions=[rule(1), rule(2)])
    code = code_of(allow, GroupId=group, IpPermissions=[rule(1)])
    assert code == "InvalidPermission.Duplicate"
    only = [{"Name": "group-id", "Values": [group]}]
    listed = ec2.describe_security_group_rules(Filters=only)["SecurityGroupRules"]
    inbound = {
        each["CidrIpv4"]: each["SecurityGroupRuleId"] for each in listed if not each["IsEgress"]
    }
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[inbound["10.9.1.0/24"]])
    shown = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    assert [each["CidrIp"] for each in shown[0]["IpRanges"]] == ["10.9.2.0/24"]


def test_rules_are_limited(network: Network) -> None:
    """A sixty-first rule is refused, and so is a description with other characters."""
    allow = network.ec2.authorize_security_group_ingress
    allow(GroupId=network.group, IpPermissions=[rule(n) for n in range(60)])
    code = code_of(allow, GroupId=network.group, IpPermissions=[rule(60)])
    assert code == "RulesPerSecurityGroupLimitExceeded"
    odd = [rule(1, Description="<script>")]
    assert code_of(allow, GroupId=network.other_group, IpPermissions=odd) == "InvalidParameterValue"
