"""Tests of instances that leave an Auto Scaling group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from firebreak.cloud import Cloud
from tests.cloud.strict.conftest import Network, code_of


@dataclass(frozen=True)
class Group:
    """A group of two instances behind a target group; it may shrink to one and grow to three."""

    autoscaling: Any
    elbv2: Any
    target_group: str

    def states(self) -> dict[str, str]:
        """Return the lifecycle state of each instance."""
        return {
            each["InstanceId"]: each["LifecycleState"] for each in self.described()["Instances"]
        }

    def described(self) -> Any:
        """Return the group's description."""
        groups = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["g"])
        return groups["AutoScalingGroups"][0]

    def targets(self) -> set[str]:
        """Return the instances registered with the target group."""
        health = self.elbv2.describe_target_health(TargetGroupArn=self.target_group)
        return {each["Target"]["Id"] for each in health["TargetHealthDescriptions"]}


@pytest.fixture
def group(cloud: Cloud, network: Network) -> Group:
    """Make the group."""
    session = cloud.session()
    elbv2 = session.client("elbv2")
    target = elbv2.create_target_group(Name="t", Protocol="HTTP", Port=80, VpcId=network.vpc)
    arn = target["TargetGroups"][0]["TargetGroupArn"]
    subnets = [
        network.ec2.create_subnet(VpcId=network.vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=z)
        for n, z in ((2, "us-east-1a"), (3, "us-east-1b"))
    ]
    names = [each["Subnet"]["SubnetId"] for each in subnets]
    balancer = elbv2.create_load_balancer(Name="l", Subnets=names)["LoadBalancers"][0]
    elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    network.ec2.create_launch_template(
        LaunchTemplateName="template",
        LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "t3.micro"},
    )
    autoscaling = session.client("autoscaling")
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="g",
        MinSize=1,
        MaxSize=3,
        DesiredCapacity=2,
        VPCZoneIdentifier=names[0],
        LaunchTemplate={"LaunchTemplateName": "template"},
        TargetGroupARNs=[arn],
    )
    return Group(autoscaling, elbv2, arn)


def leave(group: Group, *instances: str, decrement: bool = True) -> str:
    """Put instances into standby; return the error's code, or `ok`."""
    return code_of(
        group.autoscaling.enter_standby,
        AutoScalingGroupName="g",
        InstanceIds=list(instances),
        ShouldDecrementDesiredCapacity=decrement,
    )


def test_standby_and_back(group: Group) -> None:
    """An instance in standby gets no traffic and does not count; it comes back as it was."""
    first, second = group.states()
    assert group.targets() == {first, second}
    assert leave(group, first) == "ok"
    assert group.states() == {first: "Standby", second: "InService"}
    assert (group.described()["DesiredCapacity"], group.targets()) == (1, {second})
    group.autoscaling.exit_standby(AutoScalingGroupName="g", InstanceIds=[first])
    assert group.states() == {first: "InService", second: "InService"}
    assert (group.described()["DesiredCapacity"], group.targets()) == (2, {first, second})


def test_standby_without_decrement_is_replaced(group: Group) -> None:
    """A group that keeps its size launches another instance."""
    first, _ = group.states()
    assert leave(group, first, decrement=False) == "ok"
    in_service = {each for each, state in group.states().items() if state == "InService"}
    assert (len(in_service), group.targets()) == (2, in_service)


def test_instance_must_be_in_service(group: Group) -> None:
    """What is in standby or not in the group cannot be put into standby."""
    first, _ = group.states()
    leave(group, first)
    assert leave(group, first) == "ValidationError"
    assert leave(group, "i-0123456789abcdef0") == "ValidationError"


def test_group_keeps_its_least_size(group: Group) -> None:
    """A group does not fall below its least size, for standby or detachment."""
    assert leave(group, *group.states()) == "ValidationError"
    assert set(group.states().values()) == {"InService"}
    detached = code_of(
        group.autoscaling.detach_instances,
        AutoScalingGroupName="g",
        InstanceIds=list(group.states()),
        ShouldDecrementDesiredCapacity=True,
    )
    assert detached == "ValidationError"


def test_detach_and_attach(group: Group) -> None:
    """A detached instance is no longer the group's, nor a target; attached, it is again."""
    first, second = group.states()
    group.autoscaling.detach_instances(
        AutoScalingGroupName="g", InstanceIds=[first], ShouldDecrementDesiredCapacity=True
    )
    assert (set(group.states()), group.targets()) == ({second}, {second})
    described = group.autoscaling.describe_auto_scaling_instances(InstanceIds=[first])
    assert described["AutoScalingInstances"] == []
    group.autoscaling.attach_instances(AutoScalingGroupName="g", InstanceIds=[first])
    assert (set(group.states()), group.targets()) == ({first, second}, {first, second})
    assert group.described()["DesiredCapacity"] == 2


def test_deregistered_target_stays_deregistered(group: Group) -> None:
    """What somebody took out of the target group is not put back by the group."""
    first, second = group.states()
    group.elbv2.deregister_targets(TargetGroupArn=group.target_group, Targets=[{"Id": first}])
    leave(group, second)
    group.autoscaling.exit_standby(AutoScalingGroupName="g", InstanceIds=[second])
    assert group.targets() == {second}


def test_group_must_exist(group: Group) -> None:
    """Operations on a group that does not exist are ValidationErrors."""
    first, _ = group.states()
    code = code_of(
        group.autoscaling.exit_standby, AutoScalingGroupName="nobody", InstanceIds=[first]
    )
    assert code == "ValidationError"


def test_group_keeps_its_greatest_size(group: Group) -> None:
    """A group does not grow beyond its greatest size by what comes back."""
    first, _ = group.states()
    leave(group, first)
    group.autoscaling.update_auto_scaling_group(AutoScalingGroupName="g", MaxSize=1)
    back = code_of(group.autoscaling.exit_standby, AutoScalingGroupName="g", InstanceIds=[first])
    assert back == "ValidationError"
