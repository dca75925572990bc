"""Derive ARNs from the parameters of a call, service by service."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from firebreak.cloud.arns import ANY, arn_of, arns_in, by_name, strings
from firebreak.cloud.calls import CallInfo

# EC2 names the type of a resource in its id.
_EC2_TYPES = {
    "acl": "network-acl",
    "ami": "image",
    "eni": "network-interface",
    "i": "instance",
    "lt": "launch-template",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}
_EC2_WITHOUT_ACCOUNT = ("image", "snapshot")
_EC2_ID = re.compile(r"([a-z]+)-[0-9a-f]{8,17}")
# What a call makes, beside what it names: permission is asked for it too, before it has an id.
_EC2_MAKES = {
    "CreateImage": ("image", "snapshot"),
    "CreateLaunchTemplate": ("launch-template",),
    "CreateNetworkAcl": ("network-acl",),
    "CreateNetworkInterface": ("network-interface",),
    "CreateSecurityGroup": ("security-group",),
    "CreateSnapshot": ("snapshot",),
    "CreateSnapshots": ("snapshot",),
    "RunInstances": ("instance", "network-interface", "volume"),
}

_IAM_PATHS = {
    "user": ("UserName", "users"),
    "role": ("RoleName", "roles"),
    "group": ("GroupName", "groups"),
    "instance-profile": ("InstanceProfileName", "instance_profiles"),
}


def _ec2(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    if "prefix-list" in types and "PrefixListId" in info.params:
        yield _prefix_list(info, str(info.params["PrefixListId"]))
    for text in strings(info.params):
        match = _EC2_ID.fullmatch(text)
        kind = _EC2_TYPES.get(match[1]) if match else None
        if kind in types:
            yield ec2_arn(info, str(kind), text)
    if info.operation == "CreateSnapshots":
        yield from (ec2_arn(info, "volume", volume) for volume in _volumes(info))
    for kind in _EC2_MAKES.get(info.operation, ()):
        if kind in types:
            yield ec2_arn(info, kind, ANY)


def _prefix_list(info: CallInfo, identifier: str) -> str:
    """Return the ARN of a prefix list, which says whose it is; AWS's own have `aws` there.

    https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html
    """
    from moto.ec2.models import ec2_backends

    found = ec2_backends[info.account][info.region].managed_prefix_lists.get(identifier)
    owner = str(found.owner_id).lower() if found else info.account
    return f"arn:aws:ec2:{info.region}:{owner}:prefix-list/{identifier}"


def ec2_arn(info: CallInfo, kind: str, identifier: str) -> str:
    """Return the ARN of an EC2 resource."""
    account = "" if kind in _EC2_WITHOUT_ACCOUNT else info.account
    return f"arn:aws:ec2:{info.region}:{account}:{kind}/{identifier}"


def _volumes(info: CallInfo) -> list[str]:
    from moto.ec2.models import ec2_backends

    instance = info.params.get("InstanceSpecification", {}).get("InstanceId")
    volumes = ec2_backends[info.account][info.region].volumes.values()
    return [v.id for v in volumes if v.attachment and v.attachment.instance.id == instance]


def _iam(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    from moto.iam.models import iam_backends

    backend = iam_backends[info.account]["aws"]
    if info.operation == "GetAccessKeyLastUsed":
        key = info.params.get("AccessKeyId")
        owners = list(backend.users.values())
        yield from (u.arn for u in owners if key in [each.access_key_id for each in u.access_keys])
    for kind in types:
        if kind == "policy" and info.operation.endswith(("Policy", "PolicyVersion")):
            yield from arns_in(info, "iam")
        parameter, collection = _IAM_PATHS.get(kind, ("", ""))
        name = info.params.get(parameter)
        if name is None:
            continue
        entities = getattr(backend, collection).values()
        known = [each.arn for each in entities if each.name == name]
        path = info.params.get("Path", "/")
        yield from known or [f"arn:aws:iam::{info.account}:{kind}{path}{name}"]


def _s3(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    bucket = info.params.get("Bucket")
    if bucket is None:
        return
    if "object" in types and "Key" in info.params:
        yield f"arn:aws:s3:::{bucket}/{info.params['Key']}"
    elif "object" in types and "Delete" in info.params:
        for each in info.params["Delete"].get("Objects", ()):
            yield f"arn:aws:s3:::{bucket}/{each['Key']}"
    elif "bucket" in types:
        yield f"arn:aws:s3:::{bucket}"


def _dynamodb(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    for table in _tables(info.params):
        arn = table if table.startswith("arn:") else arn_of(info, "dynamodb", f"table/{table}")
        index = info.params.get("IndexName")
        yield f"{arn}/index/{index}" if index else arn


def _tables(params: Mapping[str, Any]) -> Iterator[str]:
    if "TableName" in params:
        yield params["TableName"]
    yield from params.get("RequestItems", {})
    for item in params.get("TransactItems", ()):
        yield from (operation["TableName"] for operation in item.values())


def _autoscaling(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    from moto.autoscaling.models import autoscaling_backends

    groups = autoscaling_backends[info.account][info.region].autoscaling_groups
    named = [info.params.get("AutoScalingGroupName"), *info.params.get("AutoScalingGroupNames", ())]
    for name in filter(None, named):
        rest = f"autoScalingGroup:*:autoScalingGroupName/{name}"
        yield groups[name].arn if name in groups else arn_of(info, "autoscaling", rest)


def _queues(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    url = info.params.get("QueueUrl", "")
    name = url.rsplit("/", 1)[-1] or info.params.get("QueueName")
    if name:
        yield arn_of(info, "sqs", str(name))


def _rule_groups(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    yield from arns_in(info, "network-firewall")
    name = info.params.get("RuleGroupName")
    if name and "RuleGroupArn" not in info.params:
        kind = str(info.params.get("Type", "STATEFUL")).lower()
        yield arn_of(info, "network-firewall", f"{kind}-rulegroup/{name}")
    yield from by_name(info, types)


def _put_events(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    for entry in info.params.get("Entries", ()):
        bus = entry.get("EventBusName", "default")
        yield bus if bus.startswith("arn:") else arn_of(info, "events", f"event-bus/{bus}")
    yield from by_name(info, types)


def _states(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    if info.operation == "CreateStateMachine":
        yield arn_of(info, "states", f"stateMachine:{info.params.get('name')}")
    else:
        yield from arns_in(info, "states")


def _logs(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    """Yield the stream of a log group, without a name where a call is about the group.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    """
    group = info.params.get("logGroupName")
    if isinstance(group, str):
        stream = info.params.get("logStreamName", "")
        yield arn_of(info, "logs", f"log-group:{group}:log-stream:{stream}")
    yield from by_name(info, types)


def _topics(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    if info.operation == "CreateTopic":
        yield arn_of(info, "sns", str(info.params.get("Name")))
    else:
        yield from arns_in(info, "sns")


def _keys(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    """Yield the ARN of a KMS key, whether it is named by id, by ARN or by an alias of either."""
    from moto.kms.models import kms_backends

    name = str(info.params.get("KeyId", "")).rpartition(":")[2].removeprefix("key/")
    if name.startswith("alias/"):
        name = kms_backends[info.account][info.region].get_key_id_from_alias(name) or name
    if name:
        yield arn_of(info, "kms", f"key/{name}")


def _organizations(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    """Yield accounts and units, whose ARNs begin with the management account.

    https://docs.aws.amazon.com/organizations/latest/userguide/orgs_permissions_overview.html
    """
    for parameter in ("ChildId", "ParentId", "AccountId"):
        name = info.params.get(parameter)
        if name and not str(name).startswith("r-"):
            kind = "ou" if str(name).startswith("ou-") else "account"
            yield f"arn:aws:organizations::{info.account}:{kind}/o-embedded/{name}"


def _config_rules(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    """Yield the ARN of a rule that is named; it has the rule's id, which AWS chose."""
    from moto.config.models import config_backends

    name = info.params.get("ConfigRuleName")
    if name:
        rule = config_backends[info.account][info.region].config_rules.get(name)
        yield rule.config_rule_arn if rule else arn_of(info, "config", f"config-rule/{name}")


def _quotas(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    if "QuotaCode" in info.params:
        rest = f"{info.params['ServiceCode']}/{info.params['QuotaCode']}"
        yield arn_of(info, "servicequotas", rest)


def _assumed_role(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    yield from arns_in(info, "iam")


DERIVERS: dict[str, Callable[[CallInfo, tuple[str, ...]], Iterator[str]]] = {
    "autoscaling": _autoscaling,
    "config": _config_rules,
    "dynamodb": _dynamodb,
    "ec2": _ec2,
    "events": _put_events,
    "iam": _iam,
    "kms": _keys,
    "logs": _logs,
    "network-firewall": _rule_groups,
    "organizations": _organizations,
    "s3": _s3,
    "service-quotas": _quotas,
    "sns": _topics,
    "sqs": _queues,
    "stepfunctions": _states,
    "sts": _assumed_role,
}
