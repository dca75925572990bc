"""Firebreak's own stateful rule group of AWS Network Firewall: its rules, its place in a policy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.effect import (
    FIXTURE_TAG,
    JSON,
    Call,
    FixtureState,
    Reader,
    editor,
    fixture,
    placeholder,
    probe,
)
from chalicelib.errors import Refused
from chalicelib.gone import gone, is_code

SERVICE = "network-firewall"
SETTLES = 5
ABSENT = "ResourceNotFoundException"
STALE = ("InvalidTokenException",)
CAPACITY = 1000  # rules; "Each rule group must have a capacity setting that's fixed at creation"
GROUPS = 20  # per policy, cannot be raised; developer guide, "AWS Network Firewall quotas"
ACTION_ORDER, STRICT_ORDER = "DEFAULT_ACTION_ORDER", "STRICT_ORDER"
FORWARD = "aws:forward_to_sfe"
REFERENCES = "StatefulRuleGroupReferences"
DESCRIPTION = "Addresses and domains that Firebreak blocks"
BEHIND = 100  # the priority under strict order where the policy has no other rule group

# Sids 1000000 to 1999999 are left to local rules (Suricata and Emerging Threats sid allocation).
SIDS = range(1_000_001, 2_000_000)

# The group is never empty: whether AWS takes an empty one is not documented. No packet carries this
# address of the reserved block 240.0.0.0/4.
GUARD = (
    "drop ip 255.255.255.254/32 any -> 255.255.255.254/32 any"
    ' (msg:"Firebreak: keeps this group from being empty"; sid:1000000; rev:1;)'
)

_SID = re.compile(r"\bsid\s*:\s*(\d+)\s*;")


# --- the group ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """Hold what a stateful rule group is."""

    document: Mapping[str, Any]
    response: Mapping[str, Any]
    token: str

    @property
    def order(self) -> str:
        """Return how its rules are ordered."""
        return str(self.document.get("StatefulRuleOptions", {}).get("RuleOrder", ACTION_ORDER))

    @property
    def rules(self) -> list[str]:
        """Return its rules, one a line, comments left out."""
        return [each for each in lines(self.document) if each and not each.startswith("#")]


def group_arn(aws: Reader, name: str) -> str:
    """Return the ARN of a stateful rule group of this account and region."""
    place = f"{aws.partition}:{SERVICE}:{aws.region}:{aws.account}"
    return f"arn:{place}:stateful-rulegroup/{name}"


def read_group(aws: Reader, name: str) -> Group | None:
    """Return the stateful rule group, None where there is none of that name."""
    try:
        shown = aws.read(SERVICE, "describe_rule_group", RuleGroupName=name, Type="STATEFUL")
    except ClientError as error:
        if is_code(error, ABSENT):
            return None
        raise
    return Group(shown["RuleGroup"], shown["RuleGroupResponse"], shown["UpdateToken"])


def new_document(order: str) -> dict[str, JSON]:
    """Return what a new group holds."""
    return {
        "RulesSource": {"RulesString": GUARD},
        "StatefulRuleOptions": {"RuleOrder": order},
    }


@fixture("network-firewall:rule-group:{name}")
def blocklist(aws: Reader, *, name: str, order: str) -> FixtureState:
    """Read the rule group that Firebreak writes its rules to, and what makes it.

    Its capacity and the order of its rules are fixed when it is made. Raise Refused where a group
    of the name has no tag that gives it to Firebreak, or cannot hold its rules.
    """
    group = read_group(aws, name)
    if group is None:
        return FixtureState(None, (_create(name, order),))
    differs = _differs(group, name, order)
    if differs:
        raise Refused("fixture_differs", f"rule group {name} {differs}")
    return FixtureState(group.response["RuleGroupArn"])


def _differs(group: Group, name: str, order: str) -> str | None:
    tags = {each["Key"]: each["Value"] for each in group.response.get("Tags", ())}
    if tags.get(FIXTURE_TAG) != name:
        return f"has no tag {FIXTURE_TAG}={name}: rename it, or tag it if it is for Firebreak"
    if group.response.get("RuleGroupStatus", "ACTIVE") != "ACTIVE":
        return f"is {group.response['RuleGroupStatus']}"
    if "RulesString" not in group.document["RulesSource"]:
        return "does not hold its rules as Suricata rules"
    if group.order != order:
        return f"is ordered by {group.order}, the firewall's policy by {order}"
    return None


def _create(name: str, order: str) -> Call:
    return Call(
        SERVICE,
        "create_rule_group",
        RuleGroupName=name,
        Type="STATEFUL",
        Capacity=CAPACITY,
        Description=DESCRIPTION,
        RuleGroup=new_document(order),
        Tags=[{"Key": FIXTURE_TAG, "Value": name}],
    )


# --- its rules ------------------------------------------------------------------------------------


def heads(value: str) -> tuple[str, ...]:
    """Return how the rules that block a network or a domain begin; it is checked beforehand.

    A domain is blocked by the name a TLS client asks for (SNI) and by the host of a HTTP request,
    that very name; `http.host` is in small letters always (Suricata user guide, HTTP keywords).
    """
    if "/" in value:
        return (f"drop ip {value} any <> any any (",)
    return (
        f"drop tls any any -> any any (flow:to_server; tls.sni;"
        f' content:"{value}"; startswith; endswith; nocase; ',
        f"drop http any any -> any any (flow:to_server; http.host;"
        f' content:"{value}"; startswith; endswith; ',
    )


def lines(document: Mapping[str, Any]) -> list[str]:
    """Return the lines of a group's rules."""
    return str(document["RulesSource"].get("RulesString", "")).splitlines()


def missing(rules: Iterable[str], value: str) -> list[str]:
    """Return the beginnings of those rules that block a value and are not there."""
    rules = list(rules)
    return [head for head in heads(value) if not any(each.startswith(head) for each in rules)]


@probe("network-firewall:block:{group}:{value}", settles=SETTLES)
def blocked(aws: Reader, *, group: str, value: str) -> JSON:
    """Return `drop` while the group has every rule that blocks the network or domain."""
    found = read_group(aws, group)
    return "drop" if found and not missing(found.rules, value) else None


def _read(aws: Reader, name: str, order: str) -> tuple[JSON, JSON]:
    """Return what an update of the group says; a plan may come before it is made."""
    group = read_group(aws, name)
    if group is None:
        new = {"RuleGroup": new_document(order), "Description": DESCRIPTION}
        return new, placeholder("update token")
    return {"RuleGroup": group.document, **_repeated(group.response)}, group.token


def _repeated(response: Mapping[str, Any]) -> dict[str, JSON]:
    """Return what an update must say again so that it stays."""
    kept = {"Description": response.get("Description")}
    encryption = response.get("EncryptionConfiguration", {})
    if encryption.get("Type") == "CUSTOMER_KMS":
        kept["EncryptionConfiguration"] = encryption
    return {key: value for key, value in kept.items() if value}


def _write(before: JSON, after: JSON, token: JSON, name: str, order: str) -> Call:
    where = {"RuleGroupName": name, "Type": "STATEFUL"}
    return Call(SERVICE, "update_rule_group", **where, **after, UpdateToken=token)


_group_editor = editor(read=_read, write=_write, stale=STALE)


@_group_editor
def add_rules(content: JSON, *, value: str, remediation: str) -> JSON:
    """Add the rules that block a value; lines of others stay as they are.

    The message is Firebreak's own text, the sid a hash of the rule, or the next one that is free.
    """
    rules = lines(content["RuleGroup"])
    for head in missing(rules, value):
        taken = {int(sid) for each in rules for sid in _SID.findall(each)}
        rules.append(f'{head}msg:"{_said(remediation)}"; sid:{_sid(head, taken)}; rev:1;)')
    return _with(content, rules)


@_group_editor
def remove_rules(content: JSON, *, value: str) -> JSON:
    """Remove the rules that block a value; lines of others stay as they are."""
    kept = [each for each in lines(content["RuleGroup"]) if not each.startswith(heads(value))]
    return _with(content, kept or [GUARD])


def _with(content: JSON, rules: Iterable[str]) -> JSON:
    source = {"RulesString": "\n".join(rules)}
    return {**content, "RuleGroup": {**content["RuleGroup"], "RulesSource": source}}


def _said(remediation: str) -> str:
    return f"Firebreak {re.sub('[^A-Za-z0-9._-]', '', remediation)[:64]}"


def _sid(head: str, taken: set[int]) -> int:
    start = int.from_bytes(hashlib.sha256(head.encode()).digest()[:8], "big")
    following = (SIDS[(start + step) % len(SIDS)] for step in range(len(SIDS)))
    return next(each for each in following if each not in taken)


# --- the policy -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Policy:
    """Hold what a firewall policy is."""

    name: str
    document: Mapping[str, Any]
    response: Mapping[str, Any]
    token: str

    @property
    def order(self) -> str:
        """Return how its stateful rules are ordered."""
        options = self.document.get("StatefulEngineOptions", {})
        return str(options.get("RuleOrder", ACTION_ORDER))

    @property
    def references(self) -> list[Mapping[str, Any]]:
        """Return its references to stateful rule groups."""
        return list(self.document.get(REFERENCES, ()))


def read_policy(aws: Reader, name: str) -> Policy:
    """Return a firewall policy of this account. Raise NotApplicable where there is none."""
    with gone(f"firewall policy {name}", ABSENT):
        shown = aws.read(SERVICE, "describe_firewall_policy", FirewallPolicyName=name)
    response = shown["FirewallPolicyResponse"]
    return Policy(name, shown["FirewallPolicy"], response, shown["UpdateToken"])


@probe("network-firewall:policy-group:{policy}:{group}", settles=SETTLES)
def attached(aws: Reader, *, policy: str, group: str) -> JSON:
    """Return `attached` while the policy refers to the stateful rule group."""
    references = read_policy(aws, policy).references
    arn = group_arn(aws, group)
    return "attached" if any(each["ResourceArn"] == arn for each in references) else None


def _read_policy(aws: Reader, name: str) -> tuple[JSON, JSON]:
    policy = read_policy(aws, name)
    return {"FirewallPolicy": policy.document, **_repeated(policy.response)}, policy.token


def _write_policy(before: JSON, after: JSON, token: JSON, name: str) -> Call:
    where = {"FirewallPolicyName": name}
    return Call(SERVICE, "update_firewall_policy", **where, **after, UpdateToken=token)


_policy_editor = editor(read=_read_policy, write=_write_policy, stale=STALE)


@_policy_editor
def attach_group(content: JSON, *, arn: str) -> JSON:
    """Add a reference to the rule group. Raise Refused where there is no place for it."""
    return {**content, "FirewallPolicy": with_reference(content["FirewallPolicy"], arn)}


@_policy_editor
def detach_group(content: JSON, *, arn: str) -> JSON:
    """Remove the reference to the rule group."""
    policy = dict(content["FirewallPolicy"])
    references = policy.pop(REFERENCES, [])
    kept = [each for each in references if each["ResourceArn"] != arn]
    return {**content, "FirewallPolicy": policy | ({REFERENCES: kept} if kept else {})}


def with_reference(content: JSON, arn: str) -> JSON:
    """Return a policy that refers to the rule group, under strict order before all others. Pure.

    Raise Refused where another has priority 1, or there are 20.
    """
    references = content.get(REFERENCES, [])
    if any(each["ResourceArn"] == arn for each in references):
        return content
    if len(references) >= GROUPS:
        raise Refused("firewall_policy_full", f"the policy has {GROUPS} stateful rule groups")
    reference: dict[str, JSON] = {"ResourceArn": arn}
    if content.get("StatefulEngineOptions", {}).get("RuleOrder") == STRICT_ORDER:
        reference["Priority"] = _priority(references)
    return {**content, REFERENCES: [*references, reference]}


def _priority(references: Iterable[Mapping[str, Any]]) -> int:
    first = min((int(each["Priority"]) for each in references), default=BEHIND + 1)
    if first <= 1:
        raise Refused(
            "no_priority",
            "a rule group of the policy has priority 1, so none can go before it: renumber them",
        )
    return first - 1
