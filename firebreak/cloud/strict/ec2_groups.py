"""EC2: security groups, and the interfaces that have them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance

from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.patching import Patch
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()

MAX_RULES = 60  # each way; https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
_TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")


@CORRECTIONS.replaces
def patches() -> list[Patch]:
    """Give an interface the groups it was given, and an instance those of its first interface.

    moto shows an attached interface with its instance's groups added, so a group can never be
    taken away. https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
    """
    return [
        Patch(NetworkInterface, "group_set", property(lambda interface: interface._group_set)),
        Patch(Instance, "security_groups", property(_instance_groups, _set_instance_groups)),
    ]


def _instance_groups(instance: Any) -> Any:
    first = vars(instance).get("nics", {}).get(0)
    return vars(instance)["security_groups"] if first is None else first._group_set


def _set_instance_groups(instance: Any, groups: list[Any]) -> None:
    vars(instance)["security_groups"] = groups
    first = vars(instance).get("nics", {}).get(0)
    if first is not None:
        first._group_set = list(groups)


def _backend(info: CallInfo) -> Any:
    return ec2_backends[info.account][info.region]


def _check_groups(info: CallInfo, identifiers: list[str], vpc_id: str, code: str) -> None:
    for identifier in identifiers:
        group = _backend(info).get_security_group_from_id(identifier)
        if group is None:
            message = f"The security group '{identifier}' does not exist"
            raise Refusal("InvalidGroup.NotFound", message)
        if group.vpc_id != vpc_id:
            message = "You have specified two resources that belong to different networks."
            raise Refusal(code, message)


@CORRECTIONS.refuses("ModifyNetworkInterfaceAttribute")
def groups_of_interface(info: CallInfo, principal: Principal) -> None:
    """Refuse groups that do not exist, belong to another VPC, or none at all.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyNetworkInterfaceAttribute.html
    """
    if "Groups" not in info.params:
        return
    if not info.params["Groups"]:
        raise Refusal("InvalidParameterCombination", "No attributes specified.")
    interface = _backend(info).enis.get(info.params.get("NetworkInterfaceId"))
    if interface is not None:
        groups = info.params["Groups"]
        _check_groups(info, groups, interface.subnet.vpc_id, "InvalidGroup.NotFound")


@CORRECTIONS.refuses("RunInstances", "CreateNetworkInterface")
def groups_at_creation(info: CallInfo, principal: Principal) -> None:
    """Refuse groups that do not exist, or that belong to another VPC than the subnet.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html (InvalidParameter)
    """
    subnet = _subnet(info, info.params.get("SubnetId"))
    if subnet is not None:
        groups = info.params.get("SecurityGroupIds") or info.params.get("Groups") or []
        _check_groups(info, groups, subnet.vpc_id, "InvalidParameter")


def _subnet(info: CallInfo, identifier: str | None) -> Any:
    zones = _backend(info).subnets.values()
    return next((zone[identifier] for zone in zones if identifier in zone), None)


@CORRECTIONS.refuses("ModifyInstanceAttribute")
def groups_of_instance(info: CallInfo, principal: Principal) -> None:
    """Refuse to change the groups of an instance that has several interfaces.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html
    """
    if "Groups" not in info.params:
        return
    identifier = info.params["InstanceId"]
    interfaces = [each for each in _backend(info).enis.values() if _is_of(each, identifier)]
    if len(interfaces) > 1:
        message = f"There are multiple interfaces attached to instance '{identifier}'. "
        raise Refusal("InvalidInstanceID", message + "Please specify an interface ID instead.")
    for interface in interfaces:
        groups = info.params["Groups"]
        _check_groups(info, groups, interface.subnet.vpc_id, "InvalidGroup.NotFound")


def _is_of(interface: Any, instance_id: str) -> bool:
    return interface.instance is not None and interface.instance.id == instance_id


@CORRECTIONS.refuses("DeleteSecurityGroup")
def group_in_use(info: CallInfo, principal: Principal) -> None:
    """Refuse to delete a group that an interface has or another group's rule names.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
    """
    backend = _backend(info)
    group = backend.get_security_group_from_id(info.params.get("GroupId"))
    if group is None:
        return
    if group.name == "default":
        message = f'the specified group: "{group.id}" name: "default" cannot be deleted by a user'
        raise Refusal("CannotDelete", message)
    interfaces = (each for each in backend.enis.values() if not _is_gone(each))
    worn = any(group.id in _identifiers(each._group_set) for each in interfaces)
    others = [each for vpc in backend.groups.values() for each in vpc.values() if each is not group]
    if worn or any(group.id in _named_groups(each) for each in others):
        raise Refusal("DependencyViolation", f"resource {group.id} has a dependent object")


def _is_gone(interface: Any) -> bool:
    return interface.instance is not None and interface.instance.state == "terminated"


def _identifiers(groups: Any) -> set[str]:
    return {each.id for each in groups}


def _named_groups(group: Any) -> set[str]:
    rules = [*group.ingress_rules, *group.egress_rules]
    return {str(rule.source_group.get("GroupId")) for rule in rules}


@CORRECTIONS.refuses("CreateSecurityGroup")
def texts_of_group(info: CallInfo, principal: Principal) -> None:
    """Refuse names and descriptions with other characters than AWS's, and names like ids.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
    """
    name = str(info.params.get("GroupName", ""))
    if name.startswith("sg-"):
        raise Refusal("InvalidParameterValue", "group names cannot begin with sg-")
    for parameter in ("GroupName", "Description"):
        text = str(info.params.get(parameter, ""))
        if not text or not _TEXT.fullmatch(text):
            message = f"Value ({text}) for parameter {parameter} is invalid."
            raise Refusal("InvalidParameterValue", message)


@CORRECTIONS.refuses("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def rules_of_group(info: CallInfo, principal: Principal) -> None:
    """Refuse rule descriptions with other characters than AWS's, and more rules than the quota.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html
    """
    ranges = list(_ranges(info.params.get("IpPermissions", ())))
    for each in ranges:
        if not _TEXT.fullmatch(str(each.get("Description", ""))):
            raise Refusal("InvalidParameterValue", "Invalid rule description.")
    group = _backend(info).get_security_group_from_id(info.params.get("GroupId"))
    if group is None:
        return
    way = "ingress_rules" if info.operation.endswith("Ingress") else "egress_rules"
    if len(getattr(group, way)) + len(ranges) > MAX_RULES:
        message = "The maximum number of rules per security group has been reached."
        raise Refusal("RulesPerSecurityGroupLimitExceeded", message)


def _ranges(permissions: Any) -> Iterator[Mapping[str, Any]]:
    for permission in permissions:
        for name in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"):
            yield from permission.get(name, ())
