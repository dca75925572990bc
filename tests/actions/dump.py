"""A canonical dump of an account: everything that actions change, without ids that AWS issues anew.

Left out are Firebreak's fixtures (tagged `firebreak:fixture`), evidence and messages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

ALIVE = ("pending", "running", "stopping", "stopped")
Dumped = dict[str, Any]


def dump(session: boto3.Session) -> Dumped:
    """Return the state of everything that actions change."""
    return {name: part(session) for name, part in PARTS.items()}


def masked(dumped: Dumped) -> Dumped:
    """Return a dump without the moments at which sessions were cut off: each run has its own."""
    text = json.dumps(dumped, sort_keys=True, default=str)
    masked_text = re.sub(r'("aws:TokenIssueTime": )"[^"]*"', r'\1"<now>"', text)
    result: Dumped = json.loads(masked_text)
    return result


def _tags(item: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in item.get("Tags") or item.get("TagSet") or []}


def _fixture(item: dict[str, Any]) -> bool:
    return "firebreak:fixture" in _tags(item)


def _instances(session: boto3.Session) -> Dumped:
    client = session.client("ec2")
    reservations = client.describe_instances()["Reservations"]
    found = [each for reservation in reservations for each in reservation["Instances"]]
    return {each["InstanceId"]: _instance(client, each) for each in found}


def _instance(client: Any, instance: dict[str, Any]) -> Dumped:
    if instance["State"]["Name"] not in ALIVE:
        return {"state": instance["State"]["Name"]}

    def attribute(name: str, key: str) -> Any:
        answer = client.describe_instance_attribute(
            InstanceId=instance["InstanceId"], Attribute=name
        )
        return answer[key].get("Value")

    return {
        "state": instance["State"]["Name"],
        "protected": attribute("disableApiTermination", "DisableApiTermination"),
        "shutdown": attribute(
            "instanceInitiatedShutdownBehavior", "InstanceInitiatedShutdownBehavior"
        ),
        "volumes": {
            each["DeviceName"]: each["Ebs"]["DeleteOnTermination"]
            for each in instance["BlockDeviceMappings"]
        },
        "tags": _tags(instance),
    }


def _interfaces(session: boto3.Session) -> Dumped:
    found = session.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
    return {
        each["NetworkInterfaceId"]: sorted(group["GroupId"] for group in each["Groups"])
        for each in found
    }


def _groups(session: boto3.Session) -> Dumped:
    client = session.client("ec2")
    groups = client.describe_security_groups()["SecurityGroups"]
    kept = {each["GroupId"]: _tags(each) for each in groups if not _fixture(each)}
    rules = client.describe_security_group_rules()["SecurityGroupRules"]
    return {group: {"tags": tags, "rules": _rules(rules, group)} for group, tags in kept.items()}


def _rules(rules: list[dict[str, Any]], group: str) -> list[str]:
    ignored = {"SecurityGroupRuleId", "SecurityGroupRuleArn", "Tags"}
    return sorted(
        repr(sorted((k, v) for k, v in (rule | {"tags": _tags(rule)}).items() if k not in ignored))
        for rule in rules
        if rule["GroupId"] == group
    )


def _network_acls(session: boto3.Session) -> Dumped:
    found = session.client("ec2").describe_network_acls()["NetworkAcls"]
    return {each["NetworkAclId"]: sorted(map(_entry, each["Entries"])) for each in found}


def _entry(entry: dict[str, Any]) -> str:
    return repr(sorted(entry.items()))


def _volumes(session: boto3.Session) -> Dumped:
    found = session.client("ec2").describe_volumes()["Volumes"]
    return {each["VolumeId"]: {"state": each["State"], "tags": _tags(each)} for each in found}


def _scaling(session: boto3.Session) -> Dumped:
    groups = session.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return {
        each["AutoScalingGroupName"]: {
            "desired": each["DesiredCapacity"],
            "instances": {i["InstanceId"]: i["LifecycleState"] for i in each["Instances"]},
        }
        for each in groups
    }


def _targets(session: boto3.Session) -> Dumped:
    client = session.client("elbv2")
    groups = client.describe_target_groups()["TargetGroups"]
    return {each["TargetGroupName"]: _registered(client, each["TargetGroupArn"]) for each in groups}


def _registered(client: Any, arn: str) -> list[str]:
    health = client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return sorted(
        f"{each['Target']['Id']}:{each['Target'].get('Port')}"
        for each in health
        if each["TargetHealth"]["State"] not in ("draining", "unused")
    )


def _balancers(session: boto3.Session) -> Dumped:
    found = session.client("elb").describe_load_balancers()["LoadBalancerDescriptions"]
    return {
        each["LoadBalancerName"]: sorted(i["InstanceId"] for i in each["Instances"])
        for each in found
    }


def _users(session: boto3.Session) -> Dumped:
    client = session.client("iam")
    return {
        user["UserName"]: {
            "keys": {
                key["AccessKeyId"]: key["Status"]
                for key in client.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"]
            },
            "tags": _tags(client.get_user(UserName=user["UserName"])["User"]),
            "policies": client.list_user_policies(UserName=user["UserName"])["PolicyNames"],
        }
        for user in client.list_users()["Users"]
    }


def _roles(session: boto3.Session) -> Dumped:
    client = session.client("iam")
    return {
        role["RoleName"]: _role(client, role["RoleName"]) for role in client.list_roles()["Roles"]
    }


def _role(client: Any, name: str) -> Dumped:
    names = client.list_role_policies(RoleName=name)["PolicyNames"]
    return {
        "tags": _tags(client.get_role(RoleName=name)["Role"]),
        "policies": {
            each: client.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
            for each in names
        },
    }


def _buckets(session: boto3.Session) -> Dumped:
    client = session.client("s3")
    return {
        each["Name"]: {
            "public_access": _or_none(
                lambda name=each["Name"]: client.get_public_access_block(Bucket=name)[
                    "PublicAccessBlockConfiguration"
                ]
            ),
            "tags": _or_none(
                lambda name=each["Name"]: _tags(client.get_bucket_tagging(Bucket=name))
            ),
        }
        for each in client.list_buckets()["Buckets"]
    }


def _or_none(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ClientError:
        return None


def _firewalls(session: boto3.Session) -> Dumped:
    client = session.client("network-firewall")
    policies = client.list_firewall_policies()["FirewallPolicies"]
    return {
        each["Name"]: client.describe_firewall_policy(FirewallPolicyArn=each["Arn"])[
            "FirewallPolicy"
        ]
        for each in policies
    } | {"groups": _rule_groups(client)}


def _rule_groups(client: Any) -> Dumped:
    found = client.list_rule_groups()["RuleGroups"]
    described = {
        each["Name"]: client.describe_rule_group(RuleGroupArn=each["Arn"]) for each in found
    }
    return {
        name: answer["RuleGroup"]
        for name, answer in described.items()
        if not _fixture(answer["RuleGroupResponse"])
    }


def _functions(session: boto3.Session) -> Dumped:
    client = session.client("lambda")
    return {
        each["FunctionName"]: client.list_tags(Resource=each["FunctionArn"])["Tags"]
        for each in client.list_functions()["Functions"]
    }


def _databases(session: boto3.Session) -> Dumped:
    found = session.client("rds").describe_db_instances()["DBInstances"]
    return {
        each["DBInstanceIdentifier"]: {t["Key"]: t["Value"] for t in each.get("TagList", [])}
        for each in found
    }


PARTS: dict[str, Callable[[boto3.Session], Dumped]] = {
    "instances": _instances,
    "interfaces": _interfaces,
    "groups": _groups,
    "network_acls": _network_acls,
    "volumes": _volumes,
    "scaling": _scaling,
    "targets": _targets,
    "balancers": _balancers,
    "users": _users,
    "roles": _roles,
    "buckets": _buckets,
    "firewalls": _firewalls,
    "functions": _functions,
    "databases": _databases,
}
