"""Firewalls of AWS Network Firewall, with a VPC and a policy."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.finding import Resource
from firebreak.scene.ids import derived
from firebreak.scene.making import Making, exists
from firebreak.scene.network import ensure_subnet, ensure_vpc

FORWARD = ["aws:forward_to_sfe"]
POLICY = {
    "StatelessDefaultActions": FORWARD,
    "StatelessFragmentDefaultActions": FORWARD,
    "StatefulEngineOptions": {"RuleOrder": "STRICT_ORDER"},
    "StatefulDefaultActions": ["aws:alert_established"],
}


def firewall(making: Making, resource: Resource) -> None:
    """Make a firewall that forwards everything to stateful rules, of which it has none yet."""
    client = making.client("network-firewall")
    if exists(client.describe_firewall, FirewallName=resource.id):
        return
    vpc_id, subnets = _network(making, resource)
    with making.attempt(f"policy of firewall {resource.id}"):
        client.create_firewall_policy(FirewallPolicyName=resource.id, FirewallPolicy=POLICY)
    place = f"arn:{making.finding.partition}:network-firewall:{making.finding.region}"
    client.create_firewall(
        FirewallName=resource.id,
        FirewallPolicyArn=f"{place}:{making.finding.account}:firewall-policy/{resource.id}",
        VpcId=vpc_id,
        SubnetMappings=[{"SubnetId": each} for each in subnets],
    )
    making.made.append(f"firewall {resource.id} in {vpc_id}")


def _network(making: Making, resource: Resource) -> tuple[str, Sequence[str]]:
    """Make the VPC that the finding's own address is in, and a subnet in each zone."""
    own = (making.finding.account, resource.id)
    vpc_id, local = derived("vpc", *own), making.finding.detail.get("local_address")
    vpc = ensure_vpc(making, vpc_id, [local] if local else [])
    zones = resource.attributes.get("availability_zones") or [None]
    subnets = [derived("subnet", *own, str(each)) for each in zones]
    for subnet_id, zone_name in zip(subnets, zones, strict=True):
        ensure_subnet(making, subnet_id, vpc, zone_name)
    return vpc_id, subnets
