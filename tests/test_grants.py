"""Each function calls all that it is granted, and nothing else: scenes that make it do so.

A call that is not granted fails in the scene itself, since replay runs under the derived policies.
What is granted and called in no scene fails here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib import grants, halting, lifecycle
from chalicelib.guardrails import live
from chalicelib.outside.vault import ARRIVALS, RECORDS
from chalicelib.playbook import Playbook
from chalicelib.settings import API, FUNCTIONS, function_name
from chalicelib.store import Remediation
from firebreak.audit_store import Fed
from firebreak.cloud import ProcessKilled
from firebreak.cloud.authorization import ALWAYS_ALLOWED, asked_for
from firebreak.cloud.calls import CallInfo
from firebreak.cloud.identity import Principal
from firebreak.cloud.policy import like
from firebreak.iam import Place
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.deciding.drive import Waiting
from tests.guarded import guarded
from tests.guardrails.test_modes import INNER, organize
from tests.kept import LATER
from tests.reconciling.test_executions import arn_of, of_function
from tests.reconciling.test_undelivered import kept as undelivered
from tests.scheduled import blocking, contained, delivered, invoked, later, prepared
from tests.test_ingest import alert, subscription
from tests.test_retrying import ENDED, Queues
from tests.worlds import HOME, MEMBER, failing, finding_event, outside_functions, playbook, refusal

DAY = 86_400
TAGS = {"firebreak": "exempt"}  # which on_event reads in the account of the finding
BUCKET = "firewall-logs"
PLACE = Place("aws", HOME, "us-east-1", "replay")
Asked = tuple[str, str]  # an IAM action, and the resource that it is asked for


@dataclass
class Seen:
    """Hold what functions were seen to ask for, with a cold start before each of their requests."""

    stage: Stage
    asked: dict[str, set[Asked]] = field(default_factory=dict)
    requests: set[str] = field(default_factory=set)

    def note(self, info: CallInfo, principal: Principal) -> None:
        """Note a call that a function makes in its own role."""
        if info.function is None or principal.session_name != info.function:
            return
        if info.request_id and info.request_id not in self.requests:
            self.requests.add(info.request_id)
            self.stage.desk.tables._heads.clear()
            self.stage.desk.access._held.clear()
            live._KEPT.clear()
        name = API if info.function == function_name("replay", API) else info.function
        self.asked.setdefault(name, set()).update(asked_for(info))


def unused(function: str, asked: set[Asked]) -> list[str]:
    """Return what a function's code is granted and was not seen to ask for."""
    return [
        f"{grant.name}: {action}"
        for grant in grants.grants(function, (BUCKET,))
        if not grant.by_lambda
        for action in grant.actions
        if not any(_covers(grant, action, each) for each in asked)
    ]


def _covers(grant: grants.Grant, action: str, asked: Asked) -> bool:
    resources = map(PLACE.filled, grant.resources)
    return asked[0] == action and any(like(asked[1], pattern) for pattern in resources)


# --- worlds ---------------------------------------------------------------------------------------


@contextmanager
def staged(folder: Path, book: Playbook) -> Iterator[tuple[Stage, Seen]]:
    """Give a stage in an organisation, and what its functions are seen to ask for."""
    units = {"modes": {"organizational_units": {INNER: book.guardrails.mode}}}
    known = {book.name: book, "tell": playbook("tell", match={"source": ["aws.config"]})}
    with guarded(folder, units, known, ACCOUNTS=MEMBER, FIREWALL_LOG_BUCKETS=BUCKET) as stage:
        organize(stage)
        seen = Seen(stage)
        stage.cloud.gate.before.insert(0, seen.note)
        yield stage, seen


def asking() -> Playbook:
    """Return a playbook that asks, and reads tags."""
    return blocking(mode="approve", exempt_tags=TAGS)


def enforced(**more: Any) -> Playbook:
    """Return a playbook that contains by itself, and reads tags."""
    return blocking(cooldown="0s", exempt_tags=TAGS, **more)


Hand = Callable[[str, Mapping[str, Any]], None]


def handing(stage: Stage, *, retried: bool) -> Hand:
    """Return what hands events to functions: to each itself, or by way of the retry queue."""
    queues = Queues(stage) if retried else None
    client = stage.cloud.session().client("lambda")

    def hand(function: str, event: Mapping[str, Any]) -> None:
        if queues is None:
            client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        else:
            arn = f"arn:aws:lambda:us-east-1:{HOME}:function:{function}"
            said = {"requestContext": {"functionArn": arn}, "requestPayload": event}
            queues.send(json.dumps(said))
            queues.drain()
        settle(stage)

    return hand


# --- scenes ---------------------------------------------------------------------------------------


def events_decided(stage: Stage, hand: Hand) -> None:
    """Deliver a finding, its repeat that renews what expires, and an event that says nothing."""
    hand("on_event", prepared(stage, finding_event()))
    later(stage, 2 * DAY)
    hand("on_event", finding_event())
    hand("on_event", finding_event(resource={}))
    stage.cloud.inject = failing("StartExecution", ProcessKilled, times=1)
    worse = prepared(stage, finding_event(severity=9.9))
    hand("on_event", worse)
    stage.cloud.inject = None
    hand("on_event", worse)


def logs_ingested(stage: Stage, hand: Hand) -> None:
    """Deliver alerts, something that is none, and an object."""
    s3 = stage.cloud.session().client("s3")
    s3.create_bucket(Bucket=BUCKET)
    key = f"AWSLogs/{MEMBER}/network-firewall/alert/us-east-1/fw/k"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(alert(1)).encode())
    hand("ingest_firewall_logs", subscription(alert(1), "{broken"))
    notice = {"s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}
    hand("ingest_firewall_logs", {"Records": [notice]})


def ended(stage: Stage, identity: str) -> dict[str, Any]:
    """Return what EventBridge tells of an execution that was stopped."""
    machine = stage.settings.state_machine_arn("block")
    detail = {"status": "ABORTED", "name": identity, "stateMachineArn": machine}
    return {**ENDED, "detail": detail}


def stopped(stage: Stage, identity: str) -> None:
    stage.cloud.session().client("stepfunctions").stop_execution(
        executionArn=arn_of(stage, identity)
    )


REFUSE = of_function("on_execution_ended", "BatchGetItem")


def cut_off(stage: Stage) -> str:
    """Stop an execution in the midst of a change, and tell nobody; return its remediation."""
    done: list[str] = []

    def stop(info: CallInfo) -> None:
        REFUSE(info)
        if info.operation == "CreateNetworkAclEntry" and info.phase == "before":
            identity = str(info.session_name).split("-")[1]
            if not done:
                done.append(identity)
                with outside_functions():
                    stopped(stage, identity)
            raise ProcessKilled

    stage.cloud.inject = stop
    stage.cloud.emit(prepared(stage, finding_event()))
    settle(stage)
    stage.cloud.inject = None
    later(stage, 3_600)
    return done[0]


def executions_ended(stage: Stage, hand: Hand) -> None:
    """Tell of an execution stopped in the midst of a change, and of one a person wants back."""
    identity = cut_off(stage)
    hand("on_execution_ended", ended(stage, identity))
    assert "failed" == lifecycle.head_of(stage.desk, identity).status
    _taken_up(stage, hand)


def _taken_up(stage: Stage, hand: Hand) -> None:
    halting.halt(stage.desk, "a drill", "a person")
    (decision,) = delivered(stage, prepared(stage, finding_event()))
    identity = str(decision["remediation"])
    stage.cloud.inject = REFUSE
    stopped(stage, identity)
    settle(stage)
    stage.cloud.inject = None

    def wanted(head: Remediation) -> Remediation:
        return replace(head, phase="apply", undo={"asked": True, "by": "a person", "number": 1})

    lifecycle.move(stage.desk, identity, "undo_asked", wanted, {"principal": "a person"})
    hand("on_execution_ended", ended(stage, identity))
    assert f"{identity}-undo-1" in " ".join(stage.cloud.executions)


def steps_run(stage: Stage) -> None:
    """Contain, tell people, take back; and ask for a step that need not wait any more."""
    identity = contained(stage)
    client = stage.cloud.session().client("lambda")
    park = {"do": "park", "remediation": identity, "step": "block", "token": "gone"}
    client.invoke(FunctionName="run_step", Payload=json.dumps(park).encode())
    lifecycle.start_undo(stage.desk, identity, {"by": "a person"})
    settle(stage)


def decisions_taken(stage: Stage) -> None:
    """Let the role of an instance at home decide, then a person of Identity Center."""
    event = finding_event()
    event["account"] = event["detail"]["accountId"] = HOME
    profile = {"arn": f"arn:aws:iam::{HOME}:instance-profile/web"}
    event["detail"]["resource"]["instanceDetails"]["iamInstanceProfile"] = profile
    (decision,) = delivered(stage, prepared(stage, event))
    asked = Waiting(stage, str(decision["remediation"]))
    iam = stage.cloud.session().client("iam")
    found = iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]
    server = asked.session(found["Roles"][0]["RoleName"], "x1")
    reserved = "/aws-reserved/sso.amazonaws.com/"
    person = asked.session("AWSReservedSSO_Developer_0123456789abcdef", "bob", reserved)

    assert 403 == asked.decide(server)[0]
    assert 200 == asked.decide(person)[0]


def retries_made(stage: Stage) -> None:
    """Send an event that fails again, and a message that holds none."""
    queues = Queues(stage)
    queues.send("no event")
    queues.send(json.dumps(prepared(stage, finding_event())))
    stage.cloud.inject = failing("StartExecution", lambda: refusal("Boom"))
    queues.mapped.poll()
    stage.cloud.inject = None
    queues.drain()


def due_done(stage: Stage) -> None:
    """Let a block expire: its warning, its end that died half-way and is begun again."""
    contained(stage)
    later(stage, 29 * DAY)
    invoked(stage, "sweep")
    later(stage, 2 * DAY)
    stage.cloud.inject = failing("StartExecution", ProcessKilled)
    invoked(stage, "sweep")
    stage.cloud.inject = None
    invoked(stage, "sweep")


def left_undone(stage: Stage) -> None:
    """Leave undone: a finding that never came, a decision not sent, a wait that ran out."""
    undelivered(stage)
    invoked(stage, "reconcile")
    (first,) = stage.cloud.executions
    identity = first.rpartition(":")[2]

    def decided(head: Remediation) -> Remediation:
        return replace(head, phase="apply", decision={"decision": "approved"})

    lifecycle.move(stage.desk, identity, "approved", decided, {"principal": "a person"})
    invoked(stage, "reconcile")
    delivered(stage, prepared(stage, finding_event(severity=9.9)))
    later(stage, 5 * 3_600)
    invoked(stage, "reconcile")


def left_open(stage: Stage) -> None:
    """Leave open what an execution that was stopped began."""
    identity = cut_off(stage)
    invoked(stage, "reconcile")
    assert "failed" == lifecycle.head_of(stage.desk, identity).status


def trail_kept(stage: Stage, fed: Fed) -> None:
    """Keep a record whose object others wrote over and hid, and one that was removed."""
    _commit(stage)
    fed.poll()
    s3, bucket = stage.cloud.session().client("s3"), stage.settings.audit_bucket
    (item,) = s3.list_objects_v2(Bucket=bucket, Prefix=RECORDS)["Contents"]
    s3.put_object(Bucket=bucket, Key=item["Key"], Body=b"junk", ChecksumAlgorithm="SHA256")

    def hide(info: CallInfo) -> None:
        if (info.function, info.operation, info.phase) == ("keep_audit", "GetObject", "before"):
            stage.cloud.inject = None
            s3.delete_object(Bucket=bucket, Key=item["Key"])

    stage.cloud.inject = hide
    fed.taken = 0
    fed.poll()
    table = stage.cloud.session().client("dynamodb")
    key = {"chain": {"S": "CONTROL"}, "seq": {"N": "1"}}
    table.delete_item(TableName=stage.settings.audit_table, Key=key)
    fed.poll()


def trail_sealed(stage: Stage, fed: Fed) -> None:
    """Make two seals, the second over an arrival of which there is no record."""
    _commit(stage)
    fed.poll()
    invoked(stage, "seal_audit")
    _commit(stage)
    fed.poll()
    s3, bucket = stage.cloud.session().client("s3"), stage.settings.audit_bucket
    name = f"{ARRIVALS}{stage.desk.clock.now()}/invented/0000000001-{'0' * 64}"
    s3.put_object(Bucket=bucket, Key=name, Body=b"", ChecksumAlgorithm="SHA256")
    later(stage, LATER)
    invoked(stage, "seal_audit")


def _commit(stage: Stage) -> None:
    from chalicelib.audit import Entry

    stage.desk.tables.commit(Entry("CONTROL", "test", {}, {}), lambda _seq: [])


# --- the promise ----------------------------------------------------------------------------------


def observed(folder: Path, function: str) -> set[Asked]:
    """Return what a function asked for over all its scenes."""
    found: set[Asked] = set()
    for number, (book, play) in enumerate(SCENES[function]):
        place = folder / str(number)
        place.mkdir()
        with staged(place, book) as (stage, seen):
            play(stage)
            found |= seen.asked.get(function, set())
    return {each for each in found if each[0] not in ALWAYS_ALLOWED}


def direct(play: Callable[[Stage, Hand], None]) -> Callable[[Stage], None]:
    return lambda stage: play(stage, handing(stage, retried=False))


def again(play: Callable[[Stage, Hand], None]) -> Callable[[Stage], None]:
    return lambda stage: play(stage, handing(stage, retried=True))


def outside(play: Callable[[Stage, Fed], None]) -> Callable[[Stage], None]:
    return lambda stage: play(stage, stage.provide_audit_store())


RENEWED = blocking(cooldown="6d", expires_after="7d", exempt_tags=TAGS)
TELLING = replace(enforced(), steps=(*enforced().steps, *playbook().steps))
SCENES: Mapping[str, list[tuple[Playbook, Callable[[Stage], None]]]] = {
    "on_event": [(RENEWED, direct(events_decided))],
    "run_step": [(TELLING, steps_run)],
    "on_execution_ended": [(enforced(), direct(executions_ended))],
    "ingest_firewall_logs": [(asking(), direct(logs_ingested))],
    API: [(asking(), decisions_taken)],
    "retry_intake": [
        (RENEWED, again(events_decided)),
        (enforced(), again(executions_ended)),
        (asking(), again(logs_ingested)),
        (asking(), retries_made),
    ],
    "sweep": [(enforced(expires_after="30d"), due_done)],
    "reconcile": [(asking(), left_undone), (enforced(), left_open)],
    "keep_audit": [(asking(), outside(trail_kept))],
    "seal_audit": [(asking(), outside(trail_sealed))],
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_calls_all_that_it_is_granted(tmp_path: Path, function: str) -> None:
    """Over its scenes a function asks for each action on each kind of resource it is granted."""
    asked = observed(tmp_path, function)

    assert [] == unused(function, asked)
