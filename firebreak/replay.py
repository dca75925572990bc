"""A recorded event through the real handlers, machines and calls, on an AWS in the process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from botocore.credentials import ReadOnlyCredentials

from chalicelib import intake, lifecycle, playbook, sources
from chalicelib.effect import canonical_text
from chalicelib.errors import InvalidPlaybook, Rejected
from chalicelib.finding import Finding
from chalicelib.pattern import PatternSet
from chalicelib.playbook import Playbook
from chalicelib.sources import Reading
from firebreak import api, scene
from firebreak.cloud import Cloud
from firebreak.cloud.strict.events import MAX_ENTRY_BYTES
from firebreak.event_files import EventFile, moved
from firebreak.report import APPLIED, Delivered, Replayed, remediations, report
from firebreak.stage import Stage, staged

HOME = "111122223333"  # the security account of a replay, from AWS's documentation examples
WAIT = 120.0  # seconds of real time that one execution may take
APPROVER = "replay-approver"
QUESTIONS = 5  # that one remediation may ask: a plan that changes is asked about again
LATER = 2 * 86_400  # seconds until a roll-back: some protections must not be taken back at once


@dataclass(frozen=True)
class Options:
    """Hold what a replay was asked for."""

    plan: bool = False
    together: bool = False
    account: str = ""
    rollback: bool = False
    empty: bool = False  # nothing that the events speak of exists any more
    decision: str = ""  # what a person says of each plan that waits: `approved` or `denied`


def load_playbooks(folder: Path | None) -> Mapping[str, Playbook]:
    """Return the playbooks to replay with, every one validated but for its examples' files.

    Raise InvalidPlaybook with every problem of every file.
    """
    place = folder or playbook.FOLDER
    problems = [p for p in playbook.problems([place]) if not p.path.startswith("examples[")]
    if problems:
        raise InvalidPlaybook(problems)
    return playbook.load(place)


def replay(
    events: Iterable[EventFile], playbooks: Mapping[str, Playbook], options: Options
) -> Iterator[Replayed]:
    """Replay events, each in a fresh embedded AWS, or all in one."""
    if options.together:
        with world(playbooks, options) as stage:
            for event in events:
                yield replay_in(stage, event, options)
        return
    for event in events:
        yield replay_one(event, playbooks, options)


def replay_one(event: EventFile, playbooks: Mapping[str, Playbook], options: Options) -> Replayed:
    """Replay one event in a fresh embedded AWS."""
    with world(playbooks, options) as stage:
        return replay_in(stage, event, options)


@contextmanager
def world(playbooks: Mapping[str, Playbook], options: Options) -> Iterator[Stage]:
    """Give a stage in a fresh embedded AWS."""
    environment = {"FIREBREAK_MODE": "observe"} if options.plan else {}
    with Cloud(HOME) as cloud, staged(cloud, playbooks, environment, machines=False) as stage:
        yield stage


def replay_in(stage: Stage, event: EventFile, options: Options) -> Replayed:
    """Replay one event in a world that may have seen others."""
    handled = deliver(stage, event, options)
    if options.decision:
        decide(stage, remediations(handled), options.decision)
    if options.rollback:
        stage.desk.clock.sleep(LATER)
        for identity in remediations(handled):
            if lifecycle.head_of(stage.desk, identity).status in APPLIED:
                roll_back(stage, identity)
    return report(stage, event.name, handled)


# --- delivering -----------------------------------------------------------------------------------


def deliver(stage: Stage, event: EventFile, options: Options) -> Delivered:
    """Make what the event speaks of, deliver it as AWS would, and wait for what it starts."""
    value = moved(event.value, options.account) if options.account else event.value
    unreadable = event.unreadable or _not_carried(value)
    if unreadable:
        return _rejected(stage, value, unreadable)
    if is_log(value):
        return _log(stage, value, options)
    try:
        reading = sources.read(value)
    except Rejected:
        handled = intake.handle(stage.desk, stage.playbooks, value, "replay")
        return Delivered((), tuple(asdict(each) for each in handled.decisions), ())
    prepare(stage, (reading,), empty=options.empty)
    envelope = value if "detail-type" in value else reading.envelope
    answers = stage.cloud.emit(dict(envelope))
    settle(stage)
    return _answered(reading.findings, answers)


def _not_carried(value: Any) -> str:
    """Say why EventBridge, which takes UTF-8 of a bounded size, would not carry a value."""
    try:
        size = len(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return "it holds half of a surrogate pair, which is no text"
    if size > MAX_ENTRY_BYTES:
        return f"{size} bytes: EventBridge carries events of up to {MAX_ENTRY_BYTES}"
    return ""


def _rejected(stage: Stage, value: Any, reason: str) -> Delivered:
    decision = intake.reject(stage.desk, value, reason, "replay")
    return Delivered((), (asdict(decision),), ())


def is_log(value: Any) -> bool:
    """Say whether a value is a delivery of Network Firewall logs, or one record of them."""
    if not isinstance(value, Mapping):
        return False
    return (
        "awslogs" in value or "Records" in value or ("event" in value and "firewall_name" in value)
    )


def _log(stage: Stage, value: Mapping[str, Any], options: Options) -> Delivered:
    """Invoke `ingest_firewall_logs`, and follow what it puts on the bus."""
    from chalicelib.firewall_logs import alert_events, records

    alerts = alert_events(records(value).records, HOME, stage.cloud.region)
    readings = [sources.read(_envelope(stage, entry)) for entry in alerts]
    findings = tuple(finding for reading in readings for finding in reading.findings)
    prepare(stage, readings, empty=options.empty)
    before = len(stage.answers)
    outcome = _invoke(stage, value)
    settle(stage)
    answers = [answer for name, answer in stage.answers[before:] if name == "on_event"]
    answered = _answered(findings, answers)
    if outcome.get("errorType"):
        failure = f"{outcome['errorType']}: {outcome.get('errorMessage')}"
        return replace(answered, failures=(*answered.failures, failure))
    return replace(answered, decisions=(*answered.decisions, *_not_alerts(outcome)))


def _not_alerts(outcome: Mapping[str, Any]) -> list[dict[str, Any]]:
    reasons = list(outcome.get("rejected", []))
    if outcome.get("ignored"):
        count = outcome["ignored"]
        ignored = {"decision": "no_playbook", "reason": f"{count} records are no alerts"}
        return [ignored, *({"decision": "rejected", "reason": reason} for reason in reasons)]
    return [{"decision": "rejected", "reason": reason} for reason in reasons]


def _envelope(stage: Stage, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "account": HOME,
        "region": stage.cloud.region,
        "detail": json.loads(entry["Detail"]),
    }


def _invoke(stage: Stage, value: Mapping[str, Any]) -> dict[str, Any]:
    client = stage.cloud.session().client("lambda")
    answer = client.invoke(FunctionName="ingest_firewall_logs", Payload=json.dumps(value).encode())
    outcome = json.loads(answer["Payload"].read())
    return outcome if isinstance(outcome, dict) else {}


def prepare(stage: Stage, readings: Iterable[Reading], *, empty: bool = False) -> None:
    """Make the machines that events match, and the accounts and resources they speak of."""
    patterns = PatternSet({name: each.match for name, each in stage.playbooks.items()})
    for reading in readings:
        stage.provide_machines(patterns.matching(reading.envelope))
        for finding in reading.findings:
            stage.admit_account(finding.account)
            if not empty:
                scene.make(stage.cloud, finding)


def settle(stage: Stage) -> None:
    """Wait until every execution has ended or waits for somebody."""
    for arn in stage.cloud.executions:
        stage.cloud.wait(arn, WAIT)


def _answered(findings: tuple[Finding, ...], answers: Iterable[Any]) -> Delivered:
    decisions: list[Mapping[str, Any]] = []
    failures: list[str] = []
    for answer in answers:
        if isinstance(answer, Mapping) and "decisions" in answer:
            decisions.extend(answer["decisions"])
        elif isinstance(answer, Mapping) and answer.get("errorType"):
            failures.append(f"{answer['errorType']}: {answer.get('errorMessage')}")
    return Delivered(findings, tuple(decisions), tuple(failures))


def decide(stage: Stage, identities: Iterable[str], decision: str) -> None:
    """Let a person decide what waits, through the stage's API, as often as it asks."""
    person = None
    for identity in identities:
        for _ in range(QUESTIONS):
            head = lifecycle.head_of(stage.desk, identity)
            if head.phase != "wait":
                break
            person = person or approver(stage)
            asked = {"decision": decision, "plan": head.plan["hash"], "reason": "replayed"}
            api.decide(stage.desk, stage.api_url(), person, identity, asked)
            settle(stage)


def approver(stage: Stage) -> ReadOnlyCredentials:
    """Make a user of the security account who may decide; return the user's credentials."""
    iam = stage.cloud.session().client("iam")
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    policy = canonical_text({"Version": "2012-10-17", "Statement": [statement]})
    if APPROVER not in [user["UserName"] for user in iam.list_users()["Users"]]:
        iam.create_user(UserName=APPROVER)
        iam.put_user_policy(UserName=APPROVER, PolicyName="decide", PolicyDocument=policy)
    for old in iam.list_access_keys(UserName=APPROVER)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=APPROVER, AccessKeyId=old["AccessKeyId"])
    key = iam.create_access_key(UserName=APPROVER)["AccessKey"]
    return ReadOnlyCredentials(key["AccessKeyId"], key["SecretAccessKey"], None)


def roll_back(stage: Stage, identity: str) -> None:
    """Start the machine's undo pass for a remediation, and wait for its end."""
    lifecycle.start_undo(stage.desk, identity, {"by": "replay"})
    settle(stage)
