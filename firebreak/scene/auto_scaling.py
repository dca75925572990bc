"""An Auto Scaling group around an instance, and a target group that sends it requests."""

from __future__ import annotations

from firebreak.scene.making import Making


def join(making: Making, instance_id: str) -> None:
    """Put an instance in service in an Auto Scaling group of one to three."""
    name = f"scene-{instance_id}"[:32]
    shown = making.ec2.get_instance(instance_id)
    arn = making.client("elbv2").create_target_group(
        Name=name, Protocol="HTTP", Port=80, VpcId=shown.vpc_id, TargetType="instance"
    )["TargetGroups"][0]["TargetGroupArn"]
    template = making.client("ec2").create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData={"ImageId": shown.image_id, "InstanceType": shown.instance_type},
    )["LaunchTemplate"]["LaunchTemplateId"]
    group = making.client("autoscaling")
    group.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
        MinSize=0,
        MaxSize=3,
        DesiredCapacity=0,
        VPCZoneIdentifier=shown.subnet_id,
        TargetGroupARNs=[arn],
    )
    group.attach_instances(AutoScalingGroupName=name, InstanceIds=[instance_id])
    group.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=1)
    making.made.append(f"Auto Scaling group and target group {name} with {instance_id}")
