"""What leave_auto_scaling_group takes an instance out of, and how it comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from chalicelib.errors import Transient
from tests.actions.drive import applied, planned

GROUP = "web"


def network(session: boto3.Session) -> tuple[str, list[str]]:
    """Return a new VPC and two of its subnets in different zones."""
    ec2 = session.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.20.{i}.0/24", AvailabilityZone=zone)
        for i, zone in enumerate(("us-east-1a", "us-east-1b"))
    ]
    return vpc_id, [each["Subnet"]["SubnetId"] for each in subnets]


def grouped(
    session: boto3.Session, subnet_ids: list[str], least: int = 1, **more: Any
) -> list[str]:
    """Make an Auto Scaling group of two instances and return their ids."""
    ec2, autoscaling = session.client("ec2"), session.client("autoscaling")
    template = ec2.create_launch_template(
        LaunchTemplateName=GROUP,
        LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "m5.large"},
    )["LaunchTemplate"]["LaunchTemplateId"]
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
        MinSize=least,
        DesiredCapacity=2,
        MaxSize=4,
        VPCZoneIdentifier=",".join(subnet_ids),
        **more,
    )
    return sorted(each["InstanceId"] for each in members(session))


def members(session: boto3.Session) -> list[Any]:
    """Return the instances of the Auto Scaling group as it describes them."""
    answer = session.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[GROUP]
    )
    return list(answer["AutoScalingGroups"][0]["Instances"])


def state(session: boto3.Session, instance_id: str) -> str | None:
    """Return the state of an instance in the Auto Scaling group, None outside of it."""
    states = {each["InstanceId"]: each["LifecycleState"] for each in members(session)}
    return states.get(instance_id)


def desired(session: boto3.Session) -> int:
    """Return how many instances the Auto Scaling group is to have in service."""
    answer = session.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[GROUP]
    )
    return int(answer["AutoScalingGroups"][0]["DesiredCapacity"])


def target_group(session: boto3.Session, name: str, vpc_id: str, kind: str = "instance") -> str:
    """Make a target group for port 80 and return its ARN."""
    answer = session.client("elbv2").create_target_group(
        Name=name, Protocol="HTTP", Port=80, VpcId=vpc_id, TargetType=kind
    )
    return str(answer["TargetGroups"][0]["TargetGroupArn"])


def registered(session: boto3.Session, arn: str) -> set[tuple[str, int]]:
    """Return the targets of a target group and their ports."""
    answer = session.client("elbv2").describe_target_health(TargetGroupArn=arn)
    return {
        (each["Target"]["Id"], each["Target"]["Port"])
        for each in answer["TargetHealthDescriptions"]
        if each["TargetHealth"]["State"] != "draining"
    }


def alone(session: boto3.Session, subnet_id: str) -> tuple[str, str]:
    """Launch an instance and return its id and private address."""
    instance = session.client("ec2").run_instances(
        ImageId="ami-12c6146b",
        InstanceType="m5.large",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet_id,
    )["Instances"][0]
    return instance["InstanceId"], instance["PrivateIpAddress"]


def in_service(session: boto3.Session) -> dict[str, Any]:
    """Make a group with spare capacity, one of whose instances is in another target group too."""
    vpc_id, subnet_ids = network(session)
    instance_id, _ = grouped(session, subnet_ids)
    extra = target_group(session, "extra", vpc_id)
    session.client("elbv2").register_targets(
        TargetGroupArn=extra, Targets=[{"Id": instance_id, "Port": 8443}]
    )
    return {"instance_id": instance_id, "replace": False}


def detaching(session: boto3.Session) -> dict[str, Any]:
    """Make a group which the instance is to leave for good."""
    _, subnet_ids = network(session)
    return {
        "instance_id": grouped(session, subnet_ids)[0],
        "prefer": "detach",
        "replace": False,
    }


def on_standby_already(session: boto3.Session) -> dict[str, Any]:
    """Make a group one of whose instances somebody has put on standby."""
    _, subnet_ids = network(session)
    instance_id, _ = grouped(session, subnet_ids)
    session.client("autoscaling").enter_standby(
        InstanceIds=[instance_id], AutoScalingGroupName=GROUP, ShouldDecrementDesiredCapacity=True
    )
    return {"instance_id": instance_id, "prefer": "detach"}


def behind_load_balancers(session: boto3.Session) -> dict[str, Any]:
    """Make an instance of no group, behind load balancers by id, address, and the classic way."""
    vpc_id, subnet_ids = network(session)
    instance_id, address = alone(session, subnet_ids[0])
    other_id, other_address = alone(session, subnet_ids[0])
    elbv2, elb = session.client("elbv2"), session.client("elb")
    elbv2.register_targets(
        TargetGroupArn=target_group(session, "by-id", vpc_id),
        Targets=[{"Id": instance_id, "Port": 8080}, {"Id": other_id, "Port": 80}],
    )
    elbv2.register_targets(
        TargetGroupArn=target_group(session, "by-address", vpc_id, "ip"),
        Targets=[{"Id": address, "Port": 9090}, {"Id": other_address, "Port": 9090}],
    )
    elb.create_load_balancer(
        LoadBalancerName="classic",
        Listeners=[{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}],
        Subnets=subnet_ids,
    )
    elb.register_instances_with_load_balancer(
        LoadBalancerName="classic",
        Instances=[{"InstanceId": instance_id}, {"InstanceId": other_id}],
    )
    return {"instance_id": instance_id}


def by_itself(session: boto3.Session) -> dict[str, Any]:
    """Make an instance that is in no group and behind no load balancer."""
    _, subnet_ids = network(session)
    return {"instance_id": alone(session, subnet_ids[0])[0]}


# Without `replace`: a replacement is AWS's own doing, and undo does not take it back.
SCENES: dict[str, Callable[[boto3.Session], dict[str, Any]]] = {
    "in_service": in_service,
    "detaching": detaching,
    "on_standby_already": on_standby_already,
    "behind_load_balancers": behind_load_balancers,
    "by_itself": by_itself,
}


def test_standby_comes_before_load_balancers(account: boto3.Session) -> None:
    """A group may take an instance for unhealthy that its load balancer does not know."""
    params = in_service(account)

    run = applied("leave_auto_scaling_group", account, **params)

    assert "done" == run.status
    assert ["autoscaling:enter_standby", "elbv2:deregister_targets"] == run.calls
    assert "Standby" == state(account, params["instance_id"])
    assert {"instance_id": params["instance_id"], "member_of": GROUP, "state": "Standby"} == (
        run.facts
    )


def test_without_replacement_capacity_goes_down_and_up_again(account: boto3.Session) -> None:
    """The group is not to launch another, and gets its capacity back with the instance."""
    params = in_service(account)

    run = applied("leave_auto_scaling_group", account, **params)
    during = desired(account), len(members(account))
    run.undo()

    assert (1, 2) == during
    assert 2 == desired(account)
    assert "InService" == state(account, params["instance_id"])


def test_replacement_keeps_capacity(account: boto3.Session) -> None:
    """By default the group launches an instance in place of the one on standby."""
    params = in_service(account) | {"replace": True}

    run = applied("leave_auto_scaling_group", account, **params)

    states = sorted(each["LifecycleState"] for each in members(account))
    assert "done" == run.status
    assert 2 == desired(account)
    assert ["InService", "InService", "Standby"] == states


def test_at_its_minimum_a_group_replaces_all_the_same(account: boto3.Session) -> None:
    """AWS refuses standby that would go below the minimum; containment comes first."""
    _, subnet_ids = network(account)
    instance_id, _ = grouped(account, subnet_ids, least=2)

    run = applied("leave_auto_scaling_group", account, instance_id=instance_id, replace=False)

    assert "done" == run.status
    assert 2 == desired(account)
    assert "Standby" == state(account, instance_id)


def test_detached_instance_is_attached_again(account: boto3.Session) -> None:
    """`prefer: detach` leaves the group; undo brings the instance back into it."""
    params = detaching(account)

    run = applied("leave_auto_scaling_group", account, **params)
    during = state(account, params["instance_id"])
    run.undo()

    assert during is None
    assert run.facts["member_of"] is None
    assert "InService" == state(account, params["instance_id"])


def test_leaves_every_load_balancer_and_comes_back_to_the_same_port(
    account: boto3.Session,
) -> None:
    """Registrations by id, by address and classic ones go, the neighbours' stay."""
    params = behind_load_balancers(account)
    arns = [
        each["TargetGroupArn"]
        for each in account.client("elbv2").describe_target_groups()["TargetGroups"]
    ]
    before = [registered(account, arn) for arn in arns]

    run = applied("leave_auto_scaling_group", account, **params)
    during = [registered(account, arn) for arn in arns]
    classic = account.client("elb").describe_load_balancers()["LoadBalancerDescriptions"][0]
    run.undo()

    assert [1, 1] == [len(each) for each in during]
    assert 1 == len(classic["Instances"])
    assert before == [registered(account, arn) for arn in arns]


def test_alone_is_done_without_a_call(account: boto3.Session) -> None:
    """An instance in no group and behind no load balancer needs nothing, and that is no error."""
    run = applied("leave_auto_scaling_group", account, **by_itself(account))

    assert "done" == run.status
    assert [] == run.calls
    assert run.facts["member_of"] is None


def test_standby_of_somebody_else_is_kept(account: boto3.Session) -> None:
    """One already on standby is left there, and undo does not put it back in service."""
    params = on_standby_already(account)

    run = applied("leave_auto_scaling_group", account, **params)
    run.undo()

    assert [] == run.calls
    assert "Standby" == state(account, params["instance_id"])


def lifecycle(session: boto3.Session, instance_id: str, name: str) -> None:
    """Let the embedded Auto Scaling show an instance in a state that it never enters by itself."""
    from moto.autoscaling.models import autoscaling_backends

    member = session.client("sts").get_caller_identity()["Account"]
    group = autoscaling_backends[member]["us-east-1"].autoscaling_groups[GROUP]
    for each in group.instance_states:
        if each.instance.id == instance_id:
            each.lifecycle_state = name


@pytest.mark.parametrize("name", ["Warmed:Running", "Warmed:Stopped"])
def test_refuses_states_that_cannot_be_left(account: boto3.Session, name: str) -> None:
    """In a warm pool neither standby nor detaching is possible."""
    params = detaching(account)
    lifecycle(account, params["instance_id"], name)

    run = planned("leave_auto_scaling_group", account, **params)

    assert "refused" == run.status
    assert run.reason.startswith("cannot_leave")


def test_pending_instance_is_tried_again(account: boto3.Session) -> None:
    """What is still being launched can leave soon; until then the step is not given up."""
    params = detaching(account)
    lifecycle(account, params["instance_id"], "Pending:Wait")

    with pytest.raises(Transient, match="Pending"):
        planned("leave_auto_scaling_group", account, **params)


@pytest.mark.parametrize("name", ["EnteringStandby", "Standby"])
def test_standby_counts_while_connections_drain(account: boto3.Session, name: str) -> None:
    """Draining takes minutes; containment does not wait for it."""
    params = detaching(account)
    lifecycle(account, params["instance_id"], name)

    run = planned("leave_auto_scaling_group", account, **params)

    assert "Standby" == run.facts["state"]


def test_terminating_instance_is_not_held_up(account: boto3.Session) -> None:
    """What its group is terminating cannot leave it any more, and the facts say so."""
    params = detaching(account)
    lifecycle(account, params["instance_id"], "Terminating:Wait")

    run = applied("leave_auto_scaling_group", account, **params)

    assert "done" == run.status
    assert "Terminating" == run.facts["state"]
    assert [] == run.calls
