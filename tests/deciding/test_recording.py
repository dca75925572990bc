"""A decision through the route: taken once, recorded with who and why, never lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib import lifecycle, sources, store
from chalicelib import playbook as books
from chalicelib.finding import Finding
from chalicelib.table import Item
from chalicelib.workflow.passes import ANSWER_SECONDS
from firebreak.cloud import CallInfo, ProcessKilled
from firebreak.replay import prepare, settle
from firebreak.stage import Stage
from tests.deciding.drive import BOOK, Waiting, waiting
from tests.worlds import (
    HOME,
    failing,
    finding_event,
    outside_functions,
    playbook,
    recorded,
    refusal,
    world,
)

ALICE = f"arn:aws:iam::{HOME}:user/alice"


@pytest.fixture
def asked() -> Iterator[Waiting]:
    """Give a remediation that waits."""
    with waiting() as made:
        yield made


def published(asked: Waiting) -> list[str]:
    """Return the subjects of all that was published."""
    calls = asked.stage.cloud.calls
    return [str(call.params["Subject"]) for call in calls if call.operation == "Publish"]


def test_what_is_approved_is_applied(asked: Waiting) -> None:
    """The plan is applied, and the audit trail says who, in which account, what plan, and why."""
    plan = asked.head.plan["hash"]

    status, answer = asked.decide(asked.user(), reason="seen in the logs")

    assert (200, "its state machine goes on") == (status, answer["message"])
    assert ("closed", "contained") == (asked.head.phase, asked.head.status)
    (record,) = [r for r in asked.stage.desk.tables.records(asked.identity) if r.kind == "decided"]
    assert (ALICE, ALICE, HOME) == tuple(
        record.who[each] for each in ("principal", "person", "account")
    )
    said = record.what["decision"]
    assert ("approved", plan, "seen in the logs") == (
        said["decision"],
        said["plan"],
        said["reason"],
    )
    assert "A test" in published(asked)


def test_what_is_denied_is_not_applied(asked: Waiting) -> None:
    """Nothing of the plan is done, and the end says who denied it and why."""
    status, _ = asked.decide(asked.user(), "denied", reason="a test of ours")

    assert 200 == status
    assert ("closed", "denied") == (asked.head.phase, asked.head.status)
    assert asked.head.reason.startswith(f"denied by {ALICE} at ")
    assert asked.head.reason.endswith(": a test of ours")
    assert "A test" not in published(asked)


@pytest.mark.parametrize("second", ["approved", "denied"])
def test_a_second_decision_is_refused_and_shown_the_first(asked: Waiting, second: str) -> None:
    """The first stands, whoever comes second and whatever they say."""
    alice, bob = asked.user(), asked.user("bob")
    asked.decide(alice, "denied", reason="first")
    kinds = asked.kinds

    status, answer = asked.decide(bob, second)

    assert (409, "decided_already") == (status, answer["error"])
    assert ("denied", ALICE, "first") == tuple(
        answer["first"][each] for each in ("decision", "by", "reason")
    )
    assert ALICE in answer["message"]
    assert (kinds, "denied") == (asked.kinds, asked.head.status)


def test_another_plan_is_not_approved(asked: Waiting) -> None:
    """The hash must be that of the plan that waits; nothing is changed."""
    head, kinds = asked.head, asked.kinds

    status, answer = asked.decide(asked.user(), plan="0" * 64)

    assert (409, "other_plan") == (status, answer["error"])
    assert (head, kinds) == (asked.head, asked.kinds)


@pytest.mark.parametrize("identity", ["f" * 24, "x", "..%2fMETA", "F" * 24])
def test_an_unknown_remediation_is_not_found(asked: Waiting, identity: str) -> None:
    """An id that is none, or of nothing, is answered with 404."""
    body = {"decision": "approved", "plan": "0" * 64}

    status, answer = asked.send(asked.user(), body, identity)

    assert (404, "unknown") == (status, answer["error"])


@pytest.mark.parametrize("decision", ["approved", "denied"])
def test_after_its_time_nothing_is_decided(asked: Waiting, decision: str) -> None:
    """A decision that comes too late is refused, though the machine still waits a little."""
    user, head = asked.user(), asked.head
    asked.stage.desk.clock.sleep(BOOK.guardrails.approve_within + 1)

    status, answer = asked.decide(user, decision)

    assert (409, "expired") == (status, answer["error"])
    assert head == asked.head
    asked.stage.cloud.expire_tasks()
    settle(asked.stage)
    assert ("expired", "nobody decided in time") == (asked.head.status, asked.head.reason)


def test_a_person_has_less_time_than_the_machine(asked: Waiting) -> None:
    """What is accepted at the last moment still has an hour to reach the machine."""
    (token,) = asked.stage.cloud._engine.context.tokens.waiting()
    left = asked.head.waits_until - asked.stage.desk.clock.seconds()

    assert token.timeout is not None
    assert token.timeout - left >= ANSWER_SECONDS


@pytest.mark.parametrize("mode", ["observe", "enforce"])
def test_what_does_not_wait_is_not_decided(mode: str) -> None:
    """Nobody was asked, so nobody is answered."""
    with waiting(book=playbook("test", guardrails={"mode": mode})) as asked:
        head = asked.head

        status, answer = asked.decide(asked.user())

        assert (409, "not_waiting") == (status, answer["error"])
        assert head == asked.head


def test_what_expired_is_not_decided(asked: Waiting) -> None:
    """A closed remediation says how it ended."""
    asked.stage.cloud.expire_tasks()
    settle(asked.stage)

    status, answer = asked.decide(asked.user())

    assert (409, "not_waiting") == (status, answer["error"])
    assert "it is expired" in answer["message"]


# --- at once --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [("approved", "denied"), ("denied", "approved")])
def test_of_two_decisions_at_once_one_wins(asked: Waiting, first: str, second: str) -> None:
    """Between the look and the write of one comes the other: one is taken, one is told of it."""
    alice, bob = asked.user(), asked.user("bob")
    theirs: list[Any] = []

    def meanwhile(call: CallInfo) -> None:
        if call.operation == "TransactWriteItems" and not theirs:
            theirs.append(None)
            theirs[0] = asked.decide(bob, first)

    asked.stage.cloud.inject = meanwhile
    status, answer = asked.decide(alice, second)

    assert 200 == theirs[0][0]
    assert (409, f"arn:aws:iam::{HOME}:user/bob") == (status, answer["first"]["by"])
    assert first == asked.head.decision["decision"]
    assert ("contained" if first == "approved" else "denied") == asked.head.status
    assert 1 == asked.kinds.count("decided")


# --- cut off --------------------------------------------------------------------------------------


def cut_off(asked: Waiting, who: Any, decision: str) -> None:
    """Let the function be killed when the decision is on record and not handed on."""
    asked.stage.cloud.inject = failing("SendTaskSuccess", ProcessKilled)
    assert 502 == asked.decide(who, decision)[0]
    asked.stage.cloud.inject = None
    assert decision == asked.head.decision["decision"]
    assert "open" == asked.head.status


ENDS = [("approved", "contained"), ("denied", "denied")]


@pytest.mark.parametrize(("decision", "status"), ENDS)
def test_what_was_cut_off_is_finished_by_deciding_again(
    asked: Waiting, decision: str, status: str
) -> None:
    """The second call is refused as every second one, but hands the first decision on."""
    alice = asked.user()
    cut_off(asked, alice, decision)

    answered, answer = asked.decide(alice, decision)

    assert (409, "decided_already") == (answered, answer["error"])
    assert status == asked.head.status
    assert 1 == asked.kinds.count("decided")


@pytest.mark.parametrize(("decision", "status"), ENDS)
def test_what_was_cut_off_is_finished_by_resending(
    asked: Waiting, decision: str, status: str
) -> None:
    """Whoever looks after open remediations hands the decision on; a second time nobody waits."""
    cut_off(asked, asked.user(), decision)
    head = asked.head

    assert lifecycle.resend(asked.stage.desk, head)
    settle(asked.stage)

    assert status == asked.head.status
    assert not lifecycle.resend(asked.stage.desk, head)
    assert not lifecycle.resend(asked.stage.desk, asked.head)


def test_what_nobody_decided_is_not_resent(asked: Waiting) -> None:
    """Without a decision there is nothing to hand on."""
    assert not lifecycle.resend(asked.stage.desk, asked.head)
    assert "wait" == asked.head.phase


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems"])
def test_where_aws_is_busy_nothing_is_decided_and_it_can_be_tried_again(
    asked: Waiting, operation: str
) -> None:
    """A throttled table is answered as what it is, and the same request once more decides."""
    person = asked.user()
    body = {"decision": "approved", "plan": asked.head.plan["hash"]}
    asked.stage.cloud.inject = failing(operation, lambda: refusal("ThrottlingException"))

    status, answer = asked.send(person, body)
    assert (503, "busy") == (status, answer["error"])
    assert {} == asked.head.decision
    assert 200 == asked.decide(person)[0]


@pytest.mark.parametrize("sk", ["META", "FINDING#000"])
def test_what_cannot_be_read_is_not_decided_and_named(asked: Waiting, sk: str) -> None:
    """A damaged item is answered by its key; nothing goes on."""
    body = {"decision": "approved", "plan": asked.head.plan["hash"]}
    asked.stage.desk.tables.put(Item(store.partition(asked.identity), sk, {"version": "x"}))

    status, answer = asked.send(asked.user(), body)

    assert (500, "corrupt") == (status, answer["error"])
    assert asked.identity in answer["message"]
    assert "SendTaskSuccess" not in [call.operation for call in asked.stage.cloud.calls]


def test_a_machine_that_cannot_be_reached_is_told_later(asked: Waiting) -> None:
    """The decision is taken all the same, and the answer says what is missing."""
    asked.stage.cloud.inject = failing(
        "SendTaskSuccess", lambda: refusal("ServiceUnavailableException")
    )

    status, answer = asked.decide(asked.user())

    assert 200 == status
    assert "handed on by the next reconciliation" in answer["message"]
    assert "open" == asked.head.status


def test_a_machine_that_waits_no_more_is_said_so(asked: Waiting) -> None:
    """Where the wait ended in between, the answer says what became of the remediation."""
    over: list[bool] = []

    def before(call: CallInfo) -> None:
        if call.operation == "SendTaskSuccess" and not over:
            over.append(True)
            asked.stage.cloud.expire_tasks()
            settle(asked.stage)

    asked.stage.cloud.inject = before
    status, answer = asked.decide(asked.user(), "denied")

    assert 200 == status
    assert "waits no more: it is denied" in answer["message"]


def test_a_question_answered_before_its_asking_ended_is_not_lost() -> None:
    """The asking dies after people were told; who answers then is heard when it is tried again."""
    with waiting() as first:
        alice = first.user()
        stage, answers = first.stage, []

        def kill(call: CallInfo) -> None:
            asks = call.function == "run_step" and call.operation == "TransactWriteItems"
            if asks and call.phase == "after" and "approval_asked" in str(call.params):
                stage.cloud.inject = None
                with outside_functions():
                    (identity,) = open_ones(stage, first.identity)
                    asking = Waiting(stage, identity)
                    answers.append(asking.decide(alice, settled=False))
                raise ProcessKilled

        stage.cloud.inject = kill
        other = finding_event()
        other["detail"]["resource"]["instanceDetails"]["instanceId"] = "i-0123456789abcdef9"
        other["detail"]["id"] = "b" * 32
        stage.cloud.emit(other)
        settle(stage)

        (identity,) = open_ones(stage, first.identity)
        assert 200 == answers[0][0]
        assert "contained" == lifecycle.head_of(stage.desk, identity).status
        kinds = Waiting(stage, identity).kinds
        assert (2, 1) == (kinds.count("approval_asked"), kinds.count("decided"))


def open_ones(stage: Any, besides: str) -> list[str]:
    """Return the ids of the remediations besides one."""
    return [each for each in stage.desk.tables.remediation_ids() if each != besides]


# --- a plan that changed --------------------------------------------------------------------------


def test_a_plan_that_changed_is_asked_about_again() -> None:
    """Approved is what was shown: where it is something else by then, there is a new question."""
    book = books.load(books.FOLDER)["block_public_bucket"]
    event = recorded("config/s3_public_read_noncompliant.json")
    with world({book.name: book}) as stage:
        reading = sources.read(event)
        prepare(stage, (reading,))
        (answer,) = stage.cloud.emit(event)
        settle(stage)
        asked = Waiting(stage, answer["decisions"][0]["remediation"])
        alice, first = asked.user(), asked.head
        shut(stage, reading.findings[0])

        asked.decide(alice)

        assert ("wait", {}) == (asked.head.phase, asked.head.decision)
        assert first.plan["hash"] != asked.head.plan["hash"]
        assert 409 == asked.decide(alice, plan=first.plan["hash"])[0]
        assert 200 == asked.decide(alice)[0]
        assert "closed" == asked.head.phase
        assert 2 == asked.kinds.count("decided")


def shut(stage: Stage, finding: Finding) -> None:
    """Block all public access to the finding's bucket, as somebody else would."""
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    stage.cloud.session(finding.account).client("s3").put_public_access_block(
        Bucket=finding.resource.id,
        PublicAccessBlockConfiguration=dict.fromkeys(names, True),
    )


def test_between_two_questions_nobody_is_asked(asked: Waiting) -> None:
    """While a plan is made again the old question is over: its token answers nothing."""
    user = asked.user()
    lifecycle.move(
        asked.stage.desk, asked.identity, "asked", lambda head: replace(head, token=""), {}
    )

    status, answer = asked.decide(user)

    assert (409, "not_waiting") == (status, answer["error"])
    assert "only about to ask" in answer["message"]
