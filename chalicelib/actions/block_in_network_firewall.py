"""Block networks and domains in a firewall."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.actions import Condition, On, action
from chalicelib.addresses import (
    NEVER,
    OWN_PERMISSIONS,
    OWN_TARGETS,
    blockable_domain,
    own_networks,
    sort_out,
)
from chalicelib.effect import FIXTURE_TAG, Change, Effects, Reader
from chalicelib.errors import NotApplicable, Refused
from chalicelib.gone import gone
from chalicelib.network_firewall import (
    ABSENT,
    ACTION_ORDER,
    CAPACITY,
    FORWARD,
    SERVICE,
    STRICT_ORDER,
    Policy,
    add_rules,
    attach_group,
    attached,
    blocked,
    blocklist,
    detach_group,
    group_arn,
    missing,
    read_group,
    read_policy,
    remove_rules,
    with_reference,
)
from chalicelib.parameters import CIDRS

HERE = "arn:{partition}:network-firewall:{region}:{account}"
# Firebreak's own group, or the one that the step names; without the tag it is somebody else's.
# https://docs.aws.amazon.com/network-firewall/latest/developerguide/tagging.html
GROUP = f"{HERE}:stateful-rulegroup/"
BORN = {"Null": {f"aws:RequestTag/{FIXTURE_TAG}": "false"}}
OWN = {"Null": {f"aws:ResourceTag/{FIXTURE_TAG}": "false"}}
FLOWS = "connections that were open before the rules came: flush them (StartFlowFlush)"
PASSED = "what a pass rule of the policy lets through: pass goes before drop in its action order"
STATELESS = "what the policy's stateless rules do not forward to the stateful ones"


def _groups(condition: Condition) -> tuple[On, ...]:
    own = On(f"{GROUP}firebreak-{{stage}}-blocklist*", condition, unless="rule_group")
    return (own, On(f"{GROUP}{{rule_group}}", condition))


@action(
    params={
        "firewall_name": {
            "type": "string",
            "pattern": "^[a-zA-Z0-9-]{1,128}$",
            "description": "name of a firewall of AWS Network Firewall",
        },
        "cidrs": {**CIDRS, "minItems": 0, "maxItems": 100, "default": []},
        "domains": {
            "type": "array",
            "items": {"type": "string"},
            "maxItems": 100,
            "default": [],
            "description": "host names to block, those very names",
        },
        "rule_group": {
            "type": ["string", "null"],
            "pattern": "^[a-zA-Z0-9-]{1,128}$",
            "default": None,
            "description": "name of the stateful rule group the rules go to",
        },
        "attach": {
            "type": "boolean",
            "default": True,
            "description": "let the firewall's policy refer to the rule group if it does not yet",
        },
        "never": NEVER,
    },
    permissions=(
        "network-firewall:DescribeFirewall",
        "network-firewall:DescribeFirewallPolicy",
        "network-firewall:DescribeRuleGroup",
        *OWN_PERMISSIONS,
        "network-firewall:CreateRuleGroup",
        "network-firewall:TagResource",
        "network-firewall:UpdateRuleGroup",
        "network-firewall:UpdateFirewallPolicy",
    ),
    facts=("rule_group", "policy", "blocked", "skipped", "survives"),
    target={
        **OWN_TARGETS,
        "network-firewall:DescribeFirewall": (HERE + ":firewall/{firewall_name}",),
        "network-firewall:CreateRuleGroup": _groups(BORN),
        "network-firewall:TagResource": _groups(BORN),
        "network-firewall:UpdateRuleGroup": _groups(OWN),
    },
)
def block_in_network_firewall(
    aws: Reader,
    firewall_name: str,
    cidrs: list[str],
    domains: list[str],
    rule_group: str | None,
    never: list[str],
    *,
    attach: bool,
) -> Effects:
    """Drop traffic with networks and domains in a firewall, both ways, and see that it is enforced.

    The rules go to a stateful rule group of Firebreak's own, `firebreak-<stage>-blocklist`, or
    `…-strict` for policies of strict order: made where it is not there (1,000 rules). Another one
    may be named by `rule_group`, if it is tagged `firebreak:fixture` with its name. The firewall's
    policy is made to refer to it, under strict order before all other groups; with `attach: false`
    (a policy that Firewall Manager or a template owns) it must do so already. All firewalls of the
    policy, and all policies that refer to the group, drop the traffic then.

    A network is dropped for every protocol. A domain is dropped by the name in TLS handshakes and
    HTTP requests, that very name. Skipped, with the reason: what deny_in_network_acl never denies,
    what is no host name, domains of AWS.

    Refused before anything is changed: `nothing_blockable`; `rule_group_full`, `fixture_differs`;
    `rule_group_not_attached`, `firewall_policy_full`, `no_priority`, `firewall_policy_not_ours`;
    `not_inspected` (the policy forwards nothing to stateful rules).

    The fact `survives` says what still passes; existing flows do: "existing flows continue to be
    processed according to the rules that were in place when those flows began" (developer guide,
    "Using flow flush operations"). Undo removes the rules, and the reference to the group; the
    group stays.
    """
    policy = _policy(aws, firewall_name)
    values, skipped = _values(aws, cidrs, domains, never)
    if not values:
        raise Refused(
            "nothing_blockable", "; ".join(f"{s['value']} {s['reason']}" for s in skipped)
        )
    strict = "-strict" if policy.order == STRICT_ORDER else ""
    group = rule_group or f"firebreak-{aws.stage}-blocklist{strict}"
    arn = group_arn(aws, group)
    _check_attachment(policy, arn, group, attach=attach)
    _check_room(aws, group, values)
    yield blocklist(name=group, order=policy.order)
    yield Change(
        probe=attached(policy=policy.name, group=group),
        want="attached",
        do=attach_group(at={"name": policy.name}, arn=arn),
        undo=detach_group(at={"name": policy.name}, arn=arn),
    )
    at = {"name": group, "order": policy.order}
    for value in values:
        yield Change(
            probe=blocked(group=group, value=value),
            want="drop",
            do=add_rules(at=at, value=value, remediation=aws.remediation),
            undo=remove_rules(at=at, value=value),
        )
    return {
        "rule_group": group,
        "policy": policy.name,
        "blocked": values,
        "skipped": skipped,
        "survives": [FLOWS, *_passed_by(policy)],
    }


def _policy(aws: Reader, firewall_name: str) -> Policy:
    """Return the firewall's policy. Raise Refused where it is not this account's to change."""
    with gone(f"firewall {firewall_name}", ABSENT):
        shown = aws.read(SERVICE, "describe_firewall", FirewallName=firewall_name)
    arn = shown["Firewall"]["FirewallPolicyArn"]
    if arn.split(":")[4] != aws.account:
        raise Refused("firewall_policy_not_ours", f"{arn} is shared by another account")
    return read_policy(aws, arn.rpartition("/")[2])


def _values(
    aws: Reader, cidrs: list[str], domains: list[str], never: list[str]
) -> tuple[list[str], list[dict[str, str]]]:
    """Return the networks and domains to block, and those that must not be, with the reasons."""
    if not cidrs and not domains:
        raise NotApplicable("neither a network nor a domain to block was named")
    own = own_networks(aws, cidrs, never) if cidrs else {}
    good, skipped = sort_out(cidrs, own)
    for domain in dict.fromkeys(each.lower().rstrip(".") for each in domains):
        reason = blockable_domain(domain)
        if reason is None:
            good.append(domain)
        else:
            skipped.append({"value": domain[:253], "reason": reason})
    return good, skipped


def _check_attachment(policy: Policy, arn: str, group: str, *, attach: bool) -> None:
    """Raise Refused where nothing that is written to the group would be enforced."""
    if FORWARD not in policy.document["StatelessDefaultActions"] and not _stateless(policy):
        raise Refused("not_inspected", f"{policy.name} forwards no traffic to stateful rules")
    if not attach and all(each["ResourceArn"] != arn for each in policy.references):
        raise Refused(
            "rule_group_not_attached", f"{policy.name} does not refer to rule group {group}"
        )
    with_reference(policy.document, arn)


def _check_room(aws: Reader, group: str, values: Iterable[str]) -> None:
    found = read_group(aws, group)
    rules = found.rules if found else []
    capacity = int(found.response.get("Capacity", CAPACITY)) if found else CAPACITY
    more = sum(len(missing(rules, value)) for value in values)
    if more and max(len(rules), 1) + more > capacity:
        raise Refused(
            "rule_group_full",
            f"rule group {group} has {len(rules)} rules and room for {capacity}: {more} more do"
            " not fit",
        )


def _stateless(policy: Policy) -> bool:
    return bool(policy.document.get("StatelessRuleGroupReferences"))


def _passed_by(policy: Policy) -> list[str]:
    passed = [PASSED] if policy.order == ACTION_ORDER else []
    return [*passed, STATELESS] if _stateless(policy) else passed
