"""Review and expiry, as the clock, people and their deliveries make them happen."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from chalicelib import lifecycle, publishing, sweeping
from chalicelib.store import listing
from chalicelib.table import Item
from firebreak.cli import firebreak
from firebreak.cloud import ProcessKilled
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.scheduled import (
    blocking,
    contained,
    delivered,
    denied,
    head_of,
    invoked,
    kinds,
    later,
    swept,
    told,
)
from tests.worlds import failing, finding_event, refusal, world

HOUR, DAY = 3_600, 86_400
REVIEWED = {"block": blocking(review_after="72h")}
EXPIRING = {"block": blocking(expires_after="7d", cooldown="1h")}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(firebreak, list(arguments))


def due(stage: Stage) -> list[str]:
    """Return what is due, by what and remediation, in the order of time."""
    found = listing.entries(stage.desk.tables, listing.DUE)
    return [item.sk.partition("#")[2] for item in found]


def undos(stage: Stage) -> list[str]:
    """Return the names of the executions that took something back."""
    names = [arn.rpartition(":")[2] for arn in stage.cloud.executions]
    return [name for name in names if "-undo-" in name]


def standing(stage: Stage) -> list[str]:
    return [item.sk for item in listing.entries(stage.desk.tables, listing.STANDING)]


def test_a_review_asks_a_person_and_ends_nothing() -> None:
    """When a review is due a person is asked, again and again; the containment stays."""
    with world(REVIEWED) as stage:
        identity = contained(stage)
        assert {} == swept(stage)
        for _ in range(3):
            later(stage, 3 * DAY)
            since = len(stage.cloud.calls)
            assert {"review": 1} == swept(stage)
            (message,) = told(stage, since)
            assert f"firebreak keep {identity} --for 3d" in message
            assert f"firebreak rollback {identity}" in message
            assert {} == swept(stage)

        assert denied(stage)
        assert [] == undos(stage)
        assert 3 == kinds(stage, identity).count("review_asked")


def test_a_person_keeps_what_was_contained() -> None:
    """`keep` puts the next review off, and the trail says who did."""
    with world(REVIEWED) as stage:
        identity = contained(stage)
        later(stage, 3 * DAY)
        swept(stage)
        result = run("keep", identity, "--for", "10d")
        later(stage, 9 * DAY)

        assert 0 == result.exit_code, result.output
        assert {} == swept(stage)
        later(stage, DAY + 1)
        assert {"review": 1} == swept(stage)
        (kept,) = [r for r in stage.desk.tables.records(identity) if r.kind == "kept"]
        assert kept.who["principal"].startswith("arn:aws:")


def test_after_a_roll_back_nobody_is_asked() -> None:
    """What was taken back is not due for anything, and stands nowhere."""
    with world(REVIEWED) as stage:
        identity = contained(stage)
        assert [identity] == standing(stage)
        lifecycle.start_undo(stage.desk, identity, {"by": "a person"})
        settle(stage)

        assert [] == standing(stage)
        assert [] == due(stage)
        assert [] == listing.entries(stage.desk.tables, listing.OPEN)


def test_a_block_expires_after_a_warning() -> None:
    """A day before it is taken back people are warned; then it is, once."""
    with world({"block": blocking(expires_after="30d")}) as stage:
        identity = contained(stage)
        later(stage, 29 * DAY)
        assert {"warn": 1} == swept(stage)
        assert f"firebreak keep {identity}" in told(stage)[-1]
        assert denied(stage)
        later(stage, DAY)

        assert {"expire": 1} == swept(stage)
        assert not denied(stage)
        assert "rolled_back" == head_of(stage, identity).status
        assert {} == swept(stage)
        assert [f"{identity}-undo-1"] == undos(stage)


def test_a_late_warning_still_leaves_time() -> None:
    """Where nothing swept for weeks, the warning goes first and the notice is given in full."""
    with world({"block": blocking(expires_after="30d")}) as stage:
        contained(stage)
        later(stage, 60 * DAY)
        assert 1 == swept(stage)["warn"]
        assert [] == undos(stage)
        assert denied(stage)
        later(stage, DAY + 1)
        swept(stage)

        assert not denied(stage)


def test_a_repeat_renews_a_block() -> None:
    """While the finding goes on, a block does not expire; the trail says until when."""
    with world({"block": blocking(expires_after="7d", cooldown="6d")}) as stage:
        identity = contained(stage)
        later(stage, 5 * DAY)
        (again,) = delivered(stage, finding_event())
        later(stage, 3 * DAY)

        assert "duplicate" == again["decision"]
        assert {} == swept(stage)
        assert denied(stage)
        repeat = stage.desk.tables.records(identity)[-1]
        assert head_of(stage, identity).due == repeat.what["due"]
        assert 2 == len(due(stage))


def test_a_repeat_does_not_put_a_review_off() -> None:
    """A finding that goes on and on must not keep a person from being asked."""
    with world({"block": blocking(review_after="7d", cooldown="6d")}) as stage:
        contained(stage)
        later(stage, 5 * DAY)
        delivered(stage, finding_event())
        later(stage, 2 * DAY)

        assert {"review": 1} == swept(stage)


def test_what_two_hold_is_restored_once_when_the_last_lets_go() -> None:
    """A block contained anew after its cool-down stays when the first one expires."""
    with world(EXPIRING) as stage:
        first = contained(stage)
        later(stage, 3 * DAY)
        second = contained(stage)
        assert first != second
        later(stage, 4 * DAY)
        swept(stage)
        later(stage, DAY)
        swept(stage)
        assert "rolled_back" == head_of(stage, first).status
        assert "contained" == head_of(stage, second).status
        assert denied(stage)
        since = len(stage.cloud.calls)
        later(stage, 3 * DAY)
        swept(stage)
        later(stage, DAY)
        swept(stage)

        assert "rolled_back" == head_of(stage, second).status
        assert not denied(stage)
        gone = [c for c in stage.cloud.calls if c.operation == "DeleteNetworkAclEntry"]
        assert all(call in stage.cloud.calls[since:] for call in gone)
        assert len({str(call.params) for call in gone}) == len(gone) > 0


def test_nothing_expires_while_halted() -> None:
    """Under the kill switch a block stays, and is taken back after the resume."""
    with world(EXPIRING) as stage:
        identity = contained(stage)
        later(stage, 7 * DAY)
        swept(stage)
        assert 0 == run("halt", "--reason", "a test").exit_code
        later(stage, DAY)
        assert {"later": 1} == swept(stage)
        assert [] == undos(stage)
        assert 0 == run("resume").exit_code

        assert {"expire": 1} == swept(stage)
        assert "rolled_back" == head_of(stage, identity).status


def test_a_question_that_cannot_be_sent_is_asked_at_the_next_sweep() -> None:
    """While the topic is down the review stays due."""
    with world(REVIEWED) as stage:
        identity = contained(stage)
        later(stage, 3 * DAY)
        stage.cloud.inject = failing("Publish", lambda: refusal("InternalError"), times=20)
        answer = invoked(stage, "sweep")
        stage.cloud.inject = None

        assert identity in answer["failed"][0]
        assert {"review": 1} == swept(stage)


@pytest.mark.parametrize("operation", ["Publish", "TransactWriteItems"])
@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_sweep_that_dies_is_finished_by_the_next(operation: str, phase: str) -> None:
    """Killed around the message or the write, the question is asked all the same."""
    with world(REVIEWED) as stage:
        identity = contained(stage)
        later(stage, 3 * DAY)
        stage.cloud.inject = failing(operation, ProcessKilled, phase=phase)
        invoked(stage, "sweep")
        stage.cloud.inject = None
        invoked(stage, "sweep")

        assert 1 == kinds(stage, identity).count("review_asked")
        assert [f"review#{identity}"] == due(stage)


@pytest.mark.parametrize("operation", ["TransactWriteItems", "StartExecution"])
@pytest.mark.parametrize("phase", ["before", "after"])
def test_an_expiry_that_dies_is_finished_once(operation: str, phase: str) -> None:
    """Killed anywhere on its way, a block is taken back by one execution."""
    with world(EXPIRING) as stage:
        identity = contained(stage)
        later(stage, 7 * DAY)
        swept(stage)
        later(stage, DAY)
        stage.cloud.inject = failing(operation, ProcessKilled, phase=phase)
        invoked(stage, "sweep")
        stage.cloud.inject = None
        invoked(stage, "sweep")

        assert [f"{identity}-undo-1"] == undos(stage)
        assert "rolled_back" == head_of(stage, identity).status


def test_one_that_cannot_be_read_holds_up_no_other() -> None:
    """A remediation whose head was damaged is reported, and the rest is swept."""
    with world(REVIEWED) as stage:
        first = contained(stage)
        broken = "f" * 24
        key, data = f"000000000001#review#{broken}", {"remediation": broken, "what": "review"}
        stage.desk.tables.put(Item("LIST#due", key, {**data, "at": 1}))
        stage.desk.tables.put(Item(f"REMEDIATION#{broken}", "META", {"id": 1}))
        later(stage, 3 * DAY)
        answer = invoked(stage, "sweep")

        assert {"review": 1} == answer["done"]
        assert "Corrupt" in answer["failed"][0]
        assert 1 == kinds(stage, first).count("review_asked")


def test_an_entry_that_is_not_valid_any_more_is_dropped() -> None:
    """What the head does not say is due is not done."""
    with world(REVIEWED) as stage:
        identity = contained(stage)
        data = {"remediation": identity, "what": "expire", "at": 1}
        stage.desk.tables.put(Item("LIST#due", f"000000000001#expire#{identity}", data))

        assert {"stale": 1} == swept(stage)
        assert [f"review#{identity}"] == due(stage)
        assert denied(stage)


def test_keeping_what_expires_puts_the_end_off() -> None:
    """`keep` of a block moves its end, and the warning with it."""
    with world(EXPIRING) as stage:
        identity = contained(stage)
        assert 0 == run("keep", identity, "--for", "20d").exit_code
        later(stage, 15 * DAY)

        assert {} == swept(stage)
        assert [f"warn#{identity}", f"expire#{identity}"] == due(stage)


def test_what_cannot_be_kept_is_said_in_a_line() -> None:
    """Nobody keeps nothing: unknown, no time, no duration, nothing that stands."""
    with world(REVIEWED) as stage:
        identity = contained(stage)
        wrong = {
            "there is no remediation": run("keep", "nothing"),
            "0s is no time": run("keep", identity, "--for", "0s"),
            "is no duration": run("keep", identity, "--for", "soon"),
        }
        lifecycle.start_undo(stage.desk, identity, {"by": "a person"})
        settle(stage)
        wrong["nothing of it stands"] = run("keep", identity)

        for said, result in wrong.items():
            assert 1 == result.exit_code
            assert said in str(result.exception)
            assert "\n" not in str(result.exception)


def test_what_nobody_could_be_told_is_told_later() -> None:
    """A message sent while the topic is down is kept once, and goes out with the next sweep."""
    with world() as stage:
        stage.cloud.inject = failing("Publish", lambda: refusal("InternalError"), times=50)
        for _ in range(2):
            stage.cloud.emit(finding_event(accountId="nobody's"))
        assert 0 == invoked(stage, "sweep")["told_late"]
        kept = listing.entries(stage.desk.tables, listing.UNTOLD)

        stage.cloud.inject = None
        assert (1, 1) == (len(kept), invoked(stage, "sweep")["told_late"])
        assert 0 == invoked(stage, "sweep")["told_late"]
        assert told(stage)[-1].startswith("Event rejected")


def test_messages_that_there_is_no_time_for_stay_for_the_next_sweep() -> None:
    """A sweep whose time is over sends no more of what could not be told."""
    with world() as stage:
        for name in "abc":
            publishing.keep(stage.desk, name, name)
        over = sweeping.sweep(stage.desk, "me", stage.desk.clock.seconds() - 1)

        assert (0, 3) == (over["told_late"], len(listing.entries(stage.desk.tables, "untold")))
        assert 3 == invoked(stage, "sweep")["told_late"]
