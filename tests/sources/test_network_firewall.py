"""Tests of reading Network Firewall's events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import Rejected
from chalicelib.finding import ATTRIBUTES, Finding, Resource, document
from chalicelib.firewall_logs import alert_events, records
from chalicelib.sources import Reading, read
from chalicelib.sources.network_firewall import domain, is_public

EVENTS = Path(__file__).parent.parent / "events" / "network_firewall"
ARN = "arn:aws:network-firewall:us-east-1:111122223333:firewall/egress"
NATIVE = [
    "firewall_configuration_changed.json",
    "firewall_attachment_changed.json",
    "firewall_transit_gateway_changed.json",
]

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def load(name: str) -> Any:
    return json.loads((EVENTS / name).read_text())


def finding(event: Any) -> Finding:
    (found,) = read(event).findings
    return found


def event_of(record: Any, own: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the event that ingest puts on the bus for a log record, as EventBridge delivers it."""
    (entry,) = alert_events(records(record).records, "111122223333", "us-east-1", own)
    return {
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "resources": entry["Resources"],
        "detail": json.loads(entry["Detail"]),
    }


def alert(name: str, own: tuple[str, ...] = (), **changes: Any) -> Finding:
    """Return the finding of a log record with other values in its EVE record."""
    record = load(name)
    record["event"] |= changes
    return finding(event_of(record, own))


def indicators(found: Finding) -> list[tuple[str, str, str]]:
    return [(i.kind, i.value, i.direction) for i in found.indicators]


class TestAlert:
    def test_an_alert_is_a_finding(self) -> None:
        """Firewall, signature, severity, times and count are taken from the event."""
        found = finding(load("alert_event.json"))

        assert "NetworkFirewall/Alert" == found.type
        assert "Malware command and control over TLS" == found.title
        assert "TCP from 10.0.1.25 to 203.0.113.80: allowed" == found.description
        assert (8.0, 2, "active") == (found.severity, found.count, found.status)
        assert ("111122223333", "us-east-1", "aws") == (
            found.account,
            found.region,
            found.partition,
        )
        assert "2026-03-03T09:30:45.118204Z" == found.first_seen
        assert "2026-03-03T09:35:45.000001Z" == found.last_seen
        assert found.resource == Resource(
            "firewall", "egress", ARN, {"availability_zones": ["us-east-1a", "us-east-1b"]}
        )

    def test_the_detail_holds_what_the_record_says(self) -> None:
        """What only the record has is there for messages, with no empty values."""
        detail = finding(load("alert_event.json")).detail

        assert {
            "signature_id": 1000042,
            "signature": "Malware command and control over TLS",
            "category": "Malware Command and Control Activity Detected",
            "action": "allowed",
            "proto": "TCP",
            "app_proto": "tls",
            "sni": "c2.bad.example",
            "names": ["c2.bad.example", "c2b.bad.example"],
            "source": "10.0.1.25",
            "destination": "203.0.113.80",
            "local_address": "10.0.1.25",
            "remote_address": "203.0.113.80",
        } == detail

    def test_the_envelope_is_the_event(self) -> None:
        """Playbooks match what came over the bus, unchanged."""
        event = load("alert_event.json")

        assert event == read(event).envelope

    @pytest.mark.parametrize(
        ("suricata", "severity"),
        [(1, 8.0), (2, 5.0), (3, 2.0), (4, 1.0), (255, 1.0), (0, 2.0), (None, 2.0)],
    )
    def test_severity_is_on_the_common_scale(self, suricata: Any, severity: float) -> None:
        """Suricata's 1 is High; what it does not rank is as where a rule says none."""
        rule = load("alert_dns.json")["event"]["alert"] | {"severity": suricata}

        assert severity == alert("alert_dns.json", alert=rule).severity

    def test_a_signature_without_text_is_named_by_its_id(self) -> None:
        """A rule may have no message."""
        assert "Signature 7" == alert("alert_dns.json", alert={"signature_id": 7}).title

    def test_a_description_of_another_type_does_not_lose_the_alert(self) -> None:
        """What only describes is left out where it is no text; the finding stands."""
        found = alert("alert_inbound_http.json", proto=["TCP"], http={"url": 7})

        assert "from 198.51.100.23 to 10.0.2.10: blocked" == found.description
        assert not {"proto", "url"} & found.detail.keys()

    def test_hostile_text_is_kept_as_data(self) -> None:
        """HTML, shell and rule syntax in a URL or user agent are carried as they are."""
        event = load("alert_inbound_http.json")["event"]["http"]
        detail = alert("alert_inbound_http.json").detail

        assert (event["url"], event["http_user_agent"]) == (detail["url"], detail["user_agent"])


class TestDirection:
    def test_outbound_names_the_remote_address_domains_and_port(self) -> None:
        """Going out, the own side acts; remote are the server's address, its names and its port."""
        found = finding(load("alert_event.json"))

        assert ("ACTOR", "OUTBOUND") == (found.role, found.direction)
        assert [
            ("address", "203.0.113.80", "OUTBOUND"),
            ("domain", "c2.bad.example", "OUTBOUND"),
            ("domain", "c2b.bad.example", "OUTBOUND"),
            ("port", "443", "OUTBOUND"),
        ] == indicators(found)

    def test_inbound_names_the_remote_address_and_the_own_port(self) -> None:
        """Coming in, the own side is the target, and the host asked for is its own."""
        found = alert("alert_inbound_http.json")

        assert ("TARGET", "INBOUND") == (found.role, found.direction)
        assert [
            ("address", "198.51.100.23", "INBOUND"),
            ("local_port", "8080", "INBOUND"),
        ] == indicators(found)

    def test_an_answer_counts_as_the_flow_it_belongs_to(self) -> None:
        """An alert on the server's packet going out still belongs to a flow that came in."""
        found = alert(
            "alert_inbound_http.json",
            src_ip="10.0.2.10",
            src_port=8080,
            dest_ip="198.51.100.23",
            dest_port=51515,
            direction="to_client",
        )

        assert [
            ("address", "198.51.100.23", "INBOUND"),
            ("local_port", "8080", "INBOUND"),
        ] == indicators(found)

    def test_a_dns_query_names_the_domain_not_the_resolver(self) -> None:
        """A resolver's address is not blocked for what was asked of it."""
        assert [("domain", "xk3v9qz7.bad.example", "OUTBOUND")] == indicators(
            alert("alert_dns.json")
        )

    def test_a_dns_query_of_unknown_direction_names_nothing(self) -> None:
        """Where it is not known who asked, neither name nor resolver is an indicator."""
        assert [] == indicators(alert("alert_dns.json", direction=None))

    def test_without_direction_the_address_is_remote_and_the_way_unknown(self) -> None:
        """The public side is remote all the same; ports and names need the way."""
        found = alert("alert_outbound_tls.json", direction=None, flow=None)

        assert (None, [("address", "203.0.113.80", "UNKNOWN")]) == (found.role, indicators(found))

    @pytest.mark.parametrize(
        ("source", "destination"),
        [
            ("10.0.1.25", "10.0.2.10"),
            ("203.0.113.80", "198.51.100.23"),
            ("2001:db8::1", "2001:db8::2"),
            ("10.0.1.25", "169.254.169.254"),
            ("203.0.113.80", "203.0.113.80"),
            ("100.64.0.1", "224.0.0.251"),
        ],
    )
    def test_no_indicator_where_the_sides_cannot_be_told(
        self, source: str, destination: str
    ) -> None:
        """Of two private or two public addresses either may be one's own, so none is named."""
        found = alert("alert_outbound_tls.json", src_ip=source, dest_ip=destination)

        assert (None, None, ()) == (found.role, found.direction, found.indicators)
        assert (source, destination) == (found.detail["source"], found.detail["destination"])

    def test_a_network_known_as_own_tells_two_public_sides_apart(self) -> None:
        """With one's own IPv6 network given, the other side is remote."""
        sides = {"src_ip": "2001:db8:1::5", "dest_ip": "2001:db8:2::9"}
        found = alert("alert_outbound_tls.json", own=("2001:db8:1::/48",), **sides)

        assert ("address", "2001:db8:2::9", "OUTBOUND") == indicators(found)[0]

    def test_an_own_public_address_is_no_indicator(self) -> None:
        """Traffic to one's own public address has no remote side."""
        assert [] == indicators(alert("alert_outbound_tls.json", own=("203.0.113.0/24",)))

    def test_documentation_ranges_count_as_public(self) -> None:
        """Examples and tests stand on ranges that `ipaddress` does not call global."""
        assert all(map(is_public, ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1")))

    @pytest.mark.parametrize(
        "address",
        "0.0.0.0 127.0.0.1 172.31.255.255 192.168.1.1 255.255.255.255 "
        ":: ::1 fd00:ec2::254 fe80::1 ff02::1".split(),
    )
    def test_special_addresses_are_not_public(self, address: str) -> None:
        """Private, local, multicast and reserved addresses are never remote."""
        assert not is_public(address)

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("C2.Bad.Example.", "c2.bad.example"),
            ("c2.bad.example:8443", "c2.bad.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("_dmarc.bad.example", "_dmarc.bad.example"),
            ("203.0.113.80", None),
            ("203.0.113.80:80", None),
            ("[2001:db8::1]", None),
            ("localhost", None),
            ("ip-10-0-1-25.ec2.internal", None),
            ("25.1.0.10.in-addr.arpa", None),
            ("bad..example", None),
            ("-bad.example", None),
            ("*.example", None),
            ("bad.example:http", None),
            ("bad.example/path", None),
            ("b\N{LATIN SMALL LETTER A WITH DIAERESIS}d.example", None),
            ("\N{KELVIN SIGN}bad.example", None),
            ("$(id).example", None),
            ("a" * 64 + ".example", None),
            ("a." * 130 + "example", None),
            ("", None),
        ],
    )
    def test_only_public_domains_are_indicators(self, name: str, expected: str | None) -> None:
        """Addresses, names that only mean something inside, and nonsense are no domains."""
        assert expected == domain(name)


class TestChange:
    @pytest.mark.parametrize(
        ("name", "kind", "severity", "status"),
        [
            (NATIVE[0], "NetworkFirewall/ConfigurationChanged", 1.0, "PENDING"),
            (NATIVE[1], "NetworkFirewall/AttachmentStatusChanged", 4.0, "DELETING"),
            (NATIVE[2], "NetworkFirewall/TransitGatewayAttachmentStatusChanged", 1.0, "READY"),
        ],
    )
    def test_a_state_change_is_a_finding(
        self, name: str, kind: str, severity: float, status: str
    ) -> None:
        """Each native event is a finding of its own type on the firewall."""
        found = finding(load(name))

        assert (kind, severity) == (found.type, found.severity)
        assert ("firewall", "egress", ARN) == (
            found.resource.kind,
            found.resource.id,
            found.resource.arn,
        )
        assert status == found.detail["changes"][0]["current"]

    def test_an_attachment_names_endpoint_and_zone(self) -> None:
        """The endpoints and zones of a change are attributes of the firewall."""
        assert {
            "endpoints": ["vpce-0a1b2c3d4e5f60718"],
            "availability_zones": ["us-east-1a"],
        } == finding(load(NATIVE[1])).resource.attributes

    @pytest.mark.parametrize(
        ("status", "severity"),
        [
            ("READY", 1.0),
            ("FAILED", 5.0),
            ("ERROR", 5.0),
            ("CAPACITY_CONSTRAINED", 4.0),
            ("?", 4.0),
        ],
    )
    def test_a_problem_is_more_than_information(self, status: str, severity: float) -> None:
        """A failure asks for a person; a status that is not known is not called fine."""
        event = load(NATIVE[1])
        event["detail"]["data"][0]["Current Attachment Status"] = status

        assert severity == finding(event).severity

    def test_the_shorter_name_of_a_status_is_read_too(self) -> None:
        """A transit gateway's status is read also where it is called as an endpoint's."""
        event = load(NATIVE[2])
        event["detail"]["data"] = {"Current Attachment Status": "FAILED"}

        assert 5.0 == finding(event).severity

    def test_one_change_has_one_id(self) -> None:
        """A repeated delivery has another envelope id, but the same state change."""
        event = load(NATIVE[1])

        assert finding(event).id == finding(event | {"id": "other"}).id

    def test_attributes_are_those_that_playbooks_may_ask(self) -> None:
        """No reader sets an attribute that is not listed."""
        found = [finding(load(name)).resource for name in ("alert_event.json", *NATIVE)]

        assert set().union(*(each.attributes for each in found)) <= ATTRIBUTES["firewall"]


class TestRejected:
    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"resources": []}, "resources[0]"),
            ({"resources": None}, "resources[0]"),
            ({"resources": ["arn:aws:ec2:us-east-1:111122223333:vpc/x"]}, "resources[0]"),
            ({"detail": None}, "detail.data"),
            ({"detail": []}, "detail"),
            ({"detail": {"data": "x"}}, "detail.data"),
        ],
    )
    def test_a_change_of_another_shape_is_rejected_by_path(self, change: Any, path: str) -> None:
        """The path says where the event differs from its documented shape."""
        with pytest.raises(Rejected) as caught:
            read(load(NATIVE[1]) | change)

        assert path == caught.value.path

    def test_a_firewall_is_believed_by_its_arn_only(self) -> None:
        """An alert without a firewall's ARN is rejected, whatever else names an account."""
        event = load("alert_event.json")
        event["detail"]["firewallArn"] = "arn:aws:network-firewall:us-east-1:1111:firewall/egress"

        with pytest.raises(Rejected, match=r"detail\.firewallArn: .* is not the ARN of a firewall"):
            read(event)

    @pytest.mark.parametrize("kind", ["AWS API Call via CloudTrail", None, [], {}])
    def test_other_events_of_the_service_are_not_recognised(self, kind: Any) -> None:
        """Other events of the source are rejected, as no source reads them."""
        with pytest.raises(Rejected):
            read(load(NATIVE[1]) | {"detail-type": kind})


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside of one."""
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(p for key, item in inside for p in paths(item, (*path, key)))]


READ = [load(name) for name in ("alert_event.json", *NATIVE)]
PLACES = [(n, path) for n, event in enumerate(READ) for path in paths(event) if path]


@settings(deadline=None, max_examples=400)
@given(place=st.sampled_from(PLACES), value=ANY_JSON)
def test_a_wrong_type_anywhere_is_read_or_rejected(place: Any, value: Any) -> None:
    """With any value at any place an event is read, into a finding that is JSON, or rejected."""
    number, path = place
    event = json.loads(json.dumps(READ[number]))
    inside = event
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    try:
        reading = read(event)
    except Rejected:
        return

    assert isinstance(reading, Reading)
    for found in reading.findings:
        json.dumps(document(found)).encode()
