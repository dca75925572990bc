"""How isolate_instance cuts an instance off, what it says survives, and when it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest

from chalicelib.finding import Finding, Indicator
from firebreak.stage import STAGE
from tests.actions.drive import FINDING, applied, planned

REMOTE = "198.51.100.7"
QUARANTINE, UNTRACK = (f"firebreak-{STAGE}-{kind}" for kind in ("quarantine", "untrack"))


def seen(*addresses: str) -> Finding:
    """Return a finding that names remote addresses."""
    indicators = tuple(Indicator("address", each, "OUTBOUND") for each in addresses)
    return replace(FINDING, indicators=indicators)


def network(
    session: boto3.Session, cidr: str = "10.30.0.0/16", *, ipv6: bool = True
) -> tuple[str, str]:
    """Return a new VPC and a subnet of it."""
    ec2 = session.client("ec2")
    vpc = ec2.create_vpc(CidrBlock=cidr, AmazonProvidedIpv6CidrBlock=ipv6)["Vpc"]
    subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock=cidr.replace("/16", "/24"))
    return vpc["VpcId"], subnet["Subnet"]["SubnetId"]


def group(session: boto3.Session, vpc_id: str, name: str) -> str:
    """Make a security group and return its id."""
    answer = session.client("ec2").create_security_group(
        GroupName=name, Description=name, VpcId=vpc_id
    )
    return str(answer["GroupId"])


def launched(session: boto3.Session, subnet_id: str, groups: list[str]) -> str:
    """Launch an instance with one interface and return its id."""
    answer = session.client("ec2").run_instances(
        ImageId="ami-12c6146b",
        InstanceType="m5.large",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet_id,
        SecurityGroupIds=groups,
    )
    return str(answer["Instances"][0]["InstanceId"])


def attached(session: boto3.Session, instance_id: str, subnet_id: str, groups: list[str]) -> str:
    """Attach one more interface to an instance and return the interface's id."""
    ec2 = session.client("ec2")
    interface = ec2.create_network_interface(SubnetId=subnet_id, Groups=groups)
    interface_id = str(interface["NetworkInterface"]["NetworkInterfaceId"])
    ec2.attach_network_interface(
        InstanceId=instance_id, NetworkInterfaceId=interface_id, DeviceIndex=1
    )
    return interface_id


def one_interface(session: boto3.Session, *, ipv6: bool = True) -> dict[str, Any]:
    """Make an instance with one interface in two groups, in a VPC without Firebreak's."""
    vpc_id, subnet_id = network(session, ipv6=ipv6)
    groups = [group(session, vpc_id, "web"), group(session, vpc_id, "admin")]
    return {"instance_id": launched(session, subnet_id, groups)}


def several_interfaces(session: boto3.Session) -> dict[str, Any]:
    """Make an instance with interfaces in two VPCs."""
    vpc_id, subnet_id = network(session)
    other_vpc_id, other_subnet_id = network(session, "10.31.0.0/16")
    instance_id = launched(session, subnet_id, [group(session, vpc_id, "web")])
    attached(session, instance_id, other_subnet_id, [group(session, other_vpc_id, "backup")])
    return {"instance_id": instance_id}


def widened_quarantine(session: boto3.Session) -> dict[str, Any]:
    """Make an instance in a VPC to whose quarantine group somebody has added rules."""
    params = one_interface(session)
    quarantine = own_group(session, vpc_of(session, params["instance_id"]), "quarantine")
    session.client("ec2").authorize_security_group_ingress(
        GroupId=quarantine,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 22,
                "ToPort": 22,
                "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
            }
        ],
    )
    return params


def isolated_already(session: boto3.Session) -> dict[str, Any]:
    """Make an instance that is in the quarantine group alone."""
    vpc_id, subnet_id = network(session)
    quarantine = own_group(session, vpc_id, "quarantine")
    ec2 = session.client("ec2")
    born = ec2.describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [quarantine]}]
    )["SecurityGroupRules"]
    ec2.revoke_security_group_egress(
        GroupId=quarantine, SecurityGroupRuleIds=[each["SecurityGroupRuleId"] for each in born]
    )
    return {"instance_id": launched(session, subnet_id, [quarantine])}


def two_steps(session: boto3.Session) -> dict[str, Any]:
    """Make an instance, in a VPC of IPv4 alone, whose remote address is denied both ways."""
    params = one_interface(session, ipv6=False)
    ec2 = session.client("ec2")
    vpc_id = vpc_of(session, params["instance_id"])
    acls = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
    for egress in (False, True):
        ec2.create_network_acl_entry(
            NetworkAclId=acls["NetworkAcls"][0]["NetworkAclId"],
            RuleNumber=90,
            Protocol="-1",
            RuleAction="deny",
            Egress=egress,
            CidrBlock=f"{REMOTE}/32",
        )
    return params | {"cut_tracked": "two_step"}


SCENES: dict[str, Callable[[boto3.Session], dict[str, Any]]] = {
    "one_interface": one_interface,
    "several_interfaces": several_interfaces,
    "widened_quarantine": widened_quarantine,
    "isolated_already": isolated_already,
    "two_steps": two_steps,
}
FINDINGS = {"two_steps": seen(REMOTE)}


def vpc_of(session: boto3.Session, instance_id: str) -> str:
    """Return the VPC of an instance."""
    answer = session.client("ec2").describe_instances(InstanceIds=[instance_id])
    return str(answer["Reservations"][0]["Instances"][0]["VpcId"])


def own_group(session: boto3.Session, vpc_id: str, kind: str) -> str:
    """Make Firebreak's group of a kind as it is born, with its first rule, and return its id."""
    answer = session.client("ec2").create_security_group(
        GroupName=f"firebreak-{STAGE}-{kind}",
        Description=kind,
        VpcId=vpc_id,
        TagSpecifications=[
            {
                "ResourceType": "security-group",
                "Tags": [{"Key": "firebreak:fixture", "Value": kind}],
            }
        ],
    )
    return str(answer["GroupId"])


def groups_of(session: boto3.Session, instance_id: str) -> dict[str, list[str]]:
    """Return the names of the groups of every interface of an instance."""
    answer = session.client("ec2").describe_network_interfaces(
        Filters=[{"Name": "attachment.instance-id", "Values": [instance_id]}]
    )
    return {
        each["NetworkInterfaceId"]: sorted(one["GroupName"] for one in each["Groups"])
        for each in answer["NetworkInterfaces"]
    }


def rules(session: boto3.Session, name: str) -> list[tuple[bool, str, str]]:
    """Return the rules of every group of a name: outbound or not, protocol, the other side."""
    ec2 = session.client("ec2")
    found = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])
    ids = [each["GroupId"] for each in found["SecurityGroups"]]
    assert ids
    every = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": ids}])
    return sorted(
        (each["IsEgress"], each["IpProtocol"], each.get("CidrIpv4") or each["CidrIpv6"])
        for each in every["SecurityGroupRules"]
    )


def test_every_interface_moves_and_comes_back(account: boto3.Session) -> None:
    """Each interface gets the quarantine group of its own VPC, and later its former groups."""
    params = several_interfaces(account)
    before = groups_of(account, params["instance_id"])

    run = applied("isolate_instance", account, **params)
    during = groups_of(account, params["instance_id"])
    run.undo()

    assert "done" == run.status
    assert [[QUARANTINE]] * 2 == list(during.values())
    assert sorted(before) == run.facts["interfaces"]
    assert run.facts["isolated"] is True
    assert before == groups_of(account, params["instance_id"])


@pytest.mark.parametrize("scene", [one_interface, widened_quarantine])
def test_quarantine_group_has_no_rule(account: boto3.Session, scene: Any) -> None:
    """Neither the rule a group is born with nor what somebody added is left in it."""
    applied("isolate_instance", account, **scene(account))

    assert [] == rules(account, QUARANTINE)


def test_group_of_that_name_without_tag_is_refused(account: boto3.Session) -> None:
    """A name alone does not make a group Firebreak's."""
    params = one_interface(account)
    group(account, vpc_of(account, params["instance_id"]), QUARANTINE)

    run = applied("isolate_instance", account, **params)

    assert "refused" == run.status
    assert "fixture_differs" in run.reason


def test_tag_alone_does_not_get_a_group_emptied(account: boto3.Session) -> None:
    """Who can tag a group of others cannot make Firebreak revoke its rules."""
    params = one_interface(account)
    ec2 = account.client("ec2")
    web = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["web"]}])
    ec2.create_tags(
        Resources=[web["SecurityGroups"][0]["GroupId"]],
        Tags=[{"Key": "firebreak:fixture", "Value": "quarantine"}],
    )

    before = rules(account, "web")
    run = applied("isolate_instance", account, **params)

    assert "done" == run.status
    assert before == rules(account, "web")


def test_already_isolated_is_held_without_a_call(account: boto3.Session) -> None:
    """Nothing is called for an instance in quarantine, but it counts as held."""
    run = applied("isolate_instance", account, **isolated_already(account))

    assert "done" == run.status
    assert [] == run.calls
    assert run.facts["already_isolated"] is True
    assert 1 == len(run.changes)


def test_never_says_that_connections_are_cut(account: boto3.Session) -> None:
    """A tracked connection outlives its rule, whatever was tried; DNS was never filtered."""
    run = applied("isolate_instance", account, **one_interface(account))

    assert "may survive" == run.facts["tracked_connections"]
    assert any("DNS" in each for each in run.facts["survives"])


def test_tells_public_addresses(account: boto3.Session) -> None:
    """The addresses the world knows the instance by are facts: they stay its own."""
    params = one_interface(account)
    ec2 = account.client("ec2")
    (interface_id,) = groups_of(account, params["instance_id"])
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=elastic["AllocationId"], NetworkInterfaceId=interface_id)

    run = applied("isolate_instance", account, **params)

    assert [elastic["PublicIp"]] == run.facts["public_addresses"]


def test_names_gateways_that_track_always(account: boto3.Session) -> None:
    """A NAT gateway in the subnet's route is named as what keeps connections alive."""
    params = one_interface(account)
    ec2 = account.client("ec2")
    vpc_id = vpc_of(account, params["instance_id"])
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
    subnet = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["Subnets"][0]
    nat = ec2.create_nat_gateway(SubnetId=subnet["SubnetId"], ConnectivityType="private")
    nat_id = nat["NatGateway"]["NatGatewayId"]
    ec2.create_route(
        RouteTableId=tables["RouteTables"][0]["RouteTableId"],
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=nat_id,
    )

    run = applied("isolate_instance", account, **params)

    assert any(nat_id in each for each in run.facts["survives"])


def test_two_steps_end_in_quarantine(account: boto3.Session) -> None:
    """The group that ends tracking is only a way to the one without rules."""
    params = two_steps(account)
    before = groups_of(account, params["instance_id"])

    run = applied("isolate_instance", account, finding=seen(REMOTE), **params)
    during = groups_of(account, params["instance_id"])
    run.undo()

    assert "done" == run.status
    assert 2 == run.calls.count("ec2:modify_network_interface_attribute")
    assert [[QUARANTINE]] == list(during.values())
    assert before == groups_of(account, params["instance_id"])
    assert "may survive" == run.facts["tracked_connections"]
    assert [
        (outbound, "-1", side) for outbound in (False, True) for side in ("0.0.0.0/0", "::/0")
    ] == rules(account, UNTRACK)


@pytest.mark.parametrize("remote", [[], ["203.0.113.9"]], ids=["none", "not_denied"])
def test_two_steps_need_the_remote_denied(account: boto3.Session, remote: list[str]) -> None:
    """The instance is not opened while the other end could use it."""
    params = two_steps(account)
    before = groups_of(account, params["instance_id"])

    run = applied("isolate_instance", account, finding=seen(*remote), **params)

    assert "refused" == run.status
    assert run.reason.startswith("needs_remote_deny")
    assert before == groups_of(account, params["instance_id"])


def test_two_steps_do_not_open_what_is_isolated(account: boto3.Session) -> None:
    """An instance in quarantine is never opened again for the sake of its connections."""
    params = two_steps(account)
    applied("isolate_instance", account, finding=seen(REMOTE), **params)

    run = applied("isolate_instance", account, finding=seen(REMOTE), **params)

    assert "done" == run.status
    assert [] == run.calls


def test_never_goes_back_to_the_open_group(account: boto3.Session) -> None:
    """What broke off half-way in the open group is not taken for the state to return to."""
    vpc_id, subnet_id = network(account)
    untrack = own_group(account, vpc_id, "untrack")
    instance_id = launched(account, subnet_id, [untrack])

    run = planned("isolate_instance", account, instance_id=instance_id)

    assert untrack not in str([each["undo"] for each in run.changes])


def test_refuses_while_in_service(account: boto3.Session) -> None:
    """An Auto Scaling group would terminate the instance, and the evidence with it."""
    _, subnet_id = network(account)
    autoscaling = account.client("autoscaling")
    autoscaling.create_launch_configuration(
        LaunchConfigurationName="web", ImageId="ami-12c6146b", InstanceType="m5.large"
    )
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="web",
        LaunchConfigurationName="web",
        MinSize=1,
        MaxSize=2,
        VPCZoneIdentifier=subnet_id,
    )
    instance_id = autoscaling.describe_auto_scaling_instances()["AutoScalingInstances"][0][
        "InstanceId"
    ]

    refused = applied("isolate_instance", account, instance_id=instance_id)
    autoscaling.enter_standby(
        InstanceIds=[instance_id], AutoScalingGroupName="web", ShouldDecrementDesiredCapacity=False
    )
    done = applied("isolate_instance", account, instance_id=instance_id)

    assert "refused" == refused.status
    assert refused.reason.startswith("needs_standby")
    assert "done" == done.status


def shown_as(session: boto3.Session, interface_id: str, **attributes: Any) -> None:
    """Let the embedded EC2 show an interface as AWS alone can make it."""
    from moto.ec2.models import ec2_backends

    account_id = session.client("sts").get_caller_identity()["Account"]
    interface = ec2_backends[account_id]["us-east-1"].enis[interface_id]
    for name, value in attributes.items():
        setattr(interface, name, value)


def test_interface_of_a_service_is_told_apart(account: boto3.Session) -> None:
    """An interface that cannot be changed is named, and the instance is not called isolated."""
    params = several_interfaces(account)
    first, second = sorted(groups_of(account, params["instance_id"]))
    shown_as(account, second, interface_type="gateway_load_balancer_endpoint")

    run = applied("isolate_instance", account, **params)

    assert "done" == run.status
    assert [first] == run.facts["interfaces"]
    assert [second] == [each["interface"] for each in run.facts["not_isolated"]]
    assert run.facts["isolated"] is False


def test_refuses_where_nothing_can_be_changed(account: boto3.Session) -> None:
    """An instance all of whose interfaces belong to a service is not passed over in silence."""
    params = one_interface(account)
    (interface_id,) = groups_of(account, params["instance_id"])
    shown_as(account, interface_id, interface_type="gateway_load_balancer_endpoint")

    run = applied("isolate_instance", account, **params)

    assert "refused" == run.status
    assert run.reason.startswith("not_isolatable")


def test_interfaces_of_pods_move_too(account: boto3.Session) -> None:
    """Branch interfaces behind a trunk are moved; a tag on any other interface moves nothing."""
    params = one_interface(account)
    ec2 = account.client("ec2")
    (trunk,) = groups_of(account, params["instance_id"])
    vpc_id = vpc_of(account, params["instance_id"])
    subnet = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["Subnets"][0]
    tag = {"Key": "vpcresources.k8s.aws/trunk-eni-id", "Value": trunk}
    branch, other = (
        ec2.create_network_interface(
            SubnetId=subnet["SubnetId"],
            Groups=[group(account, vpc_id, name)],
            TagSpecifications=[{"ResourceType": "network-interface", "Tags": [tag]}],
        )["NetworkInterface"]["NetworkInterfaceId"]
        for name in ("pod", "tagged")
    )
    shown_as(account, trunk, interface_type="trunk")
    shown_as(account, branch, interface_type="branch")

    run = applied("isolate_instance", account, **params)

    assert sorted([trunk, branch]) == run.facts["interfaces"]
    assert other not in str(run.changes)


def test_terminated_instance_is_not_applicable(account: boto3.Session) -> None:
    """There is nothing to isolate once the instance is terminated."""
    params = one_interface(account)
    account.client("ec2").terminate_instances(InstanceIds=[params["instance_id"]])

    run = applied("isolate_instance", account, **params)

    assert "not_applicable" == run.status
