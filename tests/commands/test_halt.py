"""`firebreak halt`, `resume` and `status`, as a person at a desk runs them."""

from __future__ import annotations

import pytest

from chalicelib import halting
from chalicelib.errors import Failed
from firebreak.replay import settle
from tests.desk import changed_by, deliver_event, head_of, office, run
from tests.test_halting import BESIDE, halting_after, parameters, parked, setting, start, values

EVENT = "guardduty/crypto_currency_ec2.json"


def test_halt_says_who_and_why_and_twice_is_once() -> None:
    """Halting what is halted is no error: since when, by whom and why is said, nothing changed."""
    with office({}) as stage:
        first = run("halt", "--reason", "a drill")
        second = run("halt", "--reason", "another")

        assert (0, 0) == (first.exit_code, second.exit_code)
        assert "stage replay is halted, since 20" in first.output
        assert "stage replay is already halted, since 20" in second.output
        assert first.output.rstrip().endswith(": a drill")
        assert second.output.rstrip().endswith(": a drill")
        (record,) = stage.desk.tables.records("CONTROL")
        assert record.who["principal"].startswith("arn:aws:")
        assert record.who["principal"] in first.output
        assert "chain valid" in run("audit", "show", "CONTROL").output


def test_a_reason_cannot_steer_a_terminal() -> None:
    """What somebody gave as reason is shown as one line that hides nothing."""
    with office({}):
        said = run("halt", "--reason", "a\x1b[2Jdrill\nfake: line").output

        assert "\x1b" not in said
        assert 1 == said.count("\n")


def test_resume_without_a_halt_is_one_line() -> None:
    """Where nothing is halted it is said, the exit status tells, and nothing is changed."""
    with office({}) as stage:
        calls = len(stage.cloud.calls)
        result = run("resume")

        assert 0 != result.exit_code
        assert isinstance(result.exception, Failed)
        assert "nothing is halted" in str(result.exception)
        assert not {"TransactWriteItems", "PutItem"} & {
            call.operation for call in stage.cloud.calls[calls:]
        }


def test_halted_half_way_and_resumed() -> None:
    """Between two steps nothing more is called; resumed, the instance is contained."""
    with parameters(setting("a"), BESIDE, setting("d")) as stage:
        identity = start(stage, halting_after(stage, "a"))
        calls = len(stage.cloud.calls)
        status = run("status").output
        stage.cloud.expire_tasks()
        settle(stage)

        assert [] == changed_by(stage, calls)
        assert "stage replay: halted since 20" in status
        assert "1 open, 0 waiting for approval, 1 waiting because of the halt" in status
        assert f"{identity}  step b waits since 20" in status
        assert 2 == len(parked(stage))

        resumed = run("resume")
        settle(stage)

        assert (0, "2 waiting steps go on") == (
            resumed.exit_code,
            resumed.output.splitlines()[-1],
        )
        assert dict.fromkeys("abcd", "shut") == values(stage)
        assert "contained" == head_of(stage, identity).status
        after = run("status").output
        assert "stage replay: not halted" in after
        assert "0 open, 0 waiting for approval, 0 waiting because of the halt, 1 closed" in after
        assert f"  {identity}  contained  " in after


def test_a_new_finding_under_the_switch_waits_for_a_person() -> None:
    """What is found while halted is planned, and asked about; the question says why."""
    with office() as stage:
        run("halt", "--reason", "a drill")
        calls = len(stage.cloud.calls)
        identity = deliver_event(stage, EVENT)
        head = head_of(stage, identity)

        assert ("approve", "wait") == (head.mode, head.phase)
        assert "the kill switch is on: a drill" in head.why
        assert {"Publish"} >= set(changed_by(stage, calls))
        assert "1 waiting for approval" in run("status").output


@pytest.mark.parametrize("times", [1, 2])
def test_resume_run_again_finishes_what_was_cut_off(times: int) -> None:
    """The switch was turned off but a step not woken: resume wakes it, once."""
    with parameters(setting("a"), setting("b")) as stage:
        identity = start(stage, halting_after(stage, "a"))
        halting._turned(stage.desk, "arn:me", halted=False, reason="")
        for _ in range(times):
            result = run("resume")
            settle(stage)

        assert (times == 1) == (result.exit_code == 0)
        assert times > 1 or "was not halted any more" in result.output
        assert "contained" == head_of(stage, identity).status
