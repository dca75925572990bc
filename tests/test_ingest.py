from __future__ import annotations

import base64
import copy
import gzip
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from chalicelib import ingest, intake, sources
from chalicelib.errors import Transient
from chalicelib.store import get_event
from firebreak.cloud.calls import CallInfo
from firebreak.stage import Stage
from tests.worlds import failing, recorded, refusal, world

LOGS = "AWSLogs/222233334444/network-firewall/alert/us-east-1/fw/"
ALERT = recorded("network_firewall/alert_outbound_tls.json")


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Give a stage without playbooks: what comes in is recorded as seen."""
    with world(FIREWALL_LOG_BUCKETS="firewall-logs") as made:
        yield made


def alert(number: int) -> dict[str, Any]:
    """Return one of many different alerts."""
    record = copy.deepcopy(ALERT)
    record["event"]["dest_ip"] = f"203.0.113.{number}"
    return record


def subscription(*messages: Any) -> dict[str, Any]:
    """Return what a CloudWatch Logs subscription delivers."""
    events = [
        {"id": str(n), "timestamp": 0, "message": m if isinstance(m, str) else json.dumps(m)}
        for n, m in enumerate(messages)
    ]
    payload = {"messageType": "DATA_MESSAGE", "owner": "111122223333", "logEvents": events}
    data = gzip.compress(json.dumps(payload).encode())
    return {"awslogs": {"data": base64.b64encode(data).decode()}}


def invoke(stage: Stage, payload: Any) -> dict[str, Any]:
    """Invoke the function as a log destination does; return its answer or its error."""
    client = stage.cloud.session().client("lambda")
    body = json.dumps(payload).encode()
    answer = client.invoke(FunctionName="ingest_firewall_logs", Payload=body)
    report: dict[str, Any] = json.loads(answer["Payload"].read())
    return report


def entries(stage: Stage) -> list[dict[str, Any]]:
    """Return everything that was asked to be put on the bus."""
    puts = [call for call in stage.cloud.calls if call.operation == "PutEvents"]
    return [dict(entry) for call in puts for entry in call.params["Entries"]]


def ids(stage: Stage) -> list[str]:
    return [json.loads(entry["Detail"])["findingId"] for entry in entries(stage)]


def test_good_and_bad_records_of_a_batch_are_parted(stage: Stage) -> None:
    """Alerts go on the bus, other records are counted, the unreadable is kept and told."""
    flow = {**ALERT, "event": {**ALERT["event"], "event_type": "netflow"}}
    broken = {**ALERT, "event": {**ALERT["event"], "src_ip": "nowhere"}}
    answer = invoke(stage, subscription(alert(1), flow, "{broken", broken, alert(2), alert(1)))
    chains = [chain for chain in stage.desk.tables.chains() if _kind(stage, chain) == "rejected"]
    kept = [json.loads(get_event(stage.desk.tables, chain))["raw"] for chain in chains]

    assert (3, 2, 1, 2) == (
        answer["alerts"],
        answer["events"],
        answer["ignored"],
        len(answer["rejected"]),
    )
    assert 2 == len(set(ids(stage)))
    assert {True} == {"{broken" in raw or "nowhere" in raw for raw in kept}
    assert 2 == sum(call.operation == "Publish" for call in stage.cloud.calls)


def _kind(stage: Stage, chain: str) -> str:
    return stage.desk.tables.records(chain)[0].kind


def test_an_alert_comes_back_as_an_event(stage: Stage) -> None:
    """What is put on the bus is delivered to `on_event`, and read as a finding of that id."""
    invoke(stage, subscription(alert(1)))
    ((name, answer),) = [each for each in stage.answers if each[0] == "on_event"]
    (entry,) = entries(stage)
    envelope = {"source": entry["Source"], "detail-type": entry["DetailType"]}
    envelope |= {"account": "111122223333", "region": "us-east-1"}
    (finding,) = sources.read({**envelope, "detail": json.loads(entry["Detail"])}).findings

    assert ("on_event", intake.NO_PLAYBOOK) == (name, answer["decisions"][0]["decision"])
    assert finding.id == answer["decisions"][0]["finding"] == ids(stage)[0]


def test_a_batch_delivered_twice_has_the_same_ids(stage: Stage) -> None:
    """A finding's id is a hash of what is alerted of, so a second delivery changes nothing."""
    batch = subscription(*(alert(number) for number in range(1, 25)))
    invoke(stage, batch)
    once = ids(stage)
    invoke(stage, batch)

    assert 24 == len(set(once))
    assert once * 2 == ids(stage)


class Bus:
    """An EventBridge that refuses the alerts about some destinations."""

    def __init__(self, refuses: set[str]) -> None:
        self.refuses = refuses
        self.took: list[str] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803  # boto3's
        """Take entries, or refuse them one by one."""
        destinations = [json.loads(entry["Detail"])["destination"] for entry in Entries]
        self.took += [each for each in destinations if each not in self.refuses]
        code = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
        answers = [code if each in self.refuses else {"EventId": "1"} for each in destinations]
        return {"FailedEntryCount": 0, "Entries": answers}


def test_a_refused_entry_is_tried_again_and_holds_up_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All else is put and kept, then the delivery fails, so that it is made again."""
    bus, home = Bus({"203.0.113.3"}), stage.desk.access.home
    monkeypatch.setattr(
        stage.desk.access, "home", lambda service: bus if service == "events" else home(service)
    )
    batch = subscription("{broken", *(alert(number) for number in range(1, 25)))
    with pytest.raises(Transient, match="1 of 24 events refused: ThrottlingException: slow down"):
        ingest.ingest(stage.desk, batch, "request")

    assert 23 == len(bus.took)
    assert 1 == len(stage.desk.tables.chains())
    bus.refuses = set()
    assert 24 == ingest.ingest(stage.desk, batch, "request")["events"]


@pytest.mark.parametrize(
    "error", [refusal("ThrottlingException"), EndpointConnectionError(endpoint_url="events")]
)
def test_a_bus_that_is_down_is_tried_again(stage: Stage, error: Exception) -> None:
    """A request that fails as a whole does not keep the next ones from being made."""
    stage.cloud.inject = failing("PutEvents", lambda: error)
    answer = invoke(stage, subscription(*(alert(number) for number in range(1, 25))))

    assert "Transient" == answer["errorType"]
    assert "10 of 24 events refused" in answer["errorMessage"]
    assert 14 == sum(name == "on_event" for name, _ in stage.answers)


def test_a_log_object_is_read(stage: Stage) -> None:
    """An S3 notification is read with the function's own role; an object that is gone fails."""
    client = stage.cloud.session().client("s3")
    client.create_bucket(Bucket="firewall-logs")
    lines = "\n".join(json.dumps(alert(number)) for number in (1, 2))
    body = gzip.compress(lines.encode())
    client.put_object(Bucket="firewall-logs", Key=f"{LOGS}a b.log.gz", Body=body)

    assert 2 == invoke(stage, notification(f"{LOGS}a+b.log.gz"))["alerts"]
    assert "AccessDenied" in invoke(stage, notification(f"{LOGS}gone"))["errorMessage"]


class Bucket:
    """An S3 that has one bucket, and refuses who expects another owner of it, as S3 does."""

    def __init__(self, owner: str) -> None:
        self.owner = owner

    def get_object(self, **asked: str) -> dict[str, Any]:
        """Return an object with one alert, whatever its key."""
        if asked["ExpectedBucketOwner"] != self.owner:
            raise refusal("AccessDenied")
        return {"Body": io.BytesIO(json.dumps(alert(1)).encode())}


@pytest.mark.parametrize("owner", ["222233334444", "111122223333", "333344445555"])
def test_a_bucket_speaks_for_its_owner(owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account itself, the security account and an administrator have an account's logs."""
    with world(FIREWALL_LOG_BUCKETS="firewall-logs", ADMINISTRATORS="333344445555") as stage:
        _from(Bucket(owner), stage, monkeypatch)
        ingest.ingest(stage.desk, notification(f"{LOGS}a.log.gz"), "request")

        assert ["222233334444"] == [json.loads(e["Detail"])["accountId"] for e in entries(stage)]


def test_no_other_bucket_speaks_for_an_account(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who owns a bucket writes objects of any key: another account's alerts are not read there."""
    _from(Bucket("999999999999"), stage, monkeypatch)
    with pytest.raises(ClientError, match="AccessDenied"):
        ingest.ingest(stage.desk, notification(f"{LOGS}a.log.gz"), "request")

    assert [] == entries(stage)


def _from(bucket: Bucket, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    home = stage.desk.access.home
    monkeypatch.setattr(
        stage.desk.access, "home", lambda service: bucket if service == "s3" else home(service)
    )


def notification(key: str, bucket: str = "firewall-logs") -> dict[str, Any]:
    """Return what S3 sends of an object."""
    return {"Records": [{"s3": {"bucket": {"name": bucket}, "object": {"key": key}}}]}


def test_an_object_of_another_bucket_is_rejected(stage: Stage) -> None:
    """Who can invoke the function cannot have it read any bucket: only those that are named."""
    answer = invoke(stage, notification(f"{LOGS}k", "payroll"))

    (reason,) = answer["rejected"]
    assert "payroll is no bucket that logs are read from (firewall-logs)" in reason
    assert "FIREBREAK_FIREWALL_LOG_BUCKETS" in reason
    assert [] == [call for call in stage.cloud.calls if call.operation == "GetObject"]


@pytest.mark.parametrize("payload", [None, 1, "text", [], {}, {"awslogs": {}}, {"Records": [1]}])
def test_anything_can_be_delivered(stage: Stage, payload: Any) -> None:
    """Whatever is no log is kept or ignored; the delivery is not made again for it."""
    answer = invoke(stage, payload)

    assert 0 == answer["events"]
    assert len(answer["rejected"]) == len(stage.desk.tables.chains())


def test_the_function_writes_nothing_else(stage: Stage) -> None:
    """Reading logs makes no calls but to the bus, the tables and the topic."""
    made: list[CallInfo] = []
    stage.cloud.inject = lambda info: made.append(info) if info.phase == "before" else None
    invoke(stage, subscription(alert(1), "{broken"))
    mine = {info.operation for info in made if info.function == "ingest_firewall_logs"}

    assert {"PutEvents", "PutItem", "Query", "TransactWriteItems", "Publish"} == mine
