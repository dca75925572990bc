"""What may be blocked: remote hosts; never oneself, AWS, or half the internet."""

from __future__ import annotations

import ipaddress

import pytest

from chalicelib.addresses import SPECIAL, blockable, blockable_domain, canonical, sort_out

OWN = {"203.0.113.0/24": "vpc-1", "2001:db8:1::/56": "vpc-1"}


@pytest.mark.parametrize(
    "cidr",
    ["198.51.100.7/32", "192.0.2.1/32", "8.8.8.8/32", "2001:db8:2::7/128", "2606:4700::/64"],
)
def test_a_remote_host_is_blockable(cidr: str) -> None:
    """One IPv4 address, one IPv6 address or site, documentation ranges included."""
    assert blockable(cidr, OWN) is None


@pytest.mark.parametrize(
    ("cidr", "reason"),
    [
        ("0.0.0.0/0", "wider than /32"),
        ("198.51.100.0/31", "wider than /32"),
        ("::/0", "wider than /64"),
        ("2606:4700::/63", "wider than /64"),
        ("203.0.113.9/32", "in 203.0.113.0/24: vpc-1"),
        ("2001:db8:1:ff::/64", "in 2001:db8:1::/56: vpc-1"),
        ("300.1.1.1/32", "not a network"),
        ("1.2.3.4/33", "not a network"),
        ("evil.example", "not a network"),
        ("", "not a network"),
    ],
)
def test_what_is_not_blockable(cidr: str, reason: str) -> None:
    """Each refusal says why."""
    assert blockable(cidr, OWN) == reason


@pytest.mark.parametrize("special", SPECIAL)
def test_special_networks_are_never_blocked(special: str) -> None:
    """The first and the last address of every special network is refused."""
    network = ipaddress.ip_network(special)

    for address in (network[0], network[-1]):
        reason = blockable(f"{address}/{address.max_prefixlen}", {})
        assert reason
        assert reason.startswith("in ")


@pytest.mark.parametrize(
    "cidr",
    ["10.1.2.3/32", "172.31.0.2/32", "192.168.1.1/32", "169.254.169.254/32", "fd00:ec2::254/128"],
)
def test_what_aws_and_private_networks_need(cidr: str) -> None:
    """Private networks, instance metadata and the resolver are never blocked."""
    assert blockable(cidr, {})


def test_networks_are_canonical() -> None:
    """Host bits are cleared, as AWS does."""
    assert canonical("2001:DB8:0:0::7/64") == "2001:db8::/64"


def test_networks_are_sorted_out() -> None:
    """Each network is kept once, in order; what is left out has a reason."""
    good, skipped = sort_out(["198.51.100.7/32", "10.0.0.1/32", "198.51.100.7/32"], {})

    assert good == ["198.51.100.7/32"]
    assert skipped == [{"value": "10.0.0.1/32", "reason": "in 10.0.0.0/8: private"}]


@pytest.mark.parametrize(
    "domain", ["evil.example", "a.b-c.example", "xn--bcher-kva.example", "d1.cloudfront.net"]
)
def test_a_host_name_is_blockable(domain: str) -> None:
    """Letters, digits and hyphens in at least two labels."""
    assert blockable_domain(domain) is None


@pytest.mark.parametrize(
    "domain",
    [
        "example",
        "-a.example",
        "a-.example",
        "a..example",
        "a_b.example",
        "EVIL.example",
        'x";) pass ip any.example',
        "evil.example\n",
        "1.2.3.4",
        f"{'a' * 64}.example",
        f"{'a.' * 126}ab",
        "bücher.example",
        "",
    ],
)
def test_what_is_no_host_name(domain: str) -> None:
    """Anything that could mean more than a name is left out."""
    assert blockable_domain(domain) == "not a host name"


@pytest.mark.parametrize("domain", ["amazonaws.com", "sts.us-east-1.amazonaws.com", "ec2.api.aws"])
def test_domains_of_aws_are_never_blocked(domain: str) -> None:
    """Without AWS's own interfaces an account cannot be defended."""
    assert blockable_domain(domain) == "belongs to AWS"
