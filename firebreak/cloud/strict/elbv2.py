"""Elastic Load Balancing: which targets can be registered."""

from __future__ import annotations

from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()


@CORRECTIONS.refuses("RegisterTargets")
def targets_exist(info: CallInfo, principal: Principal) -> None:
    """Refuse instances that do not exist.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
    """
    group = elbv2_backends[info.account][info.region].target_groups.get(
        str(info.params.get("TargetGroupArn"))
    )
    if group is None or group.target_type != "instance":
        return
    instances = {each.id for each in ec2_backends[info.account][info.region].all_instances()}
    missing = [each["Id"] for each in info.params.get("Targets", ()) if each["Id"] not in instances]
    if missing:
        message = f"The following targets do not exist: '{missing[0]}'"
        raise Refusal("InvalidTarget", message)
