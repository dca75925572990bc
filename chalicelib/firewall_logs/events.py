"""Alerts grouped into events, and events parted for PutEvents."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from chalicelib.fields import partition_of
from chalicelib.firewall_logs.alert import Alert, compact

SOURCE = "firebreak.network-firewall"
DETAIL_TYPE = "Network Firewall Alert"

# What is gathered over the repeats of an alert.
ZONES = 20
PORTS = 50  # of either side
NAMES = 50  # names asked for; of any more the number

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size and
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html: 10 entries, and
# 256 KB in all (newer SDKs say 1 MB). The rest is left for the keys of the JSON around an event.
REQUEST_ENTRIES = 10
REQUEST_BYTES = 240 * 1024


def alert_events(
    alerts: Iterable[Alert], account: str, region: str, own: Sequence[str] = ()
) -> tuple[dict[str, Any], ...]:
    """Return a PutEvents entry for all repeats of a firewall, signature, source and destination.

    account, region: of alerts whose log does not tell. own: networks of one's own that are public
    (IPv6, brought addresses): an address in them is never taken for a remote one.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
    """
    networks = [ipaddress.ip_network(network) for network in own]
    groups: dict[_Key, list[Alert]] = defaultdict(list)
    for alert in alerts:
        owner = (alert.account or account, alert.region or region)
        key = _Key(*owner, alert.firewall, alert.signature_id, alert.source, alert.destination)
        groups[key].append(alert)
    return tuple(_entry(key, repeats, networks) for key, repeats in groups.items())


class _Key(NamedTuple):
    """Names what repeats of an alert have in common; a finding's id is its hash."""

    account: str
    region: str
    firewall: str
    signature_id: int
    source: str
    destination: str

    @property
    def finding_id(self) -> str:
        return hashlib.sha256(json.dumps(self).encode()).hexdigest()

    @property
    def arn(self) -> str:
        service = f"arn:{partition_of(self.region)}:network-firewall"
        return f"{service}:{self.region}:{self.account}:firewall/{self.firewall}"


Networks = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]


def _entry(key: _Key, repeats: Sequence[Alert], own: Networks) -> dict[str, Any]:
    detail = {
        "version": "1",
        "findingId": key.finding_id,
        "accountId": key.account,
        "region": key.region,
        "firewallArn": key.arn,
        "firewallName": key.firewall,
        **_repeats(repeats),
        "source": key.source,
        "destination": key.destination,
        "own": sorted(each for each in {key.source, key.destination} if _within(each, own)),
        "event": min(repeats, key=lambda alert: alert.weight).event,
    }
    return {
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Resources": [key.arn],
        "Detail": compact(detail),
    }


def _within(address: str, networks: Networks) -> bool:
    return any(ipaddress.ip_address(address) in network for network in networks)


def _repeats(repeats: Sequence[Alert]) -> dict[str, Any]:
    """Return what the repeats of an alert say together; a client only where they agree on it."""
    clients = {alert.client for alert in repeats}
    seen = sorted(alert.seen for alert in repeats if alert.seen)
    names = list(dict.fromkeys(name for alert in repeats for name in alert.names))
    return {
        "count": len(repeats),
        "firstSeen": seen[0] if seen else "",
        "lastSeen": seen[-1] if seen else "",
        "client": clients.pop() if len(clients) == 1 else "",
        "availabilityZones": sorted({alert.zone for alert in repeats} - {""})[:ZONES],
        "sourcePorts": sorted({alert.source_port for alert in repeats} - {0})[:PORTS],
        "destinationPorts": sorted({alert.destination_port for alert in repeats} - {0})[:PORTS],
        "names": names[:NAMES],
        "namesLeftOut": len(names[NAMES:]),
    }


def entries(events: Iterable[Mapping[str, Any]]) -> tuple[tuple[Mapping[str, Any], ...], ...]:
    """Return the events in chunks, each of which one PutEvents takes.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size
    """
    chunks: list[list[Mapping[str, Any]]] = []
    room = 0
    for event in events:
        size = _size(event)
        if not chunks or len(chunks[-1]) == REQUEST_ENTRIES or size > room:
            chunks.append([])
            room = REQUEST_BYTES
        chunks[-1].append(event)
        room -= size
    return tuple(tuple(chunk) for chunk in chunks)


def _size(event: Mapping[str, Any]) -> int:
    """Return how EventBridge reckons the size of an entry without a time."""
    texts = (event["Source"], event["DetailType"], event["Detail"], *event["Resources"])
    return sum(len(text.encode()) for text in texts)
