"""Network Firewall: traffic alerts, which Firebreak puts on the bus, and native state changes."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.errors import Rejected
from chalicelib.fields import Fields
from chalicelib.finding import Finding, Indicator, Resource
from chalicelib.firewall_logs import DETAIL_TYPE, SOURCE
from chalicelib.sources import Reading

NATIVE = "aws.network-firewall"
ALERT = "NetworkFirewall/Alert"

# https://docs.aws.amazon.com/network-firewall/latest/developerguide/eventbridge-events.html
# detail-type: the finding's type, and what its statuses are called ("Current …", "Previous …").
CHANGES: Mapping[str, tuple[str, str]] = {
    "Firewall Configuration Changed": (
        "NetworkFirewall/ConfigurationChanged",
        "Configuration Sync Status",
    ),
    "Firewall Attachment Status Changed": (
        "NetworkFirewall/AttachmentStatusChanged",
        "Attachment Status",
    ),
    "Firewall Transit Gateway Attachment Status Changed": (
        "NetworkFirewall/TransitGatewayAttachmentStatusChanged",
        "Transit Gateway Attachment Status",
    ),
}

# Suricata's severity (1 is the worst, 3 where a rule says none) on GuardDuty's scale: the middle of
# High, Medium and Low, and the least there is. None is Critical: one packet matching one signature
# is no proof of a compromise, and GuardDuty keeps Critical for several signals that agree.
# https://docs.suricata.io/en/latest/rules/meta.html#priority
SEVERITY: Mapping[int, float] = {1: 8.0, 2: 5.0, 3: 2.0, 4: 1.0}
UNSAID = 3

# A firewall that comes up or takes its rules is for information; one that goes away, lacks rules or
# has a status that is not known may let traffic pass uninspected; a failure asks for a person.
# https://docs.aws.amazon.com/network-firewall/latest/APIReference/API_Attachment.html
STATUS: Mapping[str, float] = {
    **dict.fromkeys(("IN_SYNC", "READY"), 1.0),
    **dict.fromkeys(("CREATING", "PENDING", "PENDING_ACCEPTANCE", "SCALING"), 1.0),
    **dict.fromkeys(("ERROR", "FAILED"), 5.0),
}
OTHER_STATUS = 4.0  # DELETING, DELETED, REJECTED, CAPACITY_CONSTRAINED, NOT_SUBSCRIBED …

FIREWALL = re.compile(
    r"arn:(aws(?:-[a-z]+)*):network-firewall:([a-z0-9-]+):([0-9]{12}):firewall/([A-Za-z0-9-]{1,128})"
)

# Addresses that are nobody's on the internet, so never remote. `ipaddress.is_global` would also
# leave out the ranges kept for documentation (RFC 5737, RFC 3849), which examples and tests use as
# stand-ins for the internet; no packet has them.
# https://www.iana.org/assignments/iana-ipv4-special-registry
# https://www.iana.org/assignments/iana-ipv6-special-registry
PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
        *("::/127", "64:ff9b:1::/48", "100::/64", "5f00::/16", "fc00::/7", "fe80::/10"),
        *("fec0::/10", "ff00::/8"),
    )
)

LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# Names that only mean something inside: https://www.iana.org/assignments/special-use-domain-names
# and ICANN's .internal, which EC2 uses.
INSIDE = frozenset(("arpa", "internal", "invalid", "local", "localhost"))

# What a finding's `detail` holds of the record: its name there, where the record has it.
RECORD: Mapping[str, str] = {
    "signature": "alert.signature",
    "category": "alert.category",
    "action": "alert.action",
    "verdict": "verdict.action",
    "proto": "proto",
    "app_proto": "app_proto",
    "hostname": "http.hostname",
    "url": "http.url",
    "http_method": "http.http_method",
    "user_agent": "http.http_user_agent",
    "sni": "tls.sni",
}


def recognises(event: Mapping[str, Any]) -> bool:
    """Say whether the event is an alert put on the bus by Firebreak, or a state change."""
    source, kind = event.get("source"), event.get("detail-type")
    return (source == SOURCE and kind == DETAIL_TYPE) or (
        source == NATIVE and isinstance(kind, str) and kind in CHANGES
    )


def read(event: Mapping[str, Any]) -> Reading:
    """Return the finding of an alert or a state change.

    https://docs.aws.amazon.com/network-firewall/latest/developerguide/eventbridge-events.html
    """
    fields = Fields(event)
    if event.get("source") == SOURCE:
        return Reading(event, (_alert(fields.child("detail")),))
    return Reading(event, (_change(fields),))


@dataclass(frozen=True, slots=True)
class _Firewall:
    """Holds what a firewall's ARN says, which is the one thing believed about whose it is."""

    partition: str
    region: str
    account: str
    name: str
    arn: str

    def resource(self, **attributes: list[str]) -> Resource:
        known = {name: values for name, values in attributes.items() if values}
        return Resource("firewall", self.name, self.arn, known)


def _firewall(arn: Fields) -> _Firewall:
    text = arn.identifier(max_length=2048)
    found = FIREWALL.fullmatch(text)
    if not found:
        arn.reject(f"'{text[:80]}' is not the ARN of a firewall")
    partition, region, account, name = found.groups()
    return _Firewall(partition, region, account, name, text)


@dataclass(frozen=True, slots=True)
class _Traffic:
    """Holds which side is whose: at most one address is remote, and only where that is certain."""

    local: str | None
    remote: str | None
    direction: str
    local_ports: tuple[int, ...]
    remote_ports: tuple[int, ...]


def _alert(detail: Fields) -> Finding:
    firewall = _firewall(detail.child("firewallArn"))
    event, traffic = detail.child("event"), _traffic(detail)
    signature_id = event.integer("alert.signature_id", least=0)
    return Finding(
        id=detail.identifier("findingId", max_length=128),
        source=SOURCE,
        type=ALERT,
        title=event.text("alert.signature", "") or f"Signature {signature_id}",
        description=_described(detail, event),
        severity=_severity(event),
        account=firewall.account,
        region=firewall.region,
        partition=firewall.partition,
        created_at=detail.time("firstSeen", ""),
        updated_at=detail.time("lastSeen", ""),
        first_seen=detail.time("firstSeen", ""),
        last_seen=detail.time("lastSeen", ""),
        resource=firewall.resource(availability_zones=detail.texts("availabilityZones")),
        indicators=tuple(_indicators(detail, traffic)),
        role={"OUTBOUND": "ACTOR", "INBOUND": "TARGET"}.get(traffic.direction),
        count=detail.integer("count", 1, least=1),
        detail=_only_here(detail, traffic) | {"signature_id": signature_id},
    )


def _severity(event: Fields) -> float:
    said = event.integer("alert.severity", UNSAID)
    return SEVERITY.get(min(said, max(SEVERITY)), SEVERITY[UNSAID])


def _described(detail: Fields, event: Fields) -> str:
    action, proto = _said(event, "alert.action") or "seen", _said(event, "proto")
    source, destination = detail.address("source"), detail.address("destination")
    return f"{proto} from {source} to {destination}: {action}".strip()


def _only_here(detail: Fields, traffic: _Traffic) -> dict[str, Any]:
    event = detail.child("event")
    held: dict[str, Any] = {name: _said(event, path) for name, path in RECORD.items()}
    held["names"] = _names(detail)
    held["source"], held["destination"] = detail.address("source"), detail.address("destination")
    held["local_address"], held["remote_address"] = traffic.local, traffic.remote
    return {name: value for name, value in held.items() if value}


def _said(event: Fields, path: str) -> str:
    """Return a text that describes an alert; of another type it is left out, the alert stands."""
    try:
        return event.text(path, "")
    except Rejected:
        return ""


def _names(detail: Fields) -> list[str]:
    return [name.text(max_length=255) for name in detail.each("names")]


def _ports(detail: Fields, key: str) -> tuple[int, ...]:
    return tuple(port.integer(least=0, most=65535) for port in detail.each(key))


def _traffic(detail: Fields) -> _Traffic:
    """Tell the remote side: the one public address where the other is private or one's own.

    Where both are public or both private nothing says which is ours, so none is remote: a block
    that hits an own address does more harm than one that is missing.
    """
    source, destination = detail.address("source"), detail.address("destination")
    ports = _ports(detail, "sourcePorts"), _ports(detail, "destinationPorts")
    own = {address.address() for address in detail.each("own")}
    remote = [each for each in (source, destination) if is_public(each) and each not in own]
    if len(remote) != 1:
        return _Traffic(None, None, "UNKNOWN", (), ())
    local, local_ports, remote_ports = (
        (destination, ports[1], ports[0]) if remote[0] == source else (source, *ports)
    )
    ways = {local: "OUTBOUND", remote[0]: "INBOUND"}
    direction = ways.get(detail.address("client", ""), "UNKNOWN")
    return _Traffic(local, remote[0], direction, local_ports, remote_ports)


def is_public(address: str) -> bool:
    """Say whether an address is one of the internet's, by the list above."""
    found = ipaddress.ip_address(address)
    return not any(found in network for network in PRIVATE)


def _indicators(detail: Fields, traffic: _Traffic) -> Iterator[Indicator]:
    """Yield the remote address, the names asked for, and the server's port.

    Names only of what went out: coming in they are one's own. Of a DNS query only the name: its
    address is that of a resolver that others need. The client's port is drawn anew each time.
    """
    if traffic.remote is None:
        return
    direction, names = traffic.direction, _names(detail)
    asked_dns = _said(detail, "event.app_proto") == "dns" and bool(names)
    if direction == "INBOUND" or not asked_dns:
        yield Indicator("address", traffic.remote, direction)
    if direction == "OUTBOUND":
        found = dict.fromkeys(domain(name) for name in names)
        yield from (Indicator("domain", name, direction) for name in found if name)
        if not asked_dns:
            yield from (Indicator("port", str(port), direction) for port in traffic.remote_ports)
    if direction == "INBOUND":
        yield from (Indicator("local_port", str(port), direction) for port in traffic.local_ports)


def domain(name: str) -> str | None:
    """Return a name as a public domain, in lower case; None for addresses and inner names."""
    host, colon, port = name.lower().rstrip(".").partition(":")
    labels = host.rstrip(".").split(".")
    shaped = len(host) <= 253 and len(labels) > 1 and all(LABEL.fullmatch(each) for each in labels)
    if not name.isascii() or not shaped or (colon and not port.isdecimal()):
        return None
    if labels[-1].isdecimal() or labels[-1] in INSIDE:
        return None
    return ".".join(labels)


def _change(event: Fields) -> Finding:
    kind = event.identifier("detail-type")
    name, status = CHANGES[kind]
    firewall = _firewall(_first(event, "resources"))
    changes = [_changed(each, status) for each in _each(event.child("detail.data"))]
    now = [change.get("current", "") for change in changes]
    return Finding(
        id=_change_id(event, firewall, name),
        source=NATIVE,
        type=name,
        title=f"{kind}: {firewall.name}, now {', '.join(sorted({*now})) or 'unknown'}"[:256],
        severity=max((STATUS.get(each, OTHER_STATUS) for each in now), default=OTHER_STATUS),
        account=firewall.account,
        region=firewall.region,
        partition=firewall.partition,
        created_at=event.time("time", ""),
        updated_at=event.time("time", ""),
        resource=firewall.resource(
            endpoints=_distinct(changes, "endpoint_id"),
            availability_zones=_distinct(changes, "availability_zone"),
        ),
        detail={"changes": changes},
    )


def _first(event: Fields, key: str) -> Fields:
    for item in event.each(key):
        return item
    raise Rejected(f"{key}[0]", "is missing")


def _each(data: Fields) -> Iterator[Fields]:
    """Yield each change; a transit gateway's is an object, those of the others a list of them."""
    if isinstance(data.value, Mapping):
        yield data
    else:
        yield from data.each()


def _changed(item: Fields, status: str) -> dict[str, str]:
    found = {
        "availability_zone": item.identifier("Availability Zone", ""),
        "endpoint_id": item.identifier("Endpoint ID", ""),
        "attachment_id": item.identifier("Attachment ID", ""),
        "configuration_arn": item.identifier("Configuration Resource ARN", "", max_length=2048),
        "current": _status(item, "Current", status),
        "previous": _status(item, "Previous", status),
    }
    return {name: value for name, value in found.items() if value}


def _status(item: Fields, when: str, status: str) -> str:
    return item.identifier(f"{when} {status}", "") or item.identifier(
        f"{when} Attachment Status", ""
    )


def _distinct(changes: list[dict[str, str]], name: str) -> list[str]:
    return list(dict.fromkeys(change[name] for change in changes if name in change))


def _change_id(event: Fields, firewall: _Firewall, name: str) -> str:
    """Return a hash of the change, which has an id of its own; a repeated delivery has the same."""
    state = event.identifier("detail.metadata.State Change ID", "") or event.identifier("id")
    return hashlib.sha256(json.dumps([firewall.arn, name, state]).encode()).hexdigest()
