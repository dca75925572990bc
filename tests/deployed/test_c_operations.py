"""What goes on beside the events: the trail, retries, schedules, failures."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from firebreak.cloud.calls import CallInfo
from tests.deployed.accounts import HOME, REGION
from tests.deployed.clone import STAGE
from tests.deployed.desk import Person, groups, recorded
from tests.deployed.world import Deployed

MINER = recorded("guardduty/crypto_currency_ec2.json")
INSTANCE = MINER["detail"]["resource"]["instanceDetails"]["instanceId"]


def test_a_person_takes_it_back(stage: Deployed, person: Person) -> None:
    """The recorded undo runs through the deployed machine, in the member account."""
    (head,) = stage.remediations(INSTANCE)
    person.does("rollback", head.id, "--no-wait")
    stage.settle()
    (after,) = stage.remediations(INSTANCE)

    assert after.status in ("rolled_back", "partly_rolled_back")
    assert f"firebreak-{STAGE}-quarantine" not in groups(stage, INSTANCE)


def test_the_trail_is_kept_and_sealed_outside(stage: Deployed, person: Person) -> None:
    """Stream, bucket and key: what the tables say is proven by what they do not hold."""
    while stage.cloud.poll():
        stage.settle()
    stage.cloud.run_schedules("seal_audit")

    assert "nothing is wrong" in person.does("audit", "verify")


def test_what_a_function_fails_on_is_tried_again(stage: Deployed) -> None:
    """An event that came while the tables were down waits in the queue, and is decided later."""
    event = copy.deepcopy(MINER)
    event["detail"]["id"] = "f" * 32
    event["detail"]["severity"] = 9.5
    stage.cloud.inject = failing(stage, "on_event")
    try:
        stage.happen(event)
    finally:
        stage.cloud.inject = None
    before = len(stage.remediations(INSTANCE))
    while stage.cloud.poll():
        stage.settle()

    assert before + 1 == len(stage.remediations(INSTANCE))


def test_schedules_run_in_their_own_roles(stage: Deployed) -> None:
    """Sweep and reconciliation are begun by their rules, and nothing is refused to them."""
    answers = [*stage.cloud.run_schedules("sweep"), *stage.cloud.run_schedules("reconcile")]

    assert [] == [each for each in answers if "errorType" in each]
    assert [] == [each["failed"] for each in answers if each.get("failed")]


def failing(stage: Deployed, function: str) -> Callable[[CallInfo], None]:
    """Return a hook that lets every call of a function fail."""

    def hook(info: CallInfo) -> None:
        if info.phase == "before" and info.function == f"firebreak-{STAGE}-{function}":
            error = {"Code": "InternalServerError", "Message": "down"}
            raise ClientError({"Error": error}, info.operation)  # type: ignore[typeddict-item]

    return hook


def end(stage: Deployed) -> None:
    """Let an execution that nobody knows be over."""
    name = f"arn:aws:states:{REGION}:{HOME}:stateMachine:firebreak-{STAGE}-report_root_usage"
    stage.cloud.emit(
        {
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "account": HOME,
            "region": REGION,
            "time": "2026-11-28T00:00:00Z",
            "resources": [],
            "detail": {
                "status": "ABORTED",
                "name": "0" * 24,
                "stateMachineArn": name,
                "executionArn": name.replace("stateMachine", "execution") + ":" + "0" * 24,
            },
        }
    )


def log(stage: Deployed) -> None:
    """Invoke the function of firewall logs as CloudWatch Logs does."""
    record = recorded("network_firewall/cloudwatch_logs_subscription.json")
    stage.cloud.session(HOME, REGION).client("lambda").invoke(
        FunctionName=f"firebreak-{STAGE}-ingest_firewall_logs",
        InvocationType="Event",
        Payload=json.dumps(record),
    )


def schedule(name: str) -> Callable[[Deployed], None]:
    return lambda stage: stage.cloud.run_schedules(name) and None


@contextmanager
def broken(stage: Deployed, function: str) -> Iterator[None]:
    """Let a function be unable to start for the length of a `with`."""
    client = stage.cloud.session(HOME, REGION).client("lambda")
    name = f"firebreak-{STAGE}-{function}"
    right = client.get_function_configuration(FunctionName=name)["Environment"]
    wrong = {"Variables": {**right["Variables"], "FIREBREAK_STAGE": "NOT A STAGE"}}
    client.update_function_configuration(FunctionName=name, Environment=wrong)
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=name, Environment=right)


@pytest.mark.parametrize(
    ("function", "begin", "queue"),
    [
        ("on_execution_ended", end, "retry-intake"),
        ("ingest_firewall_logs", log, "retry-intake"),
        ("sweep", schedule("sweep"), "dead-letters"),
        ("reconcile", schedule("reconcile"), "dead-letters"),
        ("seal_audit", schedule("seal_audit"), "dead-letters"),
    ],
)
def test_what_fails_for_good_is_kept(
    stage: Deployed, function: str, begin: Callable[[Deployed], None], queue: str
) -> None:
    """Lambda's failure destination is the queue, under the function's own role."""
    before = waiting(stage, queue)
    with broken(stage, function):
        begin(stage)

    assert before + 1 == waiting(stage, queue)
    assert [] == stage.cloud.denied


def waiting(stage: Deployed, queue: str) -> int:
    """Return how many messages a queue holds."""
    from moto.sqs.models import sqs_backends

    return len(sqs_backends[HOME][REGION].get_queue(f"firebreak-{STAGE}-{queue}")._messages)
