"""Which remote addresses and domains may be blocked without cutting off oneself or AWS."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

from chalicelib.effect import Reader
from chalicelib.errors import Refused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# One address of IPv4, one site of IPv6: wider blocks hit bystanders behind the same provider.
WIDEST: Mapping[int, int] = {4: 32, 6: 64}

# What never is one remote host: the IANA IPv4 and IPv6 Special-Purpose Address Registries and the
# multicast registries. Left out on purpose: 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24
# (RFC 5737), 2001:db8::/32 (RFC 3849) and 3fff::/20 (RFC 9637), which stand for remote hosts in
# GuardDuty's sample findings, examples and tests; and 2002::/16 (6to4), which remote hosts use.
SPECIAL: Mapping[str, str] = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by carriers",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local, where AWS has instance metadata, DNS and time",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved for protocols",
    "192.31.196.0/24": "AS112 name servers",
    "192.52.193.0/24": "multicast tunnelling",
    "192.88.99.0/24": "6to4 relays",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "AS112 name servers",
    "198.18.0.0/15": "benchmarking",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    "::/127": "unspecified and loopback",
    "::ffff:0:0/96": "IPv4 written as IPv6",
    "64:ff9b::/96": "IPv4 translated to IPv6",
    "64:ff9b:1::/48": "private IPv4 translated to IPv6",
    "100::/64": "discarded",
    "100:0:0:1::/64": "dummy",
    "2001::/23": "reserved for protocols",
    "2620:4f:8000::/48": "AS112 name servers",
    "5f00::/16": "segment routing",
    "fc00::/7": "private, where AWS has instance metadata, DNS and time (fd00:ec2::/32)",
    "fe80::/10": "link-local",
    "ff00::/8": "multicast",
}

# AWS's own interfaces live below these; an account without them cannot be defended.
AWS_DOMAINS = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "api.aws",
    "aws.amazon.com",
    "amazontrust.com",
)

NEVER = {
    "type": "array",
    "items": {"type": "string", "pattern": "^[0-9A-Fa-f:.]+/[0-9]{1,3}$"},
    "default": [],
    "description": "networks that are never blocked, such as partners' and offices'",
}

OWN_PERMISSIONS = (
    "ec2:DescribeVpcs",
    "ec2:DescribeAddresses",
    "ec2:DescribeManagedPrefixLists",
    "ec2:GetManagedPrefixListEntries",
)
# AWS's own lists, whose ARNs have `aws` where others have an account.
# https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html
OWN_TARGETS = {
    "ec2:GetManagedPrefixListEntries": ("arn:{partition}:ec2:{region}:aws:prefix-list/*",)
}

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_TABLE = tuple((ipaddress.ip_network(each), what) for each, what in SPECIAL.items())


def canonical(cidr: str) -> str:
    """Return the network as AWS writes it, host bits cleared. Raise ValueError for no network."""
    return str(ipaddress.ip_network(cidr, strict=False))


def version(cidr: str) -> int:
    """Return 4 or 6."""
    return ipaddress.ip_network(cidr, strict=False).version


def overlap(one: str, other: str) -> bool:
    """Say whether two networks share an address."""
    return _share(
        ipaddress.ip_network(one, strict=False), ipaddress.ip_network(other, strict=False)
    )


def blockable(cidr: str, own: Mapping[str, str]) -> str | None:
    """Return why a network must not be blocked, or None where it may be.

    `own` names networks that are never blocked, and whose they are. Wider than one IPv4 address
    or an IPv6 /64 is refused: a site is the most that one finding speaks of.
    """
    try:
        asked = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return "not a network"
    if asked.prefixlen < WIDEST[asked.version]:
        return f"wider than /{WIDEST[asked.version]}"
    for special, what in _TABLE:
        if _share(asked, special):
            return f"in {special}: {what}"
    for each, whose in own.items():
        if overlap(cidr, each):
            return f"in {each}: {whose}"
    return None


def blockable_domain(domain: str) -> str | None:
    """Return why a domain must not be blocked, or None where it may be.

    It must be a host name in small letters: at least two labels of letters, digits and hyphens,
    253 characters at most, the last label not a number (RFC 1123, section 2.1).
    """
    labels = domain.split(".")
    if len(domain) > 253 or len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):
        return "not a host name"
    if labels[-1].isdigit():
        return "not a host name"
    if any(domain == each or domain.endswith(f".{each}") for each in AWS_DOMAINS):
        return "belongs to AWS"
    return None


def sort_out(
    cidrs: Iterable[str], own: Mapping[str, str]
) -> tuple[list[str], list[dict[str, str]]]:
    """Return what may be blocked, canonical and each once, and the others with the reasons."""
    good: dict[str, None] = {}
    skipped: dict[str, str] = {}
    for cidr in cidrs:
        reason = blockable(cidr, own)
        if reason is None:
            good[canonical(cidr)] = None
        else:
            skipped[cidr] = reason
    return list(good), [{"value": each, "reason": why} for each, why in skipped.items()]


def own_networks(aws: Reader, cidrs: Iterable[str], never: Iterable[str]) -> dict[str, str]:
    """Return the networks that must stay reachable, and whose they are.

    They are the VPCs of the account in this region, those of its Elastic IP addresses that are
    among `cidrs`, the services that AWS names in its managed prefix lists (S3, DynamoDB,
    CloudFront and others; VPC user guide, "AWS-managed prefix lists"), and `never`. Raise Refused
    where `never` names something else than networks.
    """
    own = dict.fromkeys(_checked(never), "never to be blocked, says the playbook")
    own |= dict.fromkeys(aws.own_networks, "a network of one's own, say the stage's settings")
    own |= {each: name for name, each in _service_networks(aws)}
    own |= {each: vpc for vpc, each in _vpc_networks(aws)}
    return own | dict.fromkeys(_elastic(aws, cidrs), "an Elastic IP address of this account")


def _checked(never: Iterable[str]) -> list[str]:
    try:
        return [canonical(each) for each in never]
    except ValueError as error:
        raise Refused("not_a_network", f"`never`: {error}") from error


def _share(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _vpc_networks(aws: Reader) -> Iterable[tuple[str, str]]:
    for vpc in aws.pages("ec2", "describe_vpcs", "Vpcs"):
        for association in vpc.get("CidrBlockAssociationSet", []):
            yield vpc["VpcId"], association["CidrBlock"]
        for association in vpc.get("Ipv6CidrBlockAssociationSet", []):
            yield vpc["VpcId"], association["Ipv6CidrBlock"]


def _service_networks(aws: Reader) -> Iterable[tuple[str, str]]:
    lists = aws.pages(
        "ec2",
        "describe_managed_prefix_lists",
        "PrefixLists",
        Filters=[{"Name": "owner-id", "Values": ["AWS"]}],
    )
    for each in lists:
        entries = aws.pages(
            "ec2",
            "get_managed_prefix_list_entries",
            "Entries",
            PrefixListId=each["PrefixListId"],
        )
        for entry in entries:
            yield each["PrefixListName"], entry["Cidr"]


def _elastic(aws: Reader, cidrs: Iterable[str]) -> list[str]:
    asked = [cidr.partition("/")[0] for cidr in cidrs if cidr.endswith("/32")]
    if not asked:
        return []
    found = aws.read("ec2", "describe_addresses", Filters=[{"Name": "public-ip", "Values": asked}])[
        "Addresses"
    ]
    return [f"{each['PublicIp']}/32" for each in found]
