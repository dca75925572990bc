"""What AWS Config complains of: a security group that is open to the world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chalicelib.finding import RESOLVED, Resource
from firebreak.scene.ids import derived
from firebreak.scene.making import Making
from firebreak.scene.network import WORLD, WORLD_IPV6, Opening, ensure_group, ensure_vpc

PORTS = (22,)  # where the event does not say which
WEB = 443
INSIDE = "10.0.0.0/16"
LAST = 65_535


def security_group(making: Making, resource: Resource) -> None:
    """Make a group that is open as the rule says, or closed where the finding is resolved."""
    own = derived("vpc", making.finding.account, resource.id)
    vpc = ensure_vpc(making, resource.attributes.get("vpc_id") or own)
    ports = making.finding.detail.get("ports") or PORTS
    found = [Opening(WEB, WEB, WORLD, "web"), Opening(ports[0], ports[0], INSIDE, "inside")]
    if making.finding.status != RESOLVED:
        found += _open(ports)
    ensure_group(making, resource.id, "open-to-the-world", vpc, dict.fromkeys(found))


def _open(ports: Sequence[int]) -> Iterator[Opening]:
    """Yield each port open to the world, the first for IPv6 too, and a range around it."""
    for port in ports:
        yield Opening(port, port, WORLD, f"port {port}")
    first = ports[0]
    yield Opening(first, first, WORLD_IPV6, f"port {first}")
    yield Opening(max(first - 2, 1), min(first + 8, LAST), WORLD, "a range")
