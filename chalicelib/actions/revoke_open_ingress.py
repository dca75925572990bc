"""Close a security group to the world."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from chalicelib import quotas
from chalicelib.actions import On, action
from chalicelib.effect import Change, Effects, Reader
from chalicelib.gone import gone
from chalicelib.ingress import (
    ALL,
    LABEL,
    WITH_PORTS,
    Closing,
    Rule,
    add_rule,
    authorize,
    close_port,
    closings,
    drop_rest,
    is_world,
    port_open,
    reopen_port,
    rest_open,
    revoke,
    rule_open,
    shown_rules,
)
from chalicelib.parameters import GROUP_ID, PORTS
from chalicelib.quotas import vpc_quota

GROUP = "arn:{partition}:ec2:{region}:{account}:security-group/{group_id}"
RULES = "arn:{partition}:ec2:{region}:{account}:security-group-rule/*"
WITH_THE_RULE = {"StringEquals": {"ec2:CreateAction": "AuthorizeSecurityGroupIngress"}}


@action(
    params={
        "group_id": GROUP_ID,
        "ports": {
            **PORTS,
            "type": ["array", "null"],
            "default": None,
            "description": "TCP and UDP ports to close; without any, every port",
        },
        "protocols": {
            "type": "array",
            "items": {"enum": ["tcp", "udp", "icmp", "icmpv6", "all"]},
            "minItems": 1,
            "default": ["tcp", "udp", "all"],
            "description": "whose rules are closed; `all` are the rules for every protocol",
        },
    },
    permissions=(
        quotas.PERMISSION,
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSecurityGroupRules",
        "ec2:RevokeSecurityGroupIngress",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateTags",
    ),
    facts=("revoked", "kept", "still_open", "prefix_lists"),
    target={
        "ec2:RevokeSecurityGroupIngress": (GROUP, RULES),
        "ec2:AuthorizeSecurityGroupIngress": (GROUP, RULES),
        "ec2:CreateTags": (On(RULES, WITH_THE_RULE),),
    },
)
def revoke_open_ingress(
    aws: Reader, group_id: str, ports: list[int] | None, protocols: list[str]
) -> Effects:
    """Close ports of a security group to the world, IPv4 and IPv6, and nothing else.

    The world is 0.0.0.0/0, ::/0 and whatever AWS calls public: networks wider than /8 (IPv4) or
    /32 (IPv6) that are not private. A rule of several ports is split: rules for the ports beside
    the closed ones are made first, so that at no time anything else is cut off. A rule for all
    protocols is revoked whole, since what is left of it cannot be written as rules; leave `all` out
    of `protocols` to keep such rules, and see the fact `still_open`. So is a rule whose parts would
    pass the quota of rules. Without `ports`, all rules of the protocols are revoked whole.

    Rules for prefix lists (fact `prefix_lists`: those that admit one of the ports, unjudged) and
    for other security groups stay. A connection that is tracked already survives (EC2 user guide,
    "Security group connection tracking"): end it by isolate_instance or deny_in_network_acl.

    The fact `revoked` names what this run found open; what an attempt that was cut off had revoked
    before is on record.

    Undo makes each rule again, with its description and tags (not those that begin with `aws:`,
    which only AWS can set), under a new rule id. Ports that other remediations closed stay closed.
    """
    with gone(group_id, "InvalidGroup.NotFound"):
        aws.read("ec2", "describe_security_groups", GroupIds=[group_id])
    shown = shown_rules(aws, group_id)
    numbers = [ALL if each == "all" else each for each in protocols]
    admits = partial(_admits, ports=ports)
    most = vpc_quota(aws, quotas.RULES_PER_SECURITY_GROUP)
    found, standing = closings(shown, numbers, ports, most)
    for closing in found:
        yield from _changes(group_id, closing)
    return {
        "revoked": sorted(str(each) for each in found),
        "kept": sorted(str(each) for each in standing if each.split_from),
        "still_open": sorted(
            str(each) for each in standing if is_world(each.cidr) and admits(each)
        ),
        "prefix_lists": sorted(
            {
                each["PrefixListId"]
                for each in shown
                if "PrefixListId" in each and admits(_of_list(each))
            }
        ),
    }


def _changes(group_id: str, closing: Closing) -> Iterator[Change]:
    """Yield the rules beside the port first, then what takes the port away."""
    rule, port = closing.rule, closing.port
    if port is None:
        yield _whole(group_id, rule)
        return
    at = {"group_id": group_id}
    where = {"protocol": rule.protocol, "cidr": rule.cidr, "label": rule.label, "port": port}
    tags = {**rule.own_tags, LABEL: rule.label}
    for side, part in closing.rest.items():
        yield Change(
            probe=rest_open(**at, **where, side=side),
            want="open",
            do=add_rule(at=at, rule=asdict(replace(part, tags=tags, id=""))),
            undo=drop_rest(at=at, **where, side=side),
        )
    yield Change(
        probe=port_open(**at, **where),
        want=None,
        do=close_port(at=at, **where),
        undo=reopen_port(
            at=at, rule=asdict(replace(rule, tags=tags, id="")), label=rule.label, port=port
        ),
    )


def _whole(group_id: str, rule: Rule) -> Change:
    exact = {"protocol": rule.protocol, "low": rule.low, "high": rule.high, "cidr": rule.cidr}
    return Change(
        probe=rule_open(group_id=group_id, **exact),
        want=None,
        do=revoke(group_id, [rule]),
        undo=authorize(group_id, rule),
    )


def _of_list(shown: Mapping[str, Any]) -> Rule:
    ports = shown.get("FromPort", -1), shown.get("ToPort", -1)
    return Rule(shown["IpProtocol"], *ports, shown["PrefixListId"])


def _admits(rule: Rule, ports: list[int] | None) -> bool:
    if rule.protocol == ALL:
        return True
    if rule.protocol not in WITH_PORTS:
        return False
    return ports is None or any(rule.covers(port) for port in ports)
