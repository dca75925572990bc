"""Derive ARNs from the parameters of a call, service by service."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from firebreak.cloud.calls import CallInfo

ANY = "*"

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

# Parameters that name a resource, and the rest of its ARN.
_NAMED: dict[str, dict[str, str]] = {
    "events": {"Name": "rule/{}", "Rule": "rule/{}"},
    "logs": {"logGroupName": "log-group:{}"},
    "rds": {"DBInstanceIdentifier": "db:{}", "DBClusterIdentifier": "cluster:{}"},
    "secretsmanager": {"SecretId": "secret:{}"},
    "guardduty": {"DetectorId": "detector/{}"},
    "kms": {"KeyId": "key/{}"},
    "ssm": {"Name": "parameter/{}", "DocumentName": "document/{}"},
    "lambda": {"FunctionName": "function:{}"},
    "network-firewall": {
        "FirewallName": "firewall/{}",
        "FirewallPolicyName": "firewall-policy/{}",
    },
}
_IAM_PATHS = {
    "user": ("UserName", "users"),
    "role": ("RoleName", "roles"),
    "group": ("GroupName", "groups"),
    "instance-profile": ("InstanceProfileName", "instance_profiles"),
}


def strings(value: Any) -> Iterator[str]:
    """Yield every text in a request's parameters."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from strings(each)


def _ec2(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
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
    for kind in types:
        if kind == "policy" and info.operation.endswith(("Policy", "PolicyVersion")):
            yield from _arns(info, "iam")
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
        arn = table if table.startswith("arn:") else _arn(info, "dynamodb", f"table/{table}")
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
        yield groups[name].arn if name in groups else _arn(info, "autoscaling", rest)


def _queues(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    url = info.params.get("QueueUrl", "")
    name = url.rsplit("/", 1)[-1] or info.params.get("QueueName")
    if name:
        yield _arn(info, "sqs", str(name))


def _rule_groups(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    yield from _arns(info, "network-firewall")
    name = info.params.get("RuleGroupName")
    if name and "RuleGroupArn" not in info.params:
        kind = str(info.params.get("Type", "STATEFUL")).lower()
        yield _arn(info, "network-firewall", f"{kind}-rulegroup/{name}")
    yield from by_name(info, types)


def _put_events(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    for entry in info.params.get("Entries", ()):
        bus = entry.get("EventBusName", "default")
        yield bus if bus.startswith("arn:") else _arn(info, "events", f"event-bus/{bus}")
    yield from by_name(info, types)


def _states(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    if info.operation == "CreateStateMachine":
        yield _arn(info, "states", f"stateMachine:{info.params.get('name')}")
    else:
        yield from _arns(info, "states")


def _topics(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    if info.operation == "CreateTopic":
        yield _arn(info, "sns", str(info.params.get("Name")))
    else:
        yield from _arns(info, "sns")


def by_name(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    """Take ARNs of the service from the parameters, and names where a table says how."""
    prefix = {"elbv2": "elasticloadbalancing", "s3control": "s3", "stepfunctions": "states"}.get(
        info.service, info.service
    )
    yield from _arns(info, prefix)
    for parameter, rest in _NAMED.get(info.service, {}).items():
        name = info.params.get(parameter)
        if isinstance(name, str) and not name.startswith("arn:"):
            yield _arn(info, prefix, rest.format(name))


def _arns(info: CallInfo, prefix: str) -> Iterator[str]:
    yield from (text for text in strings(info.params) if text.startswith(f"arn:aws:{prefix}:"))


def _arn(info: CallInfo, prefix: str, rest: str) -> str:
    return f"arn:aws:{prefix}:{info.region}:{info.account}:{rest}"


def _assumed_role(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    yield from _arns(info, "iam")


DERIVERS: dict[str, Callable[[CallInfo, tuple[str, ...]], Iterator[str]]] = {
    "autoscaling": _autoscaling,
    "dynamodb": _dynamodb,
    "ec2": _ec2,
    "events": _put_events,
    "iam": _iam,
    "network-firewall": _rule_groups,
    "s3": _s3,
    "sns": _topics,
    "sqs": _queues,
    "stepfunctions": _states,
    "sts": _assumed_role,
}
