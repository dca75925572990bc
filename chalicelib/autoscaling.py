"""What several actions read of EC2 Auto Scaling: whether a group still rules over an instance."""

from __future__ import annotations

from typing import Any

from chalicelib.effect import JSON, Reader, probe

SETTLES = 60  # back in service from standby takes that long

# Standby lasts from EnteringStandby on: the instance is out of service and of health checks, and
# waits for its load balancers to drain, 300 s by default. Likewise one that is Detaching has left.
STATES = {"EnteringStandby": "Standby", "Detaching": None, "Detached": None}


@probe("autoscaling:membership:{instance_id}", settles=SETTLES)
def membership(aws: Reader, *, instance_id: str) -> JSON:
    """Return the Auto Scaling group of an instance and its state in it; None outside of any group.

    States: Pending, InService, Standby, Terminating, Warmed and their like, without the part after
    the colon (user guide, Amazon EC2 Auto Scaling instance lifecycle).
    """
    found = aws.pages(
        "autoscaling",
        "describe_auto_scaling_instances",
        "AutoScalingInstances",
        InstanceIds=[instance_id],
    )
    for each in found:
        lifecycle = each["LifecycleState"].partition(":")[0]
        state = STATES.get(lifecycle, lifecycle)
        return {"group": each["AutoScalingGroupName"], "state": state} if state else None
    return None


def sizes(aws: Reader, group: str) -> tuple[int, int]:
    """Return the minimum size and the desired capacity of an Auto Scaling group."""
    found: list[dict[str, Any]] = aws.pages(
        "autoscaling",
        "describe_auto_scaling_groups",
        "AutoScalingGroups",
        AutoScalingGroupNames=[group],
    )
    return found[0]["MinSize"], found[0]["DesiredCapacity"]
