"""One alert of a firewall's log, checked and cut to size."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.fields import Fields

# What an attacker wrote (URLs, host names, user agents) is cut, so that an event stays below the
# 256 KB that PutEvents takes; EVENT_BYTES is what a record may come to.
TEXT = 1024  # characters of a text
KEY = 64  # characters of a key
ITEMS = 64  # members of an object or list
DEPTH = 5  # objects and lists within each other
NAME = 255  # characters of a name that was asked for
EVENT_BYTES = 96 * 1024  # past it only what ESSENTIAL names is kept

ESSENTIAL = frozenset(
    "timestamp flow_id event_type src_ip src_port dest_ip dest_port proto app_proto direction "
    "action signature_id rev signature category severity".split()
)
FIREWALL = re.compile(r"[A-Za-z0-9-]{1,128}")
# A zone's name begins with its region's: us-east-1a, us-west-2-lax-1a.
# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html
ZONE = re.compile(r"([a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2})(?:[a-z]|-[a-z0-9-]+)")


@dataclass(frozen=True, slots=True)
class Alert:
    """Hold one alert of a firewall's log, checked and cut to size.

    client: the address that opened the flow, empty where the record does not tell. names: what was
    asked for (HTTP host, TLS server name, DNS name), as sent. account, region: whose log it was in,
    empty where that is not known; where the log does not tell the region, the firewall's zone does.
    """

    firewall: str
    zone: str
    signature_id: int
    source: str
    destination: str
    source_port: int
    destination_port: int
    client: str
    seen: str
    names: tuple[str, ...]
    event: Mapping[str, Any]
    account: str = ""
    region: str = ""

    @property
    def weight(self) -> tuple[bool, str]:
        """Return the order of standing for the repeats: what was let through, then the earliest."""
        return (self.event["alert"].get("action") != "allowed", self.seen)


def alert(record: Fields, account: str, region: str) -> Alert:
    """Return the alert that a bounded log record is. Raise Rejected where it is of another shape.

    https://docs.aws.amazon.com/network-firewall/latest/developerguide/firewall-logging-contents.html
    """
    firewall = record.identifier("firewall_name")
    if not FIREWALL.fullmatch(firewall):
        record.child("firewall_name").reject("is not the name of a firewall")
    event = record.child("event")
    event.text("alert.signature", "")
    event.integer("alert.severity", None)
    source, destination = event.address("src_ip"), event.address("dest_ip")
    zone = record.identifier("availability_zone", "", max_length=KEY)
    return Alert(
        firewall=firewall,
        zone=zone,
        signature_id=event.integer("alert.signature_id", least=0, most=2**32),
        source=source,
        destination=destination,
        source_port=event.integer("src_port", 0, least=0, most=65535),
        destination_port=event.integer("dest_port", 0, least=0, most=65535),
        client=_client(event, source, destination),
        seen=event.time("timestamp", ""),
        names=tuple(_names(event.value)),
        event=_fitting(event.value),
        account=account,
        region=region or _region_of(zone),
    )


def _region_of(zone: str) -> str:
    """Return the region of an availability zone, "" where its name tells none."""
    found = ZONE.fullmatch(zone)
    return found[1] if found else ""


def _client(event: Fields, source: str, destination: str) -> str:
    """Return which of the two addresses opened the flow, empty where the record does not tell.

    An alert has the addresses of the packet; the flow's own, where given, are client and server.
    https://docs.suricata.io/en/latest/output/eve/eve-json-format.html
    """
    opener = event.address("flow.src_ip", "")
    if opener in (source, destination):
        return opener
    return {"to_server": source, "to_client": destination}.get(event.text("direction", ""), "")


def _names(event: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names asked for; Suricata's versions write DNS in several ways."""
    http, tls, dns = (members(event.get(key)) for key in ("http", "tls", "dns"))
    queries = [query for key in ("query", "queries") for query in _items(dns.get(key))]
    asked = [members(each).get("rrname") for each in (dns, *queries, dns.get("answer"))]
    for name in (http.get("hostname"), tls.get("sni"), *asked):
        if isinstance(name, str) and name:
            yield name[:NAME]


def _fitting(event: Mapping[str, Any]) -> Mapping[str, Any]:
    if len(compact(event).encode()) <= EVENT_BYTES:
        return event
    return {**_plain(event), "alert": _plain(event["alert"]), "truncated": True}


def _plain(event: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: event[key] for key in sorted(ESSENTIAL & event.keys())}
    return {key: value for key, value in kept.items() if not isinstance(value, dict | list)}


def members(value: object) -> Mapping[str, Any]:
    """Return an object, an empty one where the value is none."""
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def cut(text: str, length: int) -> str:
    """Return the beginning of a text, with `?` for half a surrogate pair."""
    return text[:length].encode("utf-8", "replace").decode()


def compact(value: object) -> str:
    """Return a value as JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def bounded(value: Any, depth: int = 0) -> Any:
    """Return a JSON value cut to a size and to what every JSON reader takes."""
    if isinstance(value, Mapping | list) and depth == DEPTH:
        return "…"
    if isinstance(value, Mapping):
        kept = list(value.items())[:ITEMS]
        return {cut(str(key), KEY): bounded(item, depth + 1) for key, item in kept}
    if isinstance(value, list):
        return [bounded(item, depth + 1) for item in value[:ITEMS]]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    return cut(value if isinstance(value, str) else repr(value), TEXT)
