"""Tests of reading firewall logs and making events of their alerts."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import Rejected
from chalicelib.firewall_logs import Batch, alert_events, entries, records
from chalicelib.firewall_logs import alert as bounds
from chalicelib.firewall_logs import delivery as forms
from chalicelib.sources import network_firewall

EVENTS = Path(__file__).parent / "events" / "network_firewall"
ACCOUNT, REGION = "111122223333", "us-east-1"

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def load(name: str) -> Any:
    return json.loads((EVENTS / name).read_text())


def changed(name: str, path: str, value: Any) -> Any:
    """Return an event with another value at a dotted path."""
    event = load(name)
    inside, keys = event, path.split(".")
    for key in keys[:-1]:
        inside = inside[key]
    inside[keys[-1]] = value
    return event


def packed(value: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode())).decode()


def subscription(*messages: str, owner: str = ACCOUNT, kind: str = "DATA_MESSAGE") -> Any:
    logged = [{"id": str(n), "timestamp": 0, "message": text} for n, text in enumerate(messages)]
    return {"messageType": kind, "owner": owner, "logEvents": logged}


def signatures(batch: Batch) -> list[int]:
    return [alert.signature_id for alert in batch.records]


def details(batch: Batch, **given: Any) -> list[dict[str, Any]]:
    return [json.loads(e["Detail"]) for e in alert_events(batch.records, ACCOUNT, REGION, **given)]


def delivered(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry as EventBridge delivers it."""
    return {
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "resources": entry["Resources"],
        "detail": json.loads(entry["Detail"]),
    }


class TestForms:
    def test_a_subscription_gives_its_alerts_and_counts_the_rest(self) -> None:
        """A CloudWatch Logs payload is unpacked; a flow record is counted, not rejected."""
        batch = records(load("cloudwatch_logs_subscription.json"))

        assert ([1000042, 1000042], 1, ()) == (signatures(batch), batch.ignored, batch.rejected)

    def test_the_owner_of_a_subscription_is_the_account(self) -> None:
        """Records of another account's subscription are that account's, plain lines nobody's."""
        batch = records(load("kinesis_batch.json"))

        assert [("444455556666", 1000077), ("", 1000101)] == [
            (alert.account, alert.signature_id) for alert in batch.records
        ]

    def test_a_bad_piece_does_not_lose_the_rest_of_a_batch(self) -> None:
        """Broken gzip in a Kinesis batch is told with its place, its reason and how it begins."""
        batch = records(load("kinesis_batch.json"))
        (rejected,) = batch.rejected

        assert "Records[3].kinesis.data" == rejected.where
        assert "is not gzip" in rejected.reason
        assert "broken" in rejected.raw

    def test_a_control_message_is_ignored(self) -> None:
        """CloudWatch Logs checks a destination with a message that holds no record."""
        data = packed(subscription("CWL CONTROL MESSAGE", owner="x", kind="CONTROL_MESSAGE"))

        assert Batch((), 1, ()) == records({"awslogs": {"data": data}})

    @pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda text: text.decode()])
    def test_lines_are_read_plain_and_packed(self, pack: Any) -> None:
        """Text and bytes of lines are read, also where there is no newline between records."""
        batch = records(pack((EVENTS / "eve_lines.jsonl").read_bytes()))

        assert [1000042, 1000077, 1000101, 1000042] == signatures(batch)
        assert (1, ()) == (batch.ignored, batch.rejected)

    def test_gzip_members_one_after_the_other_are_read(self) -> None:
        """Firehose puts gzip members one after the other into an object."""
        member = gzip.compress((EVENTS / "eve_lines.jsonl").read_bytes())

        assert 8 == len(records(member * 2).records)

    def test_a_record_over_several_lines_is_read(self) -> None:
        """A record that is written over several lines is one record."""
        assert [1000042] == signatures(records((EVENTS / "alert_outbound_tls.json").read_bytes()))

    def test_records_and_lists_of_them_are_read(self) -> None:
        """A record, and a list of records, are taken as they are."""
        one, other = load("alert_dns.json"), load("netflow.json")

        assert [1000101] == signatures(records(one))
        assert [1000101, 1000101] == signatures(records([one, other, one]))

    def test_a_firehose_batch_is_read(self) -> None:
        """What Firehose hands to a function is read like a Kinesis batch."""
        data = base64.b64encode((EVENTS / "eve_lines.jsonl").read_bytes()).decode()

        assert 4 == len(records({"records": [{"recordId": "1", "data": data}]}).records)

    def test_an_object_in_s3_is_read_and_its_key_tells_the_owner(self) -> None:
        """The injected function reads the object; the last AWSLogs of the key is AWS's own."""
        key = (
            "a+b/AWSLogs/999999999999/AWSLogs/444455556666/network-firewall/alert/eu-west-1/fw/x.gz"
        )
        asked = []

        def read_object(bucket: str, key: str, account: str) -> bytes:
            asked.append((bucket, key, account))
            return gzip.compress((EVENTS / "eve_lines.jsonl").read_bytes())

        notice = {"s3": {"bucket": {"name": "logs"}, "object": {"key": key}}}
        batch = records({"Records": [notice]}, read_object)

        assert [("logs", key.replace("+", " "), "444455556666")] == asked
        assert {("444455556666", "eu-west-1")} == {(a.account, a.region) for a in batch.records}

    @pytest.mark.parametrize(
        ("zone", "region"),
        [
            ("eu-west-1b", "eu-west-1"),
            ("us-west-2-lax-1a", "us-west-2"),
            ("us-gov-east-1c", "us-gov-east-1"),
            ("use1-az1", ""),
            ("", ""),
        ],
    )
    def test_a_zone_tells_the_region_where_the_log_does_not(self, zone: str, region: str) -> None:
        """A subscription's records come from every region; a firewall's zone is of its own."""
        (told,) = records(changed("alert_dns.json", "availability_zone", zone)).records

        assert region == told.region

    def test_an_object_that_cannot_be_read_is_told(self) -> None:
        """Without a function, or where it rejects the object, the notification is rejected."""
        key = "AWSLogs/444455556666/network-firewall/alert/eu-west-1/fw/x.gz"
        notice = {"s3": {"bucket": {"name": "logs"}, "object": {"key": key}}}

        def refuse(bucket: str, key: str, account: str) -> bytes:
            raise Rejected(key, "is too large")

        assert "nothing was given" in records({"Records": [notice]}).rejected[0].reason
        assert "is too large" == records({"Records": [notice]}, refuse).rejected[0].reason

    def test_an_object_of_no_firewall_is_not_read(self) -> None:
        """A key tells whose log it is: without that, what is written in it would."""
        notice = {"s3": {"bucket": {"name": "logs"}, "object": {"key": "mine.log.gz"}}}

        def read_object(bucket: str, key: str, account: str) -> bytes:
            raise AssertionError(key)

        (rejected,) = records({"Records": [notice]}, read_object).rejected
        assert "none under which Network Firewall logs" in rejected.reason

    def test_the_test_event_of_s3_is_ignored(self) -> None:
        """S3 sends a test event when notifications are set up."""
        assert Batch((), 1, ()) == records({"Service": "Amazon S3", "Event": "s3:TestEvent"})


class TestRejections:
    @pytest.mark.parametrize(
        ("payload", "reason"),
        [
            (None, "event.event_type: is missing"),
            (7, "has to be an object"),
            ({"awslogs": {"data": "%%%"}}, "is not base64"),
            ({"awslogs": {"data": 7}}, "has to be base64"),
            ({"awslogs": 7}, "has to be an object"),
            ({"Records": 7}, "has to be a list"),
            ({"Records": [7]}, "has to be an object"),
            ("not json", "is not JSON"),
            ('{"a": NaN}', "is not JSON"),
            ("[" * 100_000, "is not JSON"),
            (b"\xff\xfe", "is not JSON"),
            (gzip.compress(b"{}", mtime=0)[:12], "is not gzip: it is cut off"),
            ({"event_type": "alert"}, "event.event_type: is missing"),
            (subscription(kind="OTHER"), "no messageType"),
            (subscription(owner="12"), "12-digit account id"),
            (changed("alert_dns.json", "firewall_name", "a/b"), "not the name of a firewall"),
            (changed("alert_dns.json", "event.src_ip", "10.0.1.256"), "not an IP address"),
            (changed("alert_dns.json", "event.dest_port", 70000), "dest_port"),
            (changed("alert_dns.json", "event.alert", "none"), "event.alert"),
        ],
    )
    def test_what_cannot_be_read_is_told_by_name(self, payload: Any, reason: str) -> None:
        """A payload of the wrong form gives one rejection with its reason, and no exception."""
        batch = records(payload)

        assert () == batch.records
        assert reason in batch.rejected[0].reason

    def test_good_lines_are_kept_beside_bad_ones(self) -> None:
        """Of lines, and within a line, what comes before an error is read, and the line is told."""
        good = json.dumps(load("alert_dns.json"))
        batch = records(f"{good}\nbroken\n{good}{{\n{good}")

        assert 3 == len(batch.records)
        assert ["$:2", "$:3"] == [rejected.where for rejected in batch.rejected]

    def test_what_is_kept_of_the_rejected_is_bounded(self) -> None:
        """The raw text is cut, and past a number of rejections only their number is told."""
        batch = records(f"{'x' * 10_000}\n" * (forms.REJECTIONS + 7))

        assert forms.REJECTIONS + 1 == len(batch.rejected)
        assert "7 more could not be read" == batch.rejected[-1].reason
        assert forms.RAW == len(batch.rejected[0].raw)

    def test_a_message_cannot_name_another_owner(self) -> None:
        """A subscription inside of a log message is no record, and its owner is not believed."""
        inner = json.dumps(subscription(json.dumps(load("alert_dns.json")), owner="999999999999"))
        batch = records(subscription(inner))

        assert () == batch.records
        assert "event.event_type: is missing" == batch.rejected[0].reason

    def test_a_crafted_archive_unfolds_to_a_bounded_size(self, monkeypatch: Any) -> None:
        """Past the bound the rest is told as not read; whole lines before it are."""
        monkeypatch.setattr(forms, "PIECE_BYTES", 100_000)
        line = json.dumps(load("alert_dns.json")).encode() + b"\n"
        batch = records(gzip.compress(line * 10 + b" " * 20_000_000))

        assert 10 == len(batch.records)
        assert ["the rest past 100000 bytes is not read"] == [r.reason for r in batch.rejected]

    def test_a_piece_that_is_no_log_is_given_up(self, monkeypatch: Any) -> None:
        """Past a number of failures the rest of a piece is not tried; other pieces are read."""
        monkeypatch.setattr(forms, "HOPELESS", 20)
        good = base64.b64encode(json.dumps(load("alert_dns.json")).encode()).decode()
        for bad in (b"x\n" * 30, b"{}" * 30, b"[" + b"0," * 30 + b"0]"):
            pieces = [{"data": data} for data in (base64.b64encode(bad).decode(), good)]
            batch = records({"records": pieces})

            assert [1000101] == signatures(batch)
            assert "more than 20 records cannot be read" in batch.rejected[-1].reason

        assert "more than 20" in records([0] * 30).rejected[-1].reason


class TestEvents:
    def test_repeats_are_one_event(self) -> None:
        """Repeats are counted, with their first and last time, zones, ports and names."""
        batch = records(load("cloudwatch_logs_subscription.json"))

        assert [load("alert_event.json")["detail"]] == details(batch)

    def test_a_batch_delivered_twice_has_the_same_ids(self) -> None:
        """A finding's id hangs on what repeats have in common, not on when or how often it came."""
        once, twice = ([load("alert_dns.json")] * n for n in (1, 2))

        assert [d["findingId"] for d in details(records(once))] == [
            d["findingId"] for d in details(records(twice))
        ]

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("firewall_name", "other"),
            ("event.alert.signature_id", 5),
            ("event.src_ip", "10.0.1.26"),
            ("event.dest_ip", "198.51.100.54"),
        ],
    )
    def test_other_traffic_is_another_finding(self, path: str, value: Any) -> None:
        """Firewall, signature, source and destination part findings."""
        both = [load("alert_dns.json"), changed("alert_dns.json", path, value)]

        assert 2 == len({d["findingId"] for d in details(records(both))})

    def test_account_and_region_part_findings(self) -> None:
        """The same alert in another account or region is another finding, of another ARN."""
        alerts = records(changed("alert_dns.json", "availability_zone", "")).records
        entries = [
            alert_events(alerts, account, region)[0]
            for account, region in [
                (ACCOUNT, REGION),
                ("444455556666", REGION),
                (ACCOUNT, "cn-north-1"),
            ]
        ]

        assert 3 == len({json.loads(e["Detail"])["findingId"] for e in entries})
        assert ["arn:aws-cn:network-firewall:cn-north-1:111122223333:firewall/egress"] == entries[
            2
        ]["Resources"]

    def test_what_was_let_through_stands_for_its_repeats(self) -> None:
        """Among repeats one that passed tells more than an earlier one that was blocked."""
        let_through = changed("alert_dns.json", "event.alert.action", "allowed")
        let_through["event"]["timestamp"] = "2026-03-04T00:00:00.000000+0000"
        (detail,) = details(records([load("alert_dns.json"), let_through]))

        assert "allowed" == detail["event"]["alert"]["action"]

    @pytest.mark.parametrize(
        ("changes", "client"),
        [
            ({}, "10.0.1.25"),
            ({"direction": "to_client"}, "198.51.100.53"),
            ({"direction": None}, ""),
            ({"direction": "to_server", "flow": {"src_ip": "198.51.100.53"}}, "198.51.100.53"),
            ({"direction": "to_server", "flow": {"src_ip": "192.0.2.1"}}, "10.0.1.25"),
        ],
    )
    def test_the_client_is_who_opened_the_flow(self, changes: Any, client: str) -> None:
        """The flow's own source counts, then the packet's direction; else nobody is named."""
        record = load("alert_dns.json")
        record["event"] |= changes

        assert [client] == [alert.client for alert in records(record).records]

    def test_repeats_that_disagree_have_no_client(self) -> None:
        """Where each side opened flows, neither is called the client."""
        both = [load("alert_dns.json"), changed("alert_dns.json", "event.direction", "to_client")]

        assert [""] == [detail["client"] for detail in details(records(both))]

    @pytest.mark.parametrize(
        "dns",
        [
            {"rrname": "a.example"},
            {"query": [{"rrname": "a.example"}]},
            {"queries": [{"rrname": "a.example"}]},
            {"answer": {"rrname": "a.example"}},
        ],
    )
    def test_names_are_found_in_each_of_suricatas_forms(self, dns: Any) -> None:
        """The name asked for is found wherever a version of Suricata writes it."""
        record = changed("alert_dns.json", "event.dns", dns)

        assert [("a.example",)] == [alert.names for alert in records(record).records]

    def test_an_own_public_address_is_said_to_be_own(self) -> None:
        """An address within a network given as one's own is marked, so it is never remote."""
        batch = records(load("alert_outbound_tls.json"))

        assert [["203.0.113.80"]] == [d["own"] for d in details(batch, own=["203.0.113.0/24"])]

    def test_hostile_text_stays_data_and_an_entry_stays_small(self) -> None:
        """Whatever and however much an attacker wrote, an entry is JSON below the limit."""
        hostile = '\x00"\\\ud800💥<script>$(id)`; drop ip any any' * 5000
        record = load("alert_inbound_http.json")
        record["event"]["http"] = {f"key{n}{hostile}": hostile for n in range(200)}
        record["event"]["http"] |= {
            "hostname": hostile,
            "nested": [[[[[[hostile] * 9] * 9] * 9] * 9]],
        }
        batch = records(
            [record]
            + [
                changed("alert_inbound_http.json", "event.tls", {"sni": f"{n}{hostile}"})
                for n in range(99)
            ]
        )
        (entry,) = alert_events(batch.records, ACCOUNT, REGION)
        detail = json.loads(entry["Detail"])

        assert len(entry["Detail"].encode()) < 240 * 1024
        assert (100, 50, 49) == (detail["count"], len(detail["names"]), detail["namesLeftOut"] - 1)
        assert all(len(name) <= bounds.NAME for name in detail["names"])
        network_firewall.read(delivered(entry))

    def test_a_record_that_is_too_large_keeps_what_matters(self) -> None:
        """Where cutting texts is not enough, addresses and alert are kept, and it is said so."""
        record = load("alert_dns.json")
        record["event"]["dns"] = {f"{n}": ["y" * 1024] * 60 for n in range(60)}
        (alert,) = records(record).records

        assert alert.event["truncated"] is True
        assert "dns" not in alert.event
        assert load("alert_dns.json")["event"]["alert"] == alert.event["alert"]

    def test_numbers_that_other_readers_refuse_are_left_out(self) -> None:
        """Infinite numbers become null, and integers past 64 bits become text."""
        record = (
            json.dumps(load("alert_dns.json"))
            .replace("31337", "1e999")
            .replace("90218837461120", str(10**30))
        )
        (detail,) = details(records(record))

        assert detail["event"]["dns"]["query"][0]["id"] is None
        assert str(10**30) == detail["event"]["flow_id"]


class TestEntries:
    def test_a_request_takes_ten_entries(self) -> None:
        """PutEvents takes ten entries; the order stays."""
        event = alert_events(records(load("alert_dns.json")).records, ACCOUNT, REGION)[0]

        assert [10, 10, 3] == [len(chunk) for chunk in entries([event] * 23)]

    def test_a_request_stays_below_the_limit(self) -> None:
        """Large entries are parted into more requests, and none is lost."""
        event = {"Source": "s", "DetailType": "d", "Resources": [], "Detail": "x" * 100_000}

        assert [2, 2, 1] == [len(chunk) for chunk in entries([event] * 5)]

    def test_nothing_makes_no_request(self) -> None:
        """Without alerts there is no request."""
        assert () == entries(alert_events((), ACCOUNT, REGION))


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


RECORDS = [
    load(f"{name}.json") for name in ("alert_outbound_tls", "alert_inbound_http", "alert_dns")
]
PLACES = [(n, path) for n, record in enumerate(RECORDS) for path in paths(record) if path]


class TestFuzz:
    @settings(deadline=None, max_examples=300)
    @given(place=st.sampled_from(PLACES), value=ANY_JSON)
    def test_a_wrong_type_anywhere_is_read_or_told(self, place: Any, value: Any) -> None:
        """With any value at any place a record is an alert, ignored or rejected."""
        number, path = place
        record = json.loads(json.dumps(RECORDS[number]))
        inside = record
        for key in path[:-1]:
            inside = inside[key]
        inside[path[-1]] = value
        batch = records(record)

        assert 1 == len(batch.records) + batch.ignored + len(batch.rejected)
        for entry in alert_events(batch.records, ACCOUNT, REGION):
            network_firewall.read(delivered(entry))

    @settings(deadline=None, max_examples=200)
    @given(payload=ANY_JSON | st.binary() | st.text())
    def test_anything_is_read_or_told(self, payload: Any) -> None:
        """No payload makes reading fail."""
        assert () == records(payload).records

    @settings(deadline=None, max_examples=100)
    @given(value=ANY_JSON, key=st.sampled_from(["messageType", "owner", "logEvents"]))
    def test_any_subscription_is_read_or_told(self, value: Any, key: str) -> None:
        """No subscription payload makes reading fail."""
        payload = subscription(json.dumps(load("alert_dns.json"))) | {key: value}

        assert len(records({"awslogs": {"data": packed(payload)}}).records) < 2
