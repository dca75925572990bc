"""However often and however close together an event comes, it is one remediation."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib import gates, intake, lifecycle, wiring
from chalicelib.audit import verify
from chalicelib.clock import Clock
from chalicelib.runner.work import Desk
from firebreak.cloud import ProcessKilled
from firebreak.cloud.calls import CallInfo
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.worlds import HOME, MEMBER, finding_event, playbook, recorded, world

BOOKS = {"test": playbook(guardrails={"mode": "approve"})}
ALERTS = {
    "test": playbook(
        match={"source": ["firebreak.network-firewall"]}, guardrails={"mode": "approve"}
    )
}
Deliver = Callable[[Stage], list[str]]


def emitted(stage: Stage, *events: dict[str, Any]) -> list[str]:
    """Deliver events one after another; return what was decided."""
    answers = [answer for event in events for answer in stage.cloud.emit(event)]
    settle(stage)
    return [each["decision"] for answer in answers for each in answer["decisions"]]


def another_desk(stage: Stage, clock: Clock | None = None) -> Desk:
    """Return a desk as another Lambda instance has one: it shares nothing but the tables."""
    return wiring.desk(stage.settings, clock or stage.desk.clock)


def handled(desk: Desk, event: dict[str, Any], request: str = "another") -> str:
    """Handle an event as one more Lambda; return what was decided."""
    (decision,) = intake.handle(desk, BOOKS, event, request).decisions
    return decision.decision


def one_remediation(stage: Stage) -> int:
    """Assert that there is one remediation, with one execution; return the repeats counted."""
    (identity,) = stage.desk.tables.remediation_ids()
    head = lifecycle.head_of(stage.desk, identity)
    records = stage.desk.tables.records(identity)
    kinds = Counter(record.kind for record in records)
    gate = gates.get(stage.desk.tables, head.gate)

    assert [stage.settings.state_machine_arn("test").replace("stateMachine:", "execution:")] == [
        arn.rpartition(":")[0] for arn in stage.cloud.executions
    ]
    assert stage.cloud.executions[0].endswith(f":{identity}")
    assert (1, 1, 1) == (head.generation, kinds["admitted"], kinds["started"])
    assert (gate.count, identity) == (kinds["repeat"], gate.remediation)
    assert head.started
    assert verify(records, identity).valid
    return gate.count


# --- what is the same -----------------------------------------------------------------------------


def counted(event: dict[str, Any], count: int) -> dict[str, Any]:
    """Return a finding as GuardDuty updates it when it sees the same again."""
    event["detail"]["service"]["count"] = count
    return {**event, "id": f"update-{count}"}


def of_administrator() -> dict[str, Any]:
    """Return the finding as the delegated administrator's bus carries it."""
    return {**finding_event(), "id": "copy", "account": HOME}


@pytest.mark.parametrize(
    "second",
    [finding_event, lambda: counted(finding_event(), 7), of_administrator],
    ids=["delivered twice", "a higher count", "the administrator's copy"],
)
def test_the_same_finding_is_one_remediation(second: Callable[[], dict[str, Any]]) -> None:
    """Delivered twice, updated by GuardDuty, or copied by an administrator: one, and a repeat."""
    with world(BOOKS, ADMINISTRATORS=HOME) as stage:
        decisions = emitted(stage, finding_event(), second())

        assert ["started", "duplicate"] == decisions
        assert 1 == one_remediation(stage)


def test_an_alert_put_twice_in_one_request_is_one_remediation() -> None:
    """EventBridge takes ten events at once; that two of them are the same changes nothing."""
    alert = recorded("network_firewall/alert_event.json")
    entry = {
        "Source": alert["source"],
        "DetailType": alert["detail-type"],
        "Detail": json.dumps(alert["detail"]),
    }
    with world(ALERTS) as stage:
        stage.cloud.session().client("events").put_events(Entries=[entry, entry])
        settle(stage)

        assert 1 == one_remediation(stage)


def test_a_batch_of_logs_delivered_twice_is_one_remediation_each() -> None:
    """The records of a firewall log that come again, or twice in a batch, start nothing new."""
    batch = recorded("network_firewall/kinesis_batch.json")
    twice = {**batch, "Records": [*batch["Records"], *batch["Records"]]}
    with world(ALERTS) as once_stage:
        once = ingested(once_stage, batch)
    with world(ALERTS) as stage:
        decisions = ingested(stage, twice) + ingested(stage, batch)

        assert once["started"]
        assert once["started"] == decisions["started"] == len(stage.cloud.executions)
        assert decisions["duplicate"]


def ingested(stage: Stage, delivery: dict[str, Any]) -> Counter[str]:
    """Hand a delivery of logs in; return how often what was decided of its alerts."""
    before = len(stage.answers)
    body = json.dumps(delivery).encode()
    client = stage.cloud.session().client("lambda")
    client.invoke(FunctionName="ingest_firewall_logs", Payload=body)
    settle(stage)
    answers = [answer for name, answer in stage.answers[before:] if name == "on_event"]
    return Counter(each["decision"] for answer in answers for each in answer["decisions"])


# --- at the same time -----------------------------------------------------------------------------


def test_copies_delivered_by_many_at_once_start_one_execution() -> None:
    """Many Lambdas with copies of one finding: one execution, and every other copy is a repeat."""
    copies, at_once = int(os.environ.get("FIREBREAK_COPIES", "60")), 6
    with world(BOOKS) as stage:
        desks = [another_desk(stage, Clock()) for _ in range(at_once)]
        ready = threading.Barrier(at_once)

        def share(number: int) -> list[str]:
            ready.wait()
            return [
                handled(desks[number], finding_event(), f"{number}-{each}")
                for each in range(number, copies, at_once)
            ]

        with ThreadPoolExecutor(at_once) as pool:
            decisions = [each for share in pool.map(share, range(at_once)) for each in share]
        settle(stage)

        assert copies == len(decisions)
        assert {"started", "duplicate"} == set(decisions)
        assert copies - 1 == one_remediation(stage)


def calls_of_a_delivery(*before: dict[str, Any]) -> int:
    """Return how many calls the delivery of a finding makes, after others."""
    made: list[CallInfo] = []
    mine = threading.get_ident()
    with world(BOOKS) as stage:
        for event in before:
            handled(stage.desk, event)
            settle(stage)
        stage.cloud.inject = lambda info: (
            made.append(info) if (threading.get_ident(), info.phase) == (mine, "before") else None
        )
        handled(stage.desk, finding_event())
        stage.cloud.inject = None
        settle(stage)
    assert len(made) >= 3
    return len(made)


def at_call(number: int, phase: str, act: Callable[[], None]) -> Callable[[CallInfo], None]:
    """Return a hook that acts once, beside the n-th call that this thread makes."""
    mine, seen = threading.get_ident(), [0, 0]

    def hook(info: CallInfo) -> None:
        if threading.get_ident() != mine or info.phase != phase or seen[1]:
            return
        seen[0] += 1
        if seen[0] == number:
            seen[1] = 1
            act()

    return hook


FIRST = calls_of_a_delivery()
REPEAT = calls_of_a_delivery(finding_event())


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("number", range(1, FIRST + 1))
def test_a_copy_in_the_middle_of_the_first_delivery(number: int, phase: str) -> None:
    """Beside any call of the first delivery another one may run from beginning to end."""
    inner: list[str] = []
    with world(BOOKS) as stage:
        other = another_desk(stage)
        stage.cloud.inject = at_call(
            number, phase, lambda: inner.append(handled(other, finding_event()))
        )
        outer = handled(stage.desk, finding_event())
        settle(stage)

        assert 1 == len(inner)
        assert {outer, *inner} <= {"started", "duplicate"}
        assert "started" in (outer, *inner)
        assert 1 == one_remediation(stage)


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("number", range(1, REPEAT + 1))
def test_two_repeats_at_once_are_both_counted(number: int, phase: str) -> None:
    """Beside any call of a repeat another repeat may be counted; none of them is lost."""
    inner: list[str] = []
    with world(BOOKS) as stage:
        handled(stage.desk, finding_event())
        other = another_desk(stage)
        stage.cloud.inject = at_call(
            number, phase, lambda: inner.append(handled(other, finding_event()))
        )
        outer = handled(stage.desk, finding_event())
        settle(stage)

        assert ["duplicate", "duplicate"] == [outer, *inner]
        assert 2 == one_remediation(stage)


def kill() -> None:
    raise ProcessKilled


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("number", range(1, FIRST + 1))
def test_a_delivery_that_dies_is_finished_by_the_next(number: int, phase: str) -> None:
    """Killed before or after any of its calls, Lambda's retry finishes it: once, and not lost."""
    with world(BOOKS) as stage:
        stage.cloud.inject = at_call(number, phase, kill)
        (decision,) = emitted(stage, finding_event())

        assert decision in ("started", "duplicate")
        assert one_remediation(stage) <= 1
        assert [] == stage.cloud.failed_deliveries


def test_events_of_two_accounts_are_two_remediations() -> None:
    """What only looks alike is not the same: the same instance id in another account."""
    with world(BOOKS) as stage:
        theirs = finding_event(accountId=HOME)
        decisions = emitted(stage, finding_event(), {**theirs, "account": HOME})

        assert MEMBER != HOME
        assert ["started", "started"] == decisions
        assert 2 == len(stage.cloud.executions)
