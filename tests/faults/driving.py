"""One event: applied, delivered again where it was not processed, rolled back by a person."""

from __future__ import annotations

import json

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from chalicelib import lifecycle, store
from chalicelib.errors import Failed, FirebreakError
from chalicelib.settings import FUNCTIONS
from firebreak import api, replay, retry_queue
from firebreak.cloud import ProcessKilled
from firebreak.report import APPLIED
from tests.faults.fields import Field

HOUR = 3_600.0
PASSES = 2  # times that all is looked after again, an hour apart
SCHEDULED = ("sweep", "reconcile")
TICK = {  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
    "version": "0",
    "id": "00000000-0000-0000-0000-000000000000",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": replay.HOME,
    "time": "2026-11-21T00:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {},
}


def apply(field: Field) -> str:
    """Deliver the event, and let its executions end; return what a person is told went wrong."""
    field.gate.clear()
    field.stage.cloud.emit(field.event)
    field.settle()
    return approve(field)


def approve(field: Field) -> str:
    """Have a person approve whatever waits; return what she is told went wrong."""
    stage, said = field.stage, []
    for _ in range(replay.QUESTIONS):
        asked = [head for head in heads(field) if head.phase == "wait" and head.token]
        for head in asked:
            decision = {"decision": "approved", "plan": head.plan["hash"], "reason": "a test"}
            field.gate.clear()
            try:
                api.decide(stage.desk, stage.api_url(), field.person, head.id, decision)
            except (Failed, HTTPClientError) as error:
                said.append(f"{type(error).__name__}: {error}")
            field.settle()
        if said or not asked:
            break
    return "; ".join(said)


def deliver_again(field: Field) -> None:
    """Let what is kept be delivered again, what waits be approved again, what is left be found."""
    for _ in range(PASSES):
        field.stage.desk.clock.sleep(HOUR)
        retry_queue.drain(field.queue, field.stage.desk.clock)
        field.settle()
        _later(field)
        approve(field)


def _later(field: Field) -> None:
    """Invoke the functions that look after what was left, as their schedules do."""
    client = field.stage.cloud.session().client("lambda")
    for name in sorted(set(SCHEDULED) & set(FUNCTIONS)):
        field.gate.clear()
        answer = client.invoke(FunctionName=name, Payload=json.dumps(TICK).encode())
        field.settle()
        if answer.get("FunctionError"):
            raise RuntimeError(f"{name} failed: {answer['Payload'].read()!r}")


def heads(field: Field) -> list[store.Remediation]:
    """Return the head of every remediation."""
    tables = field.stage.desk.tables
    return [lifecycle.head_of(field.stage.desk, each) for each in sorted(tables.remediation_ids())]


def wait(field: Field) -> None:
    """Let the time pass in which some protections must not be taken back."""
    field.stage.desk.clock.sleep(replay.LATER)


def roll_back(field: Field) -> str:
    """Have a person take back all that can be; return what she is told went wrong."""
    said = []
    for head in [each for each in heads(field) if _to_take_back(field, each)]:
        field.gate.clear()
        try:
            with field.person_at_work():
                lifecycle.start_undo(field.stage.desk, head.id, {"by": "tests"})
        except (ClientError, BotoCoreError, FirebreakError, ProcessKilled) as error:
            said.append(f"{type(error).__name__}: {error}")
        field.settle()
    return "; ".join(said)


def _to_take_back(field: Field, head: store.Remediation) -> bool:
    if not store.effects(field.stage.desk.tables, head.id):
        return False
    begun = head.phase == "undo"
    return begun or (head.status in APPLIED and head.status != lifecycle.ROLLED_BACK)
