"""Firebreak's own security groups: made where they are missing, checked rule by rule, mended."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from chalicelib.effect import (
    FIXTURE_TAG,
    JSON,
    Call,
    FixtureState,
    Reader,
    canonical_text,
    fixture,
    placeholder,
)
from chalicelib.errors import Refused, Transient

Rule = tuple[bool, str, str]  # outbound, protocol, the other side

EVERYWHERE = ("0.0.0.0/0", "::/0")
ALL = "-1"
NO_RULES: frozenset[Rule] = frozenset()
ALL_TRAFFIC: frozenset[Rule] = frozenset(
    (outbound, ALL, side) for outbound in (False, True) for side in EVERYWHERE
)
WHY = {
    "quarantine": "Firebreak: no traffic. Made and checked by Firebreak, do not edit.",
    "untrack": "Firebreak: ends connection tracking for a moment. Do not edit, do not use.",
}


@fixture("ec2:quarantine-group:{vpc_id}")
def quarantine_group(aws: Reader, *, vpc_id: str) -> FixtureState:
    """Read the group without any rule of a VPC, and what makes it so."""
    return _own_group(aws, vpc_id, "quarantine", NO_RULES)


@fixture("ec2:untrack-group:{vpc_id}")
def untrack_group(aws: Reader, *, vpc_id: str) -> FixtureState:
    """Read the group of a VPC that lets everything pass both ways, and what makes it so."""
    return _own_group(aws, vpc_id, "untrack", ALL_TRAFFIC)


def own_group_id(aws: Reader, vpc_id: str, kind: str) -> str | None:
    """Return the id of Firebreak's group of a kind (`quarantine`, `untrack`) in a VPC, if any."""
    shown = _named_group(aws, vpc_id, kind)
    return shown["GroupId"] if shown and _is_own(shown, kind) else None


def _name(stage: str, kind: str) -> str:
    return f"firebreak-{stage}-{kind}"


def _named_group(aws: Reader, vpc_id: str, kind: str) -> dict[str, Any] | None:
    """Find the group by its name, which is unique in a VPC and cannot be changed, unlike a tag.

    Going by the tag alone, its writer could have the rules of any group revoked.
    """
    found = aws.pages(
        "ec2",
        "describe_security_groups",
        "SecurityGroups",
        Filters=[
            {"Name": "vpc-id", "Values": [vpc_id]},
            {"Name": "group-name", "Values": [_name(aws.stage, kind)]},
        ],
    )
    return found[0] if found else None


def _is_own(shown: Mapping[str, Any], kind: str) -> bool:
    return {"Key": FIXTURE_TAG, "Value": kind} in shown.get("Tags", ())


def _own_group(aws: Reader, vpc_id: str, kind: str, wanted: frozenset[Rule]) -> FixtureState:
    shown = _named_group(aws, vpc_id, kind)
    if shown is None:
        return _new_group(aws.stage, vpc_id, kind, wanted)
    if not _is_own(shown, kind):
        raise Refused(
            "fixture_differs",
            f"{shown['GroupId']} in {vpc_id} is named {shown['GroupName']}, but has no tag"
            f" {FIXTURE_TAG}={kind}: delete it, or tag it if it is Firebreak's",
        )
    rules = {each["SecurityGroupRuleId"]: _meaning(each) for each in _rules(aws, shown)}
    extra = sorted((rule[0], id_) for id_, rule in rules.items() if rule not in wanted)
    group_id = shown["GroupId"]
    calls = (
        *_revoke(group_id, "ingress", [id_ for outbound, id_ in extra if not outbound]),
        *_revoke(group_id, "egress", [id_ for outbound, id_ in extra if outbound]),
        *_authorize(group_id, wanted - set(rules.values())),
    )
    return FixtureState(group_id, calls)


def _new_group(stage: str, vpc_id: str, kind: str, wanted: frozenset[Rule]) -> FixtureState:
    """Return the calls that make a group. It is born with a rule that lets all IPv4 out.

    In a VPC with IPv6 also with one for ::/0, which is seen when the fixture is read again.
    """
    born: frozenset[Rule] = frozenset({(True, ALL, EVERYWHERE[0])})
    group_id = placeholder(f"{kind} group of {vpc_id}")
    unwanted = [placeholder("its first rule")] if born - wanted else []
    calls = (
        _create(stage, vpc_id, kind),
        *_revoke(group_id, "egress", unwanted),
        *_authorize(group_id, wanted - born),
    )
    return FixtureState(None, calls)


def _rules(aws: Reader, shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every rule of a group. Raise Transient where EC2's two views of it disagree."""
    rules = aws.pages(
        "ec2",
        "describe_security_group_rules",
        "SecurityGroupRules",
        Filters=[{"Name": "group-id", "Values": [shown["GroupId"]]}],
    )
    for outbound, key in ((False, "IpPermissions"), (True, "IpPermissionsEgress")):
        if bool(shown.get(key)) != any(each["IsEgress"] == outbound for each in rules):
            raise Transient(f"the rules of {shown['GroupId']} are not settled yet")
    return rules


def _meaning(rule: Mapping[str, Any]) -> Rule:
    """Return what a rule says, in the terms of `wanted` where these can say it."""
    side = rule.get("CidrIpv4") or rule.get("CidrIpv6")
    if rule["IpProtocol"] == ALL and side:
        return rule["IsEgress"], ALL, side
    return (
        rule["IsEgress"],
        rule["IpProtocol"],
        canonical_text(
            {
                key: value
                for key, value in rule.items()
                if key not in ("Tags", "Description", "SecurityGroupRuleId", "SecurityGroupRuleArn")
            }
        ),
    )


def _create(stage: str, vpc_id: str, kind: str) -> Call:
    name = _name(stage, kind)
    tags = [{"Key": "Name", "Value": name}, {"Key": FIXTURE_TAG, "Value": kind}]
    return Call(
        "ec2",
        "create_security_group",
        GroupName=name,
        Description=WHY[kind],
        VpcId=vpc_id,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
    )


def _revoke(group_id: str, way: str, rule_ids: list[str]) -> tuple[Call, ...]:
    if not rule_ids:
        return ()
    operation = f"revoke_security_group_{way}"
    return (Call("ec2", operation, GroupId=group_id, SecurityGroupRuleIds=rule_ids),)


def _authorize(group_id: str, rules: Collection[Rule]) -> tuple[Call, ...]:
    return tuple(
        Call(
            "ec2",
            f"authorize_security_group_{way}",
            GroupId=group_id,
            IpPermissions=[_permission(rule) for rule in sorted(rules) if rule[0] == outbound],
        )
        for outbound, way in ((False, "ingress"), (True, "egress"))
        if any(rule[0] == outbound for rule in rules)
    )


def _permission(rule: Rule) -> dict[str, JSON]:
    _, protocol, side = rule
    if ":" in side:
        return {"IpProtocol": protocol, "Ipv6Ranges": [{"CidrIpv6": side}]}
    return {"IpProtocol": protocol, "IpRanges": [{"CidrIp": side}]}
