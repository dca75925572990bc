"""Auto Scaling: instances that leave a group for a while, or for good.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-enter-exit-standby.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.autoscaling.models import AutoScalingBackend, autoscaling_backends

from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.patching import Patch
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()

_IN_SERVICE, _STANDBY = "InService", "Standby"
_LEAVING = {"EnterStandby": (_IN_SERVICE,), "DetachInstances": (_IN_SERVICE, _STANDBY)}
_GROUP_CALLS = (
    "AttachInstances",
    "DetachInstances",
    "EnterStandby",
    "ExitStandby",
    "ResumeProcesses",
    "SetDesiredCapacity",
    "SuspendProcesses",
    "UpdateAutoScalingGroup",
)


@CORRECTIONS.replaces
def patches() -> list[Patch]:
    """Register an instance with a group's load balancers when it comes into service, once."""
    update = AutoScalingBackend.update_attached_elbs
    return [
        Patch(AutoScalingBackend, "update_attached_elbs", _of_active_instances(update)),
        Patch(AutoScalingBackend, "update_attached_target_groups", _register),
        Patch(AutoScalingBackend, "attach_instances", _attach),
    ]


def _of_active_instances(update: Callable[..., None]) -> Callable[..., None]:
    def updated(backend: Any, group_name: str) -> None:
        group = backend.autoscaling_groups[group_name]
        every = group.instance_states
        group.instance_states = group.active_instances()
        try:
            update(backend, group_name)
        finally:
            group.instance_states = every

    return updated


def _register(backend: Any, group_name: str) -> None:
    """Register those that are new in service: what somebody deregistered stays deregistered."""
    group = backend.autoscaling_groups[group_name]
    for state in group.active_instances():
        known = vars(state).setdefault("registered_with", set())
        for arn in set(group.target_group_arns or ()) - known:
            known.add(arn)
            port = backend.elbv2_backend.target_groups[arn].port
            backend.elbv2_backend.register_targets(arn, [{"Id": state.instance.id, "Port": port}])


def _attach(backend: Any, group_name: str, instance_ids: list[str]) -> None:
    """Attach instances: the desired capacity grows by their number."""
    from moto.autoscaling.models import ASG_NAME_TAG, InstanceState

    group = backend.autoscaling_groups[group_name]
    for identifier in instance_ids:
        instance = backend.ec2_backend.get_instance(identifier)
        protected = group.new_instances_protected_from_scale_in
        backend.ec2_backend.create_tags([identifier], {ASG_NAME_TAG: group.name})
        group.instance_states.append(
            InstanceState(instance, protected_from_scale_in=protected, autoscaling_group=group)
        )
    group.desired_capacity += len(instance_ids)
    _update_load_balancers(backend, group)


def _backend(info: CallInfo) -> Any:
    return autoscaling_backends[info.account][info.region]


def _group(info: CallInfo) -> Any:
    return _backend(info).autoscaling_groups.get(info.params.get("AutoScalingGroupName"))


def _refuse(message: str) -> Refusal:
    return Refusal("ValidationError", message)


@CORRECTIONS.refuses(*_GROUP_CALLS)
def group_exists(info: CallInfo, principal: Principal) -> None:
    """Refuse a group that does not exist."""
    if _group(info) is None:
        raise _refuse(f"AutoScalingGroup name not found - {info.params['AutoScalingGroupName']}")


@CORRECTIONS.refuses("EnterStandby", "DetachInstances")
def instances_can_leave(info: CallInfo, principal: Principal) -> None:
    """Refuse instances that are not there to leave, and to fall below the group's least size.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_EnterStandby.html
    """
    group, identifiers = _group(info), info.params.get("InstanceIds", [])
    _check_states(group, identifiers, _LEAVING[info.operation])
    if info.params.get("ShouldDecrementDesiredCapacity"):
        states = {each.instance.id: each.lifecycle_state for each in group.instance_states}
        counted = [each for each in identifiers if states[each] == _IN_SERVICE]
        if group.desired_capacity - len(counted) < group.min_size:
            raise _refuse(f"{_sizes(group)} To do this please update the AutoScalingGroup sizes.")


@CORRECTIONS.refuses("ExitStandby")
def instances_can_return(info: CallInfo, principal: Principal) -> None:
    """Refuse instances that are not in standby, and to grow beyond the group's greatest size."""
    group, identifiers = _group(info), info.params.get("InstanceIds", [])
    _check_states(group, identifiers, (_STANDBY,))
    _check_greatest_size(group, identifiers)


@CORRECTIONS.refuses("AttachInstances")
def instances_can_join(info: CallInfo, principal: Principal) -> None:
    """Refuse instances that do not run or belong to a group, and too many of them."""
    group, identifiers = _group(info), info.params.get("InstanceIds", [])
    running = {each.id for each in _backend(info).ec2_backend.all_running_instances()}
    taken = {
        each.instance.id
        for other in _backend(info).autoscaling_groups.values()
        for each in other.instance_states
    }
    for identifier in identifiers:
        if identifier not in running:
            raise _refuse(f"Invalid Instance ID: {identifier}. Instance is not in running state.")
        if identifier in taken:
            raise _refuse(f"The instance {identifier} is already part of an AutoScalingGroup.")
    _check_greatest_size(group, identifiers)


def _check_states(group: Any, identifiers: list[str], expected: tuple[str, ...]) -> None:
    states = {each.instance.id: each.lifecycle_state for each in group.instance_states}
    for identifier in identifiers:
        if identifier not in states:
            raise _refuse(
                f"The instance {identifier} is not part of Auto Scaling group {group.name}."
            )
        if states[identifier] not in expected:
            raise _refuse(f"The instance {identifier} is not in {' or '.join(expected)}.")


def _check_greatest_size(group: Any, identifiers: list[str]) -> None:
    if group.desired_capacity + len(identifiers) > group.max_size:
        raise _refuse(f"{_sizes(group)} To do this please update the AutoScalingGroup sizes.")


def _sizes(group: Any) -> str:
    return (
        f"AutoScalingGroup {group.name} has min-size={group.min_size}, max-size={group.max_size}, "
        f"and desired-size={group.desired_capacity}."
    )


@CORRECTIONS.follows("EnterStandby", "DetachInstances")
def leave_load_balancers(info: CallInfo, response: Any) -> None:
    """Deregister what left from the group's load balancers, as Auto Scaling does."""
    backend, group = _backend(info), _group(info)
    left = info.params.get("InstanceIds", [])
    for arn in group.target_group_arns or ():
        backend.elbv2_backend.target_groups[arn].deregister([{"Id": each} for each in left])
    for state in group.instance_states:
        if state.instance.id in left:
            vars(state)["registered_with"] = set()
    _update_load_balancers(backend, group)


@CORRECTIONS.follows("ExitStandby")
def return_to_load_balancers(info: CallInfo, response: Any) -> None:
    """Register what came back with the group's load balancers, as Auto Scaling does."""
    _update_load_balancers(_backend(info), _group(info))


def _update_load_balancers(backend: Any, group: Any) -> None:
    backend.update_attached_elbs(group.name)
    backend.update_attached_target_groups(group.name)
