from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from botocore.exceptions import ConnectTimeoutError

from chalicelib import lifecycle, playbook
from chalicelib.audit import Entry
from chalicelib.effect import canonical_text
from chalicelib.log import Line, log, note, silence
from chalicelib.store import HALT, finding_items, meta_item
from chalicelib.table import Item, Put
from firebreak.cloud.calls import CallInfo, ProcessKilled
from firebreak.event_files import events
from firebreak.replay import Options, replay_in, settle
from firebreak.replay import world as replaying
from firebreak.stage import Stage
from tests.worlds import EVENTS, failing, finding_event, head, refusal, world
from tests.worlds import playbook as made

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "a-task-token-that-is-secret"


class Lines:
    """The log lines since it was last looked."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def new(self) -> list[dict[str, Any]]:
        """Return the lines as what they say; each is one JSON object."""
        return [json.loads(line) for line in self.text().splitlines()]

    def text(self) -> str:
        """Return the lines as they were written."""
        return self._capsys.readouterr().out


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Give the log as the functions write it, whatever other tests made of it."""
    log.cache_clear()
    log()
    return Lines(capsys)


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Give a stage with a playbook that asks."""
    with world({"test": made(guardrails={"mode": "approve"})}) as running:
        yield running


def invoke(stage: Stage, name: str, event: Any) -> Any:
    """Invoke a function as AWS does; return its answer, or the error it reports."""
    body = json.dumps(event).encode()
    client = stage.cloud.session().client("lambda")
    return json.loads(client.invoke(FunctionName=name, Payload=body)["Payload"].read())


def admit(stage: Stage, **parts: Any) -> str:
    """Record a remediation under way; return its id."""
    document = playbook.document(made())
    remediation = head(playbook=document, gate="gate", **parts)
    written = [Put(meta_item(remediation)), *map(Put, finding_items(remediation.id, {"id": "f"}))]
    stage.desk.tables.commit(Entry(remediation.id, "admitted", {}, {}), lambda _seq: written)
    return remediation.id


# --- one line -------------------------------------------------------------------------------------


def test_an_event_is_one_line(stage: Stage, lines: Lines) -> None:
    """What was decided of an event is told in one line: ids, decisions, time taken."""
    (answer,) = stage.cloud.emit(finding_event())
    decided, *_ = [line for line in lines.new() if line["event"] == "event_decided"]

    assert ("info", "aws.guardduty") == (decided["level"], decided["source"])
    assert [finding_event()["detail"]["id"]] == decided["findings"]
    assert [
        ["started", "test", answer["decisions"][0]["remediation"], answer["decisions"][0]["audit"]]
    ] == decided["decisions"]
    assert {"request", "seconds", "timestamp"} <= set(decided)


def test_an_event_that_fails_is_one_line_each_time(stage: Stage, lines: Lines) -> None:
    """A failed attempt says why; Lambda makes three of them."""
    stage.cloud.inject = failing("BatchGetItem", lambda: refusal("AccessDenied"), times=9)
    stage.cloud.emit(finding_event())
    told = lines.new()

    assert ["event_failed"] * 3 == [line["event"] for line in told]
    assert {("error", "ClientError")} == {(line["level"], line["outcome"]) for line in told}
    assert "AccessDenied" in told[0]["why"]


def test_a_step_is_one_line(stage: Stage, lines: Lines) -> None:
    """A step's line names remediation, pass, step and status."""
    identity = admit(stage)
    asked = {"do": "step", "remediation": identity, "pass": "apply", "step": "tell"}
    assert {"status": "done"} == invoke(stage, "run_step", asked)
    (line,) = lines.new()

    assert ("step_done", "done") == (line["event"], line["status"])
    assert asked == {name: line[name] for name in asked}


def test_an_outcome_is_one_line_and_no_error(stage: Stage, lines: Lines) -> None:
    """What a state machine is told by an error's name is a warning, and says why."""
    identity = admit(stage)
    stage.desk.tables.put(Item(*HALT, {"halted": True, "reason": "a drill"}))
    asked = {"do": "step", "remediation": identity, "pass": "apply", "step": "tell"}
    assert "Halted" == invoke(stage, "run_step", asked)["errorType"]
    (line,) = lines.new()

    assert ("step_stopped", "warning", "Halted", "a drill") == tuple(
        line[name] for name in ("event", "level", "outcome", "why")
    )


def test_a_step_that_fails_is_one_line(stage: Stage, lines: Lines) -> None:
    """An error nobody expected is an error in the log, and reaches the state machine."""
    asked = {"do": "step", "remediation": "x", "pass": "apply", "step": "tell"}
    assert "Failed" == invoke(stage, "run_step", asked)["errorType"]
    (line,) = lines.new()

    assert ("step_stopped", "error", "Failed") == tuple(
        line[name] for name in ("event", "level", "outcome")
    )


def test_a_process_that_is_killed_still_says_so(stage: Stage, lines: Lines) -> None:
    """Also what is no ordinary error ends in a line, where there is time for one."""
    identity = admit(stage)
    stage.cloud.inject = failing("PutItem", ProcessKilled)
    invoke(
        stage,
        "run_step",
        {"do": "step", "remediation": identity, "pass": "apply", "step": "tell"},
    )

    assert ["ProcessKilled"] == [line["outcome"] for line in lines.new()]


def test_an_execution_that_ended_is_one_line(stage: Stage, lines: Lines) -> None:
    """Closing what an execution left open is told with its status, or what kept it from it."""
    identity = admit(stage)
    arn = stage.settings.state_machine_arn("test")
    ended = {
        "version": "0",
        "id": "1",
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "account": "111122223333",
        "region": "us-east-1",
        "time": "2026-11-21T00:00:00Z",
        "resources": [],
        "detail": {"status": "ABORTED", "name": identity, "stateMachineArn": arn},
    }
    stage.cloud.emit(ended)
    stage.cloud.inject = failing("BatchGetItem", lambda: refusal("AccessDenied"), times=9)
    stage.cloud.emit(ended)
    stage.cloud.inject = None
    told = lines.new()

    assert ["execution_ended"] + ["execution_left_open"] * 3 == [line["event"] for line in told]
    assert (identity, "failed") == (told[0]["execution"], told[0]["status"])
    assert "failed" == lifecycle.head_of(stage.desk, identity).status


def test_a_delivery_of_logs_is_one_line(stage: Stage, lines: Lines) -> None:
    """What was read of a delivery is told in numbers, and what could not be, with its reason."""
    invoke(stage, "ingest_firewall_logs", {"awslogs": {}})
    (line,) = lines.new()

    assert ("logs_ingested", 0, 1) == (line["event"], line["events"], len(line["rejected"]))


def test_who_could_not_be_told_is_on_the_line(stage: Stage, lines: Lines) -> None:
    """A topic that is down is told in the same line, and not in the next invocation's."""
    stage.cloud.inject = failing("Publish", lambda: refusal("InternalError"))
    invoke(stage, "ingest_firewall_logs", {"awslogs": {}})
    invoke(stage, "ingest_firewall_logs", {"awslogs": {}})
    first, second = lines.new()

    assert ["Event rejected"] == [each.partition(":")[0] for each in first["not_told"]]
    assert "InternalError" in first["not_told"][0]
    assert "not_told" not in second


def fail(text: str) -> None:
    """Note what has several lines, and raise it."""
    note("more", "a\nb")
    note("more", "\x1b[31m")
    raise ValueError(text)


def test_what_a_finding_says_stays_on_its_line(lines: Lines) -> None:
    """Lines, escapes and halves of letters in an error do not make lines of their own."""
    with pytest.raises(ValueError, match="evil"), Line("done", "failed", name="\ud800\u2028"):
        fail('evil\n{"event": "done"}' + "x" * 10_000)
    text = lines.text()

    assert 1 == text.count("\n")
    assert text.isascii()
    assert len(text) < 3_000
    assert ["a\nb", "\x1b[31m"] == json.loads(text)["more"]


def test_a_replay_may_silence_the_log(lines: Lines) -> None:
    """A replay shows what happened itself."""
    silence()
    with Line("done", "failed"):
        pass
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))

    assert "" == lines.text()


# --- errors that may pass -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (refusal("ThrottlingException"), "Transient"),
        (refusal("InternalServerError"), "Transient"),
        (ConnectTimeoutError(endpoint_url="dynamodb"), "Transient"),
        (refusal("AccessDeniedException"), "Failed"),
    ],
)
@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("BatchGetItem", {"do": "step", "pass": "apply", "step": "tell"}),
        ("TransactWriteItems", {"do": "park", "step": "tell", "token": "t"}),
        ("BatchGetItem", {"do": "close"}),
    ],
)
def test_a_fault_of_aws_is_named_for_the_state_machine(
    stage: Stage, operation: str, asked: dict[str, str], error: Exception, name: str
) -> None:
    """A fault that may pass is tried again wherever it came up; a refusal is not."""
    identity = admit(stage)
    stage.desk.tables.put(Item(*HALT, {"halted": asked["do"] == "park"}))
    stage.cloud.inject = failing(operation, lambda: error)
    report = invoke(stage, "run_step", {**asked, "remediation": identity})

    assert name == report["errorType"]


# --- secrets --------------------------------------------------------------------------------------


def everything_recorded(stage: Stage) -> str:
    """Return all audit records as text."""
    tables = stage.desk.tables
    chains = [tables.records(chain) for chain in tables.chains()]
    return canonical_text([[(r.who, r.what, r.kind) for r in records] for records in chains])


def test_a_task_token_is_in_no_log_and_no_record(stage: Stage, lines: Lines) -> None:
    """Whoever has a token can answer for a person: it is stored, and told to nobody."""
    identity = admit(stage, phase="wait")
    for do in ("ask", "park"):
        asked = {"do": do, "remediation": identity, "step": "tell", "token": TOKEN}
        assert {} == invoke(stage, "run_step", asked)
    stage.cloud.inject = failing("BatchGetItem", lambda: refusal("ThrottlingException"))
    invoke(stage, "run_step", {"do": "ask", "remediation": identity, "token": TOKEN})

    assert TOKEN == lifecycle.head_of(stage.desk, identity).token
    assert TOKEN not in lines.text()
    assert TOKEN not in everything_recorded(stage)
    assert all(TOKEN not in str(c.params) for c in stage.cloud.calls if c.operation == "Publish")


def test_credentials_are_in_no_log_and_no_record(lines: Lines) -> None:
    """What a step assumes its role with stays in the process; each step assumes it once."""
    (event,) = events([EVENTS / "config/restricted_ssh_noncompliant.json"])
    shipped = playbook.load(ROOT / "playbooks")
    with replaying(shipped, Options()) as stage:
        replayed = replay_in(stage, event, Options())
        settle(stage)
        sessions = [held.session for held in stage.desk.access._held.values()]
        keys = [session.get_credentials().get_frozen_credentials() for session in sessions]
        secrets = {k.secret_key for k in keys} | {k.token for k in keys if k.token}
        assumed = [c for c in stage.cloud.calls if c.operation == "AssumeRole"]
        told = lines.text() + everything_recorded(stage)

    assert "remediated" == replayed.decision
    assert len(secrets) > 1
    assert [] == [secret for secret in secrets if secret in told]
    names = [_session(call) for call in assumed]
    assert names
    assert len(names) == len(set(names))


def _session(call: CallInfo) -> str:
    return str(call.params["RoleSessionName"])
