"""`firebreak approve`, `deny` and `waiting`: a person answers, by the plan that they were shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib import lifecycle
from firebreak import decide
from firebreak.cli import firebreak
from firebreak.replay import settle
from tests.deciding.drive import BOOK, Waiting, waiting
from tests.worlds import HOME, playbook

Run = Callable[..., Result]


@pytest.fixture
def asked() -> Iterator[Waiting]:
    """Give a remediation that waits."""
    with waiting() as made:
        yield made


@pytest.fixture
def run(asked: Waiting) -> Run:
    """Return a function that runs a command as a user who may decide."""
    who = asked.user(may="*")
    asked.stage.api_url()
    person = {"AWS_ACCESS_KEY_ID": who.access_key, "AWS_SECRET_ACCESS_KEY": who.secret_key}

    def command(*arguments: str, given: str = "") -> Result:
        result = CliRunner(env=person).invoke(firebreak, arguments, input=given)
        settle(asked.stage)
        return result

    return command


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command believe that it runs at a terminal."""
    monkeypatch.setattr(decide, "at_a_terminal", lambda: True)


def said(result: Result) -> str:
    """Return the one line that says why a command failed."""
    assert 0 != result.exit_code
    line = str(result.exception)
    assert 1 == len(line.splitlines())
    return line


def test_what_waits_is_listed_with_the_hash_to_answer_with(asked: Waiting, run: Run) -> None:
    """Id, playbook, target, account, plan, and how long there is; nothing once it is decided."""
    shown = run("waiting").output

    for text in (asked.identity, "test", asked.head.target, asked.head.account):
        assert text in shown
    assert asked.head.plan["hash"] in shown
    assert "expires in: 239m" in shown
    run("deny", asked.identity, "--plan", asked.head.plan["hash"])
    assert "nothing waits for a person\n" == run("waiting").output


def test_what_expired_waits_no_more(asked: Waiting, run: Run) -> None:
    """A question whose time is over is no question."""
    asked.stage.desk.clock.sleep(BOOK.guardrails.approve_within + 1)

    assert "nothing waits for a person\n" == run("waiting").output


@pytest.mark.parametrize(
    ("command", "status", "word"),
    [("approve", "contained", "approved"), ("deny", "denied", "denied")],
)
def test_a_plan_is_answered_by_its_hash(
    asked: Waiting, run: Run, command: str, status: str, word: str
) -> None:
    """Who runs the command is who decides; the answer says what happens."""
    result = run(command, asked.identity, "--plan", asked.head.plan["hash"], "--reason", "why not")

    assert 0 == result.exit_code
    assert f"{word} by arn:aws:iam::{HOME}:user/alice: its state machine goes on" in result.output
    assert status == asked.head.status
    assert ("why not", word) == (
        asked.head.decision["reason"],
        asked.head.decision["decision"],
    )


@pytest.mark.usefixtures("terminal")
def test_without_a_hash_the_plan_is_shown_first(asked: Waiting, run: Run) -> None:
    """Each call and its parameters, and the hash; a person agrees, or nothing happens."""
    result = run("approve", asked.identity, given="n\n")

    for text in (
        "sns.publish",
        '"Subject":"A test"',
        asked.head.plan["hash"],
        "Approve this plan?",
    ):
        assert text in result.output
    assert "nothing was decided" == said(result)
    assert "wait" == asked.head.phase
    assert 0 == run("approve", asked.identity, given="y\n").exit_code
    assert "contained" == asked.head.status


@pytest.mark.usefixtures("terminal")
def test_a_plan_that_is_not_its_hashs_is_not_shown(asked: Waiting, run: Run) -> None:
    """What is stored of the plan was changed: a person would agree to something else."""
    lifecycle.move(
        asked.stage.desk, asked.identity, "x", lambda h: replace(h, plan={"hash": "0" * 64}), {}
    )

    assert "decide nothing" in said(run("approve", asked.identity, given="y\n"))
    assert "wait" == asked.head.phase


@pytest.mark.parametrize("command", ["approve", "deny"])
def test_what_is_wrong_is_one_line_and_changes_nothing(
    asked: Waiting, run: Run, command: str
) -> None:
    """Unknown, without a terminal, another plan, no hash at all."""
    head, kinds = asked.head, asked.kinds
    plan = head.plan["hash"]

    assert "there is no remediation" in said(run(command, "f" * 24))
    assert "there is no remediation" in said(run(command, "f" * 24, "--plan", plan))
    assert "there is no remediation" in said(run(command, "../x", "--plan", plan))
    assert "give --plan HASH" in said(run(command, asked.identity))
    assert "another plan" in said(run(command, asked.identity, "--plan", "0" * 64))
    assert "64 hexadecimal digits" in said(run(command, asked.identity, "--plan", plan[:8]))
    assert "longer" in said(run(command, asked.identity, "--plan", plan, "--reason", "x" * 501))
    assert (head, kinds) == (asked.head, asked.kinds)


@pytest.mark.parametrize("command", ["approve", "deny"])
def test_a_second_answer_is_shown_the_first(asked: Waiting, run: Run, command: str) -> None:
    """Twice is once: the second is told who decided, what, and when."""
    plan = asked.head.plan["hash"]
    run("deny", asked.identity, "--plan", plan, "--reason", "ours")

    line = said(run(command, asked.identity, "--plan", plan))

    assert f"denied by arn:aws:iam::{HOME}:user/alice at " in line
    assert "ours" in line
    assert "waits for nobody" in said(run(command, asked.identity))
    assert 1 == asked.kinds.count("decided")


def test_an_answer_that_comes_too_late_is_refused(asked: Waiting, run: Run) -> None:
    """Nothing is applied after the time is over."""
    plan = asked.head.plan["hash"]
    asked.stage.desk.clock.sleep(BOOK.guardrails.approve_within + 1)

    assert "nothing is applied" in said(run("approve", asked.identity, "--plan", plan))
    asked.stage.cloud.expire_tasks()
    settle(asked.stage)
    assert "it is expired" in said(run("approve", asked.identity, "--plan", plan))
    assert "it is expired" in said(run("approve", asked.identity))


@pytest.mark.parametrize("mode", ["observe", "enforce"])
def test_what_never_asked_is_not_answered(mode: str) -> None:
    """What is only observed, or was applied at once, waits for nobody."""
    with waiting(book=playbook("test", guardrails={"mode": mode})) as asked:
        result = CliRunner().invoke(firebreak, ["approve", asked.identity])

        assert "waits for nobody" in said(result)


def test_the_api_is_found_by_the_function_it_invokes(asked: Waiting, run: Run) -> None:
    """Every stage's API has the same name; another stage's is not taken for this one's."""
    client = asked.stage.cloud.session().client("apigateway")
    client.create_rest_api(name="firebreak")

    result = run("approve", asked.identity, "--plan", asked.head.plan["hash"])

    assert 0 == result.exit_code


def test_without_an_api_the_command_says_what_to_do(asked: Waiting) -> None:
    """A stage that is not deployed has no API; its URL may be given."""
    arguments = ["approve", asked.identity, "--plan", asked.head.plan["hash"]]

    line = said(CliRunner().invoke(firebreak, arguments))

    assert "has no APIs" in line
    assert "FIREBREAK_API_URL" in line


def test_a_given_url_is_taken(asked: Waiting, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A custom domain is not looked up."""
    url = asked.stage.api_url()
    given = replace(asked.stage.desk, settings=replace(asked.stage.settings, api_url=f"{url}/"))
    monkeypatch.setattr(decide, "connect", lambda _stage: given)
    with asked.stage.cloud.recording() as calls:
        result = run("approve", asked.identity, "--plan", asked.head.plan["hash"])

    assert 0 == result.exit_code
    assert not [call for call in calls if call.operation in ("GetRestApis", "GetPolicy")]


def test_who_may_not_call_the_api_is_told_so(asked: Waiting) -> None:
    """What AWS says of a refusal is what the command says."""
    asked.stage.api_url()
    iam = asked.stage.cloud.session().client("iam")
    iam.create_user(UserName="nobody")
    key: Any = iam.create_access_key(UserName="nobody")["AccessKey"]
    env = {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    arguments = ["approve", asked.identity, "--plan", asked.head.plan["hash"]]

    assert "not authorized" in said(CliRunner(env=env).invoke(firebreak, arguments))
    assert "wait" == asked.head.phase
