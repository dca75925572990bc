"""What a security group lets in from the world, and how ports of it are closed and opened again.

A rule of several ports is split: the ports beside the closed one get rules of their own, labelled
with the range they were part of. So several remediations can each close a port of one rule, and
open it again in any order, until the rule is whole.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from chalicelib.effect import JSON, Call, Reader, editor, placeholder, probe
from chalicelib.errors import Failed
from chalicelib.gone import gone

SETTLES = 10  # seconds; EC2 API reference, RevokeSecurityGroupIngress: "a small delay might occur"
ALL = "-1"
WITH_PORTS = ("tcp", "udp")
BELOW, ABOVE = "below", "above"
LABEL = "firebreak:split-from"
STALE = (
    "InvalidPermission.Duplicate",
    "InvalidPermission.NotFound",
    "InvalidSecurityGroupRuleId.NotFound",
)

# What AWS itself calls public: "values broader than /8 for IPv4 and /32 for IPv6 (excluding RFC1918
# private ranges)", S3 user guide, "The meaning of public". 0.0.0.0/0 in two halves is so, too.
WORLD: Mapping[int, int] = {4: 8, 6: 32}

_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Rule:
    """Hold one ingress rule for a network; `id` is empty where AWS has not given one yet."""

    protocol: str
    low: int
    high: int
    cidr: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    id: str = ""

    def __str__(self) -> str:
        ports = "" if self.protocol == ALL else f" {self.low}-{self.high}"
        return f"{'all' if self.protocol == ALL else self.protocol}{ports} from {self.cidr}"

    @property
    def label(self) -> str:
        """Return the range this rule is part of: its own where it was not split."""
        return self.split_from or f"{self.low}-{self.high}"

    @property
    def split_from(self) -> str:
        """Return the range this rule was split from, empty where it was not, or says nonsense."""
        found = _RANGE.fullmatch(self.tags.get(LABEL, ""))
        inside = found and int(found[1]) <= self.low and self.high <= int(found[2])
        return found[0] if found and inside else ""

    @property
    def own_tags(self) -> dict[str, str]:
        """Return the tags that people gave it."""
        return {
            key: value
            for key, value in self.tags.items()
            if not key.startswith(("aws:", "firebreak:"))
        }

    def covers(self, port: int) -> bool:
        """Say whether the rule admits a port."""
        return self.protocol == ALL or self.low <= port <= self.high

    def beside(self, port: int, side: str) -> bool:
        """Say whether the rule ends just below a port, or begins just above it."""
        return self.high == port - 1 if side == BELOW else self.low == port + 1

    def same_traffic(self, protocol: str, cidr: str) -> bool:
        """Say whether the rule is of this protocol, for this network."""
        return (self.protocol, self.cidr) == (protocol, cidr)


def is_world(cidr: str) -> bool:
    """Say whether a network is so wide that it is the world; see WORLD."""
    network = ipaddress.ip_network(cidr, strict=False)
    return network.prefixlen < WORLD[network.version] and not network.is_private


# --- reading --------------------------------------------------------------------------------------


def shown_rules(aws: Reader, group_id: str) -> list[dict[str, Any]]:
    """Return every ingress rule as DescribeSecurityGroupRules shows it."""
    with gone(group_id, "InvalidGroup.NotFound"):
        found = aws.pages(
            "ec2",
            "describe_security_group_rules",
            "SecurityGroupRules",
            Filters=[{"Name": "group-id", "Values": [group_id]}],
        )
        if not found:
            aws.read("ec2", "describe_security_groups", GroupIds=[group_id])
    return [each for each in found if not each["IsEgress"]]


def network_rules(shown: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """Return the rules for networks; those for prefix lists and other groups are left out."""
    found = ((each, each.get("CidrIpv4") or each.get("CidrIpv6")) for each in shown)
    return [
        Rule(
            protocol=each["IpProtocol"],
            low=each.get("FromPort", -1),
            high=each.get("ToPort", -1),
            cidr=cidr,
            description=each.get("Description") or "",
            tags={tag["Key"]: tag["Value"] for tag in each.get("Tags", ())},
            id=each["SecurityGroupRuleId"],
        )
        for each, cidr in found
        if cidr
    ]


@probe("ec2:group-ingress:{group_id}:{protocol}:{low}-{high}:{cidr}", settles=SETTLES)
def rule_open(aws: Reader, *, group_id: str, protocol: str, low: int, high: int, cidr: str) -> JSON:
    """Return the description of the rule for exactly these ports and network, None without one."""
    for rule in network_rules(shown_rules(aws, group_id)):
        if _traffic(rule) == (protocol, cidr, low, high):
            return {"description": rule.description}
    return None


@probe("ec2:group-ingress-port:{group_id}:{protocol}:{label}:{cidr}:{port}", settles=SETTLES)
def port_open(
    aws: Reader, *, group_id: str, protocol: str, label: str, cidr: str, port: int
) -> JSON:
    """Return `open` while the rule with that range, or a part of it, admits the port."""
    rules = network_rules(shown_rules(aws, group_id))
    return "open" if _admitting(rules, protocol, cidr, label, port) else None


@probe("ec2:group-ingress-rest:{group_id}:{protocol}:{label}:{cidr}:{port}:{side}", settles=SETTLES)
def rest_open(
    aws: Reader, *, group_id: str, protocol: str, label: str, cidr: str, port: int, side: str
) -> JSON:
    """Return `open` while a part of the rule with that range stands on that side of the port."""
    rules = network_rules(shown_rules(aws, group_id))
    return "open" if _parts(rules, protocol, cidr, label, port, side) else None


def _admitting(
    rules: Iterable[Rule], protocol: str, cidr: str, label: str, port: int
) -> list[Rule]:
    return [
        each
        for each in rules
        if each.same_traffic(protocol, cidr) and each.label == label and each.covers(port)
    ]


def _parts(
    rules: Iterable[Rule], protocol: str, cidr: str, label: str, port: int, side: str
) -> list[Rule]:
    return [
        each
        for each in rules
        if each.same_traffic(protocol, cidr)
        and each.split_from == label
        and each.beside(port, side)
    ]


# --- what to close --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Closing:
    """Say what is closed: a whole rule, or one port of it, and what then stands beside it."""

    rule: Rule
    port: int | None = None
    rest: Mapping[str, Rule] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.port is None:
            return str(self.rule)
        return f"{self.rule.protocol} {self.port} of {self.rule.label} from {self.rule.cidr}"


def closings(
    shown: Sequence[Mapping[str, Any]],
    protocols: Collection[str],
    ports: Sequence[int] | None,
    most: int,
) -> tuple[list[Closing], list[Rule]]:
    """Return what must be closed, in order, and the rules for networks that stand then. Pure.

    `most` is the quota of rules: a rule whose parts would pass it is closed whole.
    """
    rules = network_rules(shown)
    whole = _whole(rules, protocols, ports, most - len(shown) + len(rules))
    found = [Closing(each) for each in whole]
    standing = [each for each in rules if each not in whole]
    for port in sorted(set(ports or ())):
        for closing in _of_port(standing, protocols, port):
            found.append(closing)
            kept = [each for each in standing if each != closing.rule]
            known = [_traffic(each) for each in standing]
            new = [each for each in closing.rest.values() if _traffic(each) not in known]
            standing = [*kept, *new]
    return found, standing


def _traffic(rule: Rule) -> tuple[str, str, int, int]:
    return rule.protocol, rule.cidr, rule.low, rule.high


def _whole(
    rules: Sequence[Rule], protocols: Collection[str], ports: Sequence[int] | None, most: int
) -> list[Rule]:
    """Return the rules that are closed whole: nothing is left of them, or nothing can be kept.

    The quota is per address family. A split makes the parts before it takes the rule away.
    """
    whole: list[Rule] = []
    count = Counter(":" in each.cidr for each in rules)
    for rule in rules:
        if rule.protocol not in protocols or not is_world(rule.cidr):
            continue
        parts = _parts_left(rule, ports)
        new = {_traffic(each) for each in parts} - {_traffic(each) for each in rules}
        family = ":" in rule.cidr
        if parts == [rule]:
            continue
        if not parts or len(new) > max(most - count[family], 0):
            whole.append(rule)
        count[family] += (0 if rule in whole else len(new)) - 1
    return whole


def _parts_left(rule: Rule, ports: Sequence[int] | None) -> list[Rule]:
    """Return what is left of a rule without the ports: itself where it has none of them."""
    if rule.protocol == ALL or ports is None:
        return []
    if rule.protocol not in WITH_PORTS:
        return [rule]
    inside = sorted({port for port in ports if rule.covers(port)})
    if not inside:
        return [rule]
    lows = [rule.low, *(port + 1 for port in inside)]
    highs = [*(port - 1 for port in inside), rule.high]
    return [
        replace(rule, low=low, high=high)
        for low, high in zip(lows, highs, strict=True)
        if low <= high
    ]


def _of_port(rules: Sequence[Rule], protocols: Collection[str], port: int) -> Iterator[Closing]:
    """Yield the rules to split at a port, and those that were split there already."""
    world = [each for each in rules if each.protocol in protocols and is_world(each.cidr)]
    world = [each for each in world if each.protocol in WITH_PORTS]
    for rule in world:
        if rule.covers(port):
            yield Closing(rule, port, _rest(rule, port, world))
    for protocol, cidr, label in dict.fromkeys((r.protocol, r.cidr, r.split_from) for r in world):
        if label and not _admitting(world, protocol, cidr, label, port):
            parts = {s: _parts(world, protocol, cidr, label, port, s) for s in (BELOW, ABOVE)}
            rest = {side: found[0] for side, found in parts.items() if found}
            for part in list(rest.values())[:1]:
                yield Closing(replace(part, low=port, high=port, id=""), port, rest)


def _rest(rule: Rule, port: int, standing: Iterable[Rule]) -> dict[str, Rule]:
    """Return the parts of a rule beside a port, but none that an own rule admits already."""
    part = replace(rule, id="", tags={**rule.own_tags, LABEL: rule.label})
    parts = {
        BELOW: replace(part, high=port - 1),
        ABOVE: replace(part, low=port + 1),
    }
    own = [_traffic(each) for each in standing if each.split_from != rule.label]
    return {
        side: each
        for side, each in parts.items()
        if each.low <= each.high and _traffic(each) not in own
    }


# --- changing -------------------------------------------------------------------------------------


def revoke(group_id: str, rules: Iterable[Rule]) -> Call:
    """Return the call that revokes rules by id; in a plan, one that is yet to be made has none."""
    ids = [rule.id or placeholder(f"id of {rule}") for rule in rules]
    return Call("ec2", "revoke_security_group_ingress", GroupId=group_id, SecurityGroupRuleIds=ids)


def authorize(group_id: str, rule: Rule) -> Call:
    """Return the call that makes a rule with its description and tags; AWS's own tags stay away."""
    tags = [
        {"Key": key, "Value": value}
        for key, value in sorted(rule.tags.items())
        if not key.startswith("aws:")
    ]
    specification = [{"ResourceType": "security-group-rule", "Tags": tags}]
    return Call(
        "ec2",
        "authorize_security_group_ingress",
        GroupId=group_id,
        IpPermissions=[_permission(rule)],
        **({"TagSpecifications": specification} if tags else {}),
    )


def _permission(rule: Rule) -> dict[str, JSON]:
    ports = {} if rule.protocol == ALL else {"FromPort": rule.low, "ToPort": rule.high}
    described = {"Description": rule.description} if rule.description else {}
    if ":" in rule.cidr:
        source = {"Ipv6Ranges": [{"CidrIpv6": rule.cidr, **described}]}
    else:
        source = {"IpRanges": [{"CidrIp": rule.cidr, **described}]}
    return {"IpProtocol": rule.protocol, **ports, **source}


def read_rules(aws: Reader, group_id: str) -> tuple[JSON, JSON]:
    """Return the group's ingress rules for networks."""
    return [asdict(each) for each in network_rules(shown_rules(aws, group_id))], None


def write_rules(before: JSON, after: JSON, token: JSON, group_id: str) -> Call:
    """Return the call that makes the one rule that is new, else revokes those that are gone."""
    for each in after:
        if each not in before:
            return authorize(group_id, Rule(**each))
    return revoke(group_id, [Rule(**each) for each in before if each not in after])


_rules_editor = editor(read=read_rules, write=write_rules, stale=STALE)


@_rules_editor
def add_rule(content: JSON, *, rule: JSON) -> JSON:
    """Add a rule, unless there is one for the same ports and network."""
    known = [_traffic(Rule(**each)) for each in content]
    return content if _traffic(Rule(**rule)) in known else [*content, rule]


@_rules_editor
def close_port(content: JSON, *, protocol: str, cidr: str, label: str, port: int) -> JSON:
    """Take away the rule with that range, or the part of it, that admits the port."""
    gone_ones = _admitting([Rule(**each) for each in content], protocol, cidr, label, port)
    return [each for each in content if Rule(**each) not in gone_ones]


@_rules_editor
def reopen_port(content: JSON, *, rule: JSON, label: str, port: int) -> JSON:
    """Add the rule that admits the port and the parts on both sides of it.

    `rule` says of which protocol, network, description and tags. Raise Failed where a range of
    several ports has no part left beside the port: somebody closed it whole.
    """
    rules = [Rule(**each) for each in content]
    new = Rule(**rule)
    parts = [
        part
        for side in (BELOW, ABOVE)
        for part in _parts(rules, new.protocol, new.cidr, label, port, side)
    ]
    if not parts and label != f"{port}-{port}":
        raise Failed(f"no rule is left of {new.protocol} {label} from {new.cidr}: closed whole")
    low = min(part.low for part in (*parts, replace(new, low=port)))
    high = max(part.high for part in (*parts, replace(new, high=port)))
    whole = label == f"{low}-{high}"
    tags = new.own_tags if whole else new.tags
    return [*content, asdict(replace(new, low=low, high=high, tags=tags))]


@_rules_editor
def drop_rest(content: JSON, *, protocol: str, cidr: str, label: str, port: int, side: str) -> JSON:
    """Take away the part on that side of the port, once a rule admits both it and the port."""
    rules = [Rule(**each) for each in content]
    wide = [each for each in rules if each.same_traffic(protocol, cidr) and each.covers(port)]
    needless = [
        part
        for part in _parts(rules, protocol, cidr, label, port, side)
        if any(each.low <= part.low and part.high <= each.high for each in wide)
    ]
    return [each for each in content if Rule(**each) not in needless]
