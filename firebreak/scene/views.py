"""What a person wants to see of an event's resources before and after: one row per thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.finding import Finding, Resource
from chalicelib.network_firewall import GUARD, lines
from firebreak.cloud import Cloud
from firebreak.scene.making import Making

Row = dict[str, str]
OWN = "firebreak-"  # begins the names of Firebreak's own rule groups
NONE = "none"
CONTENT = re.compile(r'content:"([^"]*)"')


View = Callable[[Making, Resource], Iterator[Row]]


def describe(cloud: Cloud, finding: Finding) -> list[Row]:
    """Return what there is to see now of the finding's resources: `what` it is, and its `state`.

    A rule that is gone has no row. What the embedded AWS refuses to show has the error's code as
    its state.
    """
    sight = Making(cloud, finding)
    rows: list[Row] = []
    for resource in sight.resources:
        for view in VIEWS.get(resource.kind, ()):
            rows += _seen(sight, resource, view)
    return list({row["what"]: row for row in rows}.values())


def _seen(sight: Making, resource: Resource, view: View) -> list[Row]:
    try:
        return list(view(sight, resource))
    except ClientError as error:
        return [_row(f"{resource.kind} {resource.id}", error.response["Error"]["Code"])]
    except NotImplementedError as error:
        return [_row(f"{resource.kind} {resource.id}", str(error))]


def _row(what: str, state: Iterable[str] | str) -> Row:
    text = state if isinstance(state, str) else ", ".join(state)
    return {"what": what, "state": text or NONE}


# --- instances ------------------------------------------------------------------------------------


def _interfaces(sight: Making, resource: Resource) -> Iterator[Row]:
    shown = _interfaces_of(sight, resource)
    for each in sorted(shown, key=lambda one: str(one["NetworkInterfaceId"])):
        what = f"{each['NetworkInterfaceId']} {each['PrivateIpAddress']} ({each['SubnetId']})"
        yield _row(what, sorted(group["GroupName"] for group in each["Groups"]))


def _interfaces_of(sight: Making, resource: Resource) -> list[Any]:
    wanted = [{"Name": "attachment.instance-id", "Values": [resource.id]}]
    return list(
        sight.client("ec2").describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    )


def _denials(sight: Making, resource: Resource) -> Iterator[Row]:
    subnets = sorted({each["SubnetId"] for each in _interfaces_of(sight, resource)})
    if not subnets:
        return
    wanted = [{"Name": "association.subnet-id", "Values": subnets}]
    for acl in sight.client("ec2").describe_network_acls(Filters=wanted)["NetworkAcls"]:
        yield _row(f"network ACL {acl['NetworkAclId']}", sorted(_denied(acl["Entries"])))


def _denied(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what entries deny, but not the last ones, which deny what no other allows."""
    for each in entries:
        block = each.get("CidrBlock") or each.get("Ipv6CidrBlock")
        if each["RuleAction"] == "deny" and not str(block).endswith("/0"):
            yield f"denies {block} {'out' if each['Egress'] else 'in'}"


def _membership(sight: Making, resource: Resource) -> Iterator[Row]:
    found = sight.client("autoscaling").describe_auto_scaling_instances(InstanceIds=[resource.id])
    for each in found["AutoScalingInstances"]:
        state = f"{each['LifecycleState']} in {each['AutoScalingGroupName']}"
        yield _row(f"Auto Scaling group of {resource.id}", state)


def _profile(sight: Making, resource: Resource) -> Iterator[Row]:
    """Yield the inline policies of the role in the instance's profile."""
    arn = resource.attributes.get("profile_arn")
    if arn is None:
        return
    profile = sight.client("iam").get_instance_profile(InstanceProfileName=arn.rpartition("/")[2])
    for role in profile["InstanceProfile"]["Roles"]:
        yield _policies(sight, role["RoleName"])


# --- identities -----------------------------------------------------------------------------------


def _key(sight: Making, resource: Resource) -> Iterator[Row]:
    user = resource.attributes.get("user_name")
    if user is None or resource.attributes.get("user_type") != "IAMUser":
        return
    shown = sight.client("iam").list_access_keys(UserName=user)["AccessKeyMetadata"]
    states = {each["AccessKeyId"]: each["Status"] for each in shown}
    yield _row(f"access key {resource.id} of {user}", states.get(resource.id, "not there"))


def _role(sight: Making, resource: Resource) -> Iterator[Row]:
    name = resource.attributes.get("role_name")
    if name is not None:
        yield _policies(sight, name)


def _policies(sight: Making, role_name: str) -> Row:
    names = sight.client("iam").list_role_policies(RoleName=role_name)["PolicyNames"]
    return _row(f"inline policies of role {role_name}", sorted(names))


# --- buckets, security groups, firewalls ----------------------------------------------------------


def _public_access(sight: Making, resource: Resource) -> Iterator[Row]:
    what = f"public access block of {resource.id}"
    try:
        shown = sight.client("s3").get_public_access_block(Bucket=resource.id)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchPublicAccessBlockConfiguration":
            raise
        yield _row(what, NONE)
        return
    flags = shown["PublicAccessBlockConfiguration"]
    yield _row(what, sorted(name for name, on in flags.items() if on))


def _ingress(sight: Making, resource: Resource) -> Iterator[Row]:
    shown = sight.client("ec2").describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [resource.id]}]
    )["SecurityGroupRules"]
    for each in sorted((one for one in shown if not one["IsEgress"]), key=_place):
        yield _row(f"{resource.id}: {_traffic(each)} from {_source(each)}", "open")


def _source(rule: Mapping[str, Any]) -> str:
    group = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    return str(rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("PrefixListId") or group)


def _place(rule: Mapping[str, Any]) -> tuple[str, int, int, str]:
    return rule["IpProtocol"], rule["FromPort"], rule["ToPort"], _source(rule)


def _traffic(rule: Mapping[str, Any]) -> str:
    low, high = rule["FromPort"], rule["ToPort"]
    if rule["IpProtocol"] == "-1":
        return "all"
    return f"{rule['IpProtocol']} {low}" if low == high else f"{rule['IpProtocol']} {low}-{high}"


def _rules(sight: Making, resource: Resource) -> Iterator[Row]:
    """Yield what Firebreak's rule groups in the firewall's policy drop."""
    firewall = sight.client("network-firewall")
    arn = firewall.describe_firewall(FirewallName=resource.id)["Firewall"]["FirewallPolicyArn"]
    policy = firewall.describe_firewall_policy(FirewallPolicyArn=arn)["FirewallPolicy"]
    referred = [each["ResourceArn"] for each in policy.get("StatefulRuleGroupReferences", ())]
    own = sorted(each for each in referred if each.rpartition("/")[2].startswith(OWN))
    groups = [firewall.describe_rule_group(RuleGroupArn=each)["RuleGroup"] for each in own]
    dropped = [_dropped(line) for each in groups for line in lines(each) if line not in ("", GUARD)]
    yield _row(f"firewall {resource.id}: rules of Firebreak", dropped)


def _dropped(rule: str) -> str:
    """Return action, protocol, and the network or name that a rule is about."""
    action, protocol, source = rule.split()[:3]
    content = CONTENT.search(rule)
    return f"{action} {protocol} {content[1] if content else source}"


VIEWS: Mapping[str, tuple[View, ...]] = {
    "instance": (_interfaces, _denials, _membership, _profile),
    "access_key": (_key,),
    "iam_role": (_role,),
    "bucket": (_public_access,),
    "security_group": (_ingress,),
    "firewall": (_rules,),
}
