from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib import intake, lifecycle
from chalicelib.audit import verify
from chalicelib.guardrails.limits import PATIENCE, State, states
from firebreak.cli import firebreak
from firebreak.cloud.calls import CallInfo, ProcessKilled
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.guarded import admitted, guarded, on_instance, told
from tests.worlds import MEMBER, failing, finding_event, playbook, recorded, refusal

HOUR = {"count": 2, "per": "1h"}
TOTAL = {"limits": {"total": HOUR}}
ONE = {"limits": {"total": {"count": 1, "per": "1h"}}}
LIMITED = {"test": playbook(guardrails={"mode": "enforce", "limit": HOUR})}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(firebreak, arguments)


def modes(stage: Stage, *numbers: int) -> list[str]:
    """Deliver findings about instances; return in which mode each goes."""
    return [admitted(stage, on_instance(number)).mode for number in numbers]


# --- each window ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guardrails", "playbooks", "name"),
    [
        ({}, LIMITED, "playbook/test"),
        ({"limits": {"account": HOUR}}, None, f"account/{MEMBER}"),
        ({"limits": {"kind": {"instance": HOUR}}}, None, "kind/instance"),
        (TOTAL, None, "total"),
    ],
)
def test_a_limit_holds_exactly_and_stays_tripped(
    tmp_path: Path, guardrails: dict[str, Any], playbooks: Any, name: str
) -> None:
    """So many go by themselves, not one more; past it all ask, also when the window is over."""
    with guarded(tmp_path, guardrails, playbooks) as stage:
        found = modes(stage, 1, 2, 3)
        stage.desk.clock.sleep(7_200)
        found += modes(stage, 4)
        (state,) = states(stage.desk.tables)

        assert ["enforce", "enforce", "approve", "approve"] == found
        assert name == state.name
        assert [f"Attention: limit {name} is reached"] == told(stage)


@pytest.mark.parametrize(("wait", "mode"), [(3_000, "approve"), (3_601, "enforce")])
def test_a_window_rolls(tmp_path: Path, wait: int, mode: str) -> None:
    """What was admitted counts for as long as the window is."""
    with guarded(tmp_path, TOTAL) as stage:
        modes(stage, 1, 2)
        stage.desk.clock.sleep(wait)

        assert [mode] == modes(stage, 3)


def test_a_window_ends_exactly() -> None:
    """What is as old as the window is long is out of it; a moment earlier it is in."""
    state = State("total", 2, 3_600, {"a": 100.0, "b": 100.5})

    assert [2, 1, 0] == [len(state.within(now)) for now in (3_699.999, 3_700, 3_700.5)]


def test_limits_of_others_are_not_used_up(tmp_path: Path) -> None:
    """Another account and another kind of resource have limits of their own."""
    limits = {"limits": {"account": {"count": 1, "per": "1h"}, "kind": {"bucket": HOUR}}}
    with guarded(tmp_path, limits) as stage:
        other = on_instance(2)
        other["account"] = other["detail"]["accountId"] = "9" * 12

        assert ["enforce"] == modes(stage, 1)
        assert "enforce" == admitted(stage, other).mode


@pytest.mark.parametrize("mode", ["observe", "approve"])
def test_what_does_nothing_by_itself_is_not_counted(tmp_path: Path, mode: str) -> None:
    """Plans and questions use up no limit, or whoever causes them could switch containment off."""
    known = {
        "quiet": playbook("quiet", guardrails={"mode": mode}, match={"detail": {"severity": [1]}}),
        "test": playbook(match={"detail": {"severity": [8]}}),
    }
    with guarded(tmp_path, ONE, known) as stage:
        for number in range(3):
            assert mode == admitted(stage, on_instance(number, severity=1)).mode
        assert "enforce" == admitted(stage, on_instance(9, severity=8)).mode
        assert [] == told(stage)


def test_every_limit_that_is_full_trips(tmp_path: Path) -> None:
    """Two limits that one remediation passes are two trips; others count nothing for it."""
    limits = {
        "limits": {"total": HOUR, "account": HOUR, "kind": {"instance": {**HOUR, "count": 9}}}
    }
    with guarded(tmp_path, limits) as stage:
        modes(stage, 1, 2)
        head = admitted(stage, on_instance(3))
        found = {state.name: state for state in states(stage.desk.tables)}
        (record, *_) = stage.desk.tables.records(head.id)

        assert "past the limit of account/" in head.why
        assert "total (2 per 1h)" in head.why
        assert [True, False, True] == [bool(found[name].tripped) for name in sorted(found)]
        assert 2 == len(found["kind/instance"].times)
        assert 2 == len(told(stage))
        assert [f"account/{MEMBER}", "total"] == record.what["tripped"]


def test_one_account_alone_does_not_use_up_what_all_share(tmp_path: Path) -> None:
    """Past its own limit an account counts towards nothing else: others still go by themselves."""
    limits = {"account": HOUR, "total": {"count": 3, "per": "1h"}}
    with guarded(tmp_path, {"limits": limits}) as stage:
        noisy = modes(stage, *range(1, 7))
        other = on_instance(9)
        other["account"] = other["detail"]["accountId"] = "9" * 12

        assert ["enforce", "enforce", *["approve"] * 4] == noisy
        assert "enforce" == admitted(stage, other).mode
        assert [f"Attention: limit account/{MEMBER} is reached"] == told(stage)


# --- one alarm ------------------------------------------------------------------------------------


def test_a_topic_that_is_down_is_tried_again_by_the_next(tmp_path: Path) -> None:
    """Where nobody can be told of a trip, the next remediation that it lowers tells; then none."""
    with guarded(tmp_path, TOTAL, {"test": playbook(steps=quiet())}) as stage:
        modes(stage, 1, 2)
        stage.cloud.inject = failing("Publish", lambda: refusal("InternalError"), times=1)
        modes(stage, 3)
        before = len(told(stage))
        modes(stage, 4, 5, 6)

        assert 1 == len(told(stage)) - before


def test_who_dies_before_telling_is_replaced(tmp_path: Path) -> None:
    """A trip that was recorded by a function that died is told of by its next delivery."""
    with guarded(tmp_path, TOTAL) as stage:
        modes(stage, 1, 2)
        stage.cloud.inject = failing("Publish", ProcessKilled)
        event = on_instance(3)
        with pytest.raises(ProcessKilled):
            intake.handle(stage.desk, stage.playbooks, event, "first")
        assert [] == heard(stage)
        stage.cloud.inject = None
        stage.desk.clock.sleep(PATIENCE + 1)
        (decision,) = intake.handle(stage.desk, stage.playbooks, event, "second").decisions
        settle(stage)

        assert "started" == decision.decision
        assert 1 == len(heard(stage))
        assert "approve" == admitted(stage, on_instance(4)).mode
        assert 1 == len(heard(stage))


def heard(stage: Stage) -> list[str]:
    """Return the messages of limits that reached the topic."""
    return [
        call.params["Subject"]
        for call in stage.cloud.calls
        if call.operation == "Publish" and "limit" in call.params["Subject"] and call.code == "ok"
    ]


def quiet() -> list[dict[str, Any]]:
    """Return steps of which none tells."""
    given = {"instance_id": "$.finding.resource.id"}
    return [{"name": "keep", "action": "protect_from_termination", "with": given}]


def calls_of_a_trip(folder: Path) -> int:
    """Return how many calls intake makes for a finding that trips a limit."""
    with guarded(folder, ONE) as stage:
        modes(stage, 1)
        before = len(stage.cloud.calls)
        intake.handle(stage.desk, stage.playbooks, on_instance(2), "request")
        return sum(of_intake(info) for info in stage.cloud.calls[before:])


def of_intake(info: CallInfo) -> bool:
    """Say whether a call is made by who handles the event, not by the machine it starts."""
    return info.function is None and info.service != "lambda"


@pytest.mark.parametrize("phase", ["before", "after"])
def test_whatever_dies_while_a_limit_trips_is_finished(tmp_path: Path, phase: str) -> None:
    """Killed at any call, the next delivery asks once and tells; twice only after being heard."""
    count = calls_of_a_trip(tmp_path)
    assert count > 8
    for number in range(1, count + 1):
        with guarded(tmp_path, ONE) as stage:
            modes(stage, 1)
            stage.cloud.inject = killed_at(number, phase)
            with pytest.raises(ProcessKilled):
                intake.handle(stage.desk, stage.playbooks, on_instance(2), "first")
            stage.cloud.inject = None
            stage.desk.clock.sleep(PATIENCE + 1)
            (decision,) = intake.handle(
                stage.desk, stage.playbooks, on_instance(2), "second"
            ).decisions
            settle(stage)
            head = lifecycle.head_of(stage.desk, decision.remediation)
            (state,) = states(stage.desk.tables)

            assert (True, "approve", 2) == (head.started, head.mode, len(stage.cloud.executions))
            assert head.id == state.tripped["id"]
            assert len(heard(stage)) in (1, 2)


def killed_at(number: int, phase: str) -> Callable[[CallInfo], None]:
    """Return a hook that kills the process at one call of intake's."""
    count = [0]

    def hook(info: CallInfo) -> None:
        if info.phase == phase and of_intake(info):
            count[0] += 1
            if count[0] == number:
                raise ProcessKilled

    return hook


# --- at once --------------------------------------------------------------------------------------


def test_another_that_is_admitted_in_between_is_counted(tmp_path: Path) -> None:
    """Who read a limit before another used it up reads it again, and asks."""
    with guarded(tmp_path, ONE) as stage:

        def overtake(info: CallInfo) -> None:
            if (info.operation, info.phase) == ("TransactWriteItems", "before"):
                stage.cloud.inject = None
                intake.handle(stage.desk, stage.playbooks, on_instance(1), "other")

        stage.cloud.inject = overtake
        (late,) = intake.handle(stage.desk, stage.playbooks, on_instance(2), "late").decisions
        settle(stage)

        assert "past the limit of total" in late.reason
        assert 1 == len(told(stage))


def test_a_burst_is_counted_exactly_and_told_once(tmp_path: Path) -> None:
    """Of fifty findings at once about fifty targets just the limit is enforced, none starves."""
    known = {"test": playbook(guardrails={"mode": "enforce"})}
    with guarded(tmp_path, {"limits": {"total": {"count": 7, "per": "1h"}}}, known) as stage:
        begin = threading.Barrier(50)

        def deliver(number: int) -> None:
            begin.wait()
            intake.handle(stage.desk, known, on_instance(number), f"r{number}")

        threads = [threading.Thread(target=deliver, args=(n,)) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        settle(stage)
        records = [
            stage.desk.tables.records(each)[0] for each in stage.desk.tables.remediation_ids()
        ]
        found = [record.what["mode"] for record in records]

        assert (50, 7) == (len(found), found.count("enforce"))
        assert 1 == len(told(stage))
        assert 1 == sum(bool(record.what["tripped"]) for record in records)


# --- re-armed -------------------------------------------------------------------------------------


def test_a_person_re_arms(tmp_path: Path) -> None:
    """What is tripped is shown, and goes by itself again once a person says so, on record."""
    with guarded(tmp_path, TOTAL) as stage:
        modes(stage, 1, 2)
        third = admitted(stage, on_instance(3))
        shown = run("limits")
        again = run("rearm", "total", "--reason", "the scanner was ours")
        armed = run("limits")
        found = modes(stage, 4, 5, 6)
        records = stage.desk.tables.records("CONTROL")

        assert "2/2 per 1h" in shown.output
        assert f"by remediation {third.id} (test on instance/i-" in shown.output
        assert (0, True) == (again.exit_code, "Re-armed total" in again.output)
        assert "0/2 per 1h" in armed.output
        assert "armed" in armed.output
        assert ["enforce", "enforce", "approve"] == found
        assert 2 == len(told(stage))
        assert ["rearmed"] == [record.kind for record in records]
        assert ("the scanner was ours", third.id) == (
            records[0].what["reason"],
            records[0].what["tripped"]["id"],
        )
        assert records[0].who["principal"].startswith("arn:aws:")
        assert verify(records, "CONTROL").valid


@pytest.mark.parametrize("name", ["total", "nonsense", "kind/x\x1b[31m"])
def test_what_is_not_tripped_is_not_re_armed(tmp_path: Path, name: str) -> None:
    """A limit that is armed or unknown is one clear line, and no record."""
    with guarded(tmp_path, TOTAL) as stage:
        modes(stage, 1)
        result = run("rearm", name)

        assert 1 == result.exit_code
        assert "is not tripped" in str(result.exception)
        assert "\x1b" not in str(result.exception)
        assert [] == stage.desk.tables.records("CONTROL")


def test_limits_as_json(tmp_path: Path) -> None:
    """A program reads the same, and an empty stage says so."""
    with guarded(tmp_path, TOTAL) as stage:
        empty = run("limits")
        modes(stage, 1)
        result = run("limits", "--json")

        assert "No limit has counted anything yet." in empty.output
        assert '"used": 1' in result.output
        assert '"name": "total"' in result.output


def test_repeats_use_up_no_limit(tmp_path: Path) -> None:
    """The same finding again is counted at its gate, not towards a limit."""
    with guarded(tmp_path, TOTAL, {"test": playbook(guardrails={"mode": "enforce"})}) as stage:
        for _ in range(4):
            admitted(stage, finding_event())
        (state,) = states(stage.desk.tables)

        assert 1 == len(state.times)


def test_a_kind_is_of_the_resource(tmp_path: Path) -> None:
    """The kind of resource that a finding is about is on the remediation, with its severity."""
    with guarded(tmp_path, {}) as stage:
        head = admitted(stage, recorded("guardduty/stolen_access_key_user.json"))

        assert ("access_key", 8.0) == (head.kind, head.severity)
