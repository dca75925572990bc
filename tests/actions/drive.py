"""Drive one action through the real runner and store, on the embedded AWS."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import boto3

from chalicelib import lifecycle, machine, store
from chalicelib.audit import Entry
from chalicelib.errors import StepFailed
from chalicelib.finding import Finding, Resource, document
from chalicelib.table import Put
from firebreak.cloud import CallInfo
from firebreak.stage import Stage

ACCOUNT, REGION = "222233334444", "us-east-1"
SUPPORT = frozenset({"dynamodb", "sts", "stepfunctions", "lambda", "events"})
READS = ("Describe", "Get", "List", "Head", "BatchGet", "Scan", "Query", "Lookup", "Search")

FINDING = Finding(
    id="0123456789abcdef0123456789abcdef",
    source="aws.guardduty",
    type="CryptoCurrency:EC2/BitcoinTool.B",
    title="An instance talks to a mining pool",
    severity=8.0,
    account=ACCOUNT,
    region=REGION,
    resource=Resource("instance", "i-0123456789abcdef0"),
)


class Bench:
    """Hold the stage that the tests of one `with` drive their actions on."""

    stage: Stage
    numbers = itertools.count(1)


@dataclass(frozen=True)
class Run:
    """Hold what one run of one action came to."""

    identity: str
    result: store.StepResult | None
    made: tuple[CallInfo, ...]

    @property
    def status(self) -> str:
        """Return how the step ended."""
        return self.result.status if self.result else "none"

    @property
    def reason(self) -> str:
        """Return why it ended so."""
        return self.result.reason if self.result else ""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return what the action reports."""
        return self.result.facts if self.result else {}

    @property
    def items(self) -> list[Mapping[str, Any]]:
        """Return what a plan says would be done."""
        return [
            item
            for item in (self.result.items if self.result else ())
            if item["kind"] != "identity"
        ]

    @property
    def calls(self) -> list[str]:
        """Return the API calls made that write, as `service:operation` in boto3's names."""
        return [f"{call.service}:{snake(call.operation)}" for call in self.made if writes(call)]

    @property
    def effects(self) -> list[store.Effect]:
        """Return the recorded effects in order."""
        return store.effects(Bench.stage.desk.tables, self.identity)

    @property
    def changes(self) -> list[dict[str, Any]]:
        """Return the recorded effects as dictionaries."""
        names = "kind key n state before after want do undo final call verified".split()
        return [{name: getattr(effect, name) for name in names} for effect in self.effects]

    def undo(self, *, force: bool = False) -> list[dict[str, Any]]:
        """Take everything back, two days later; return how each change fared."""
        desk = Bench.stage.desk
        desk.clock.sleep(2 * 86_400)
        keys = [effect.key for effect in self.effects]
        lifecycle.move(
            desk,
            self.identity,
            "told",
            lambda head: _with_undo(head, {"force": keys if force else []}),
            {},
        )
        while ask(self.identity, {"do": "undo"})["more"]:
            pass
        head = lifecycle.head_of(desk, self.identity)
        return [dict(row) for row in head.undo["results"]]


def _with_undo(head: store.Remediation, undo: dict[str, Any]) -> store.Remediation:
    return replace(head, undo=undo)


def snake(name: str) -> str:
    """Return boto3's method name of an API operation."""
    from botocore import xform_name

    return str(xform_name(name))


def writes(call: CallInfo) -> bool:
    """Say whether a recorded call changes something that an action is about."""
    return own(call) and not call.operation.startswith(READS)


def own(call: CallInfo) -> bool:
    """Say whether a call is an action's: made in its step's session, or at home and no record."""
    return (call.session_name or "").startswith("firebreak-") or call.service not in SUPPORT


def ask(identity: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Ask `run_step` as the state machine would."""
    event = {"remediation": identity, **request}
    return machine.handle(Bench.stage.desk, event, f"request-{next(Bench.numbers)}", 300.0)


def admitted(name: str, params: Mapping[str, Any], finding: Finding, phase: str) -> str:
    """Record a remediation whose playbook has this one step; return its id."""
    identity = f"{next(Bench.numbers):024x}"
    tables = Bench.stage.desk.tables
    playbook = {
        "name": "test",
        "title": "One action",
        "match": {"source": ["aws.guardduty"]},
        "target": "$.finding.resource",
        "guardrails": {"mode": "enforce"},
        "steps": [{"name": "step", "action": name, "with": dict(params), "on_error": "continue"}],
    }
    head = store.Remediation(
        id=identity,
        playbook=playbook,
        finding_parts=store.put_finding(tables, identity, document(finding)),
        finding_id=finding.id,
        account=finding.account,
        region=finding.region,
        partition=finding.partition,
        target=finding.resource.id,
        gate=f"gate-{identity}",
        generation=1,
        mode="enforce",
        why="",
        created_at="2026-11-21T00:00:00.000Z",
        phase=phase,
    )
    tables.commit(Entry(identity, "admitted", {}, {}), lambda _seq: [Put(store.meta_item(head))])
    return identity


def applied(name: str, session: boto3.Session, *, finding: Finding = FINDING, **params: Any) -> Run:
    """Apply an action."""
    return run(admitted(name, params, finding, "apply"), "apply")


def planned(name: str, session: boto3.Session, *, finding: Finding = FINDING, **params: Any) -> Run:
    """Plan an action."""
    return run(admitted(name, params, finding, "plan"), "plan")


def run(identity: str, phase: str) -> Run:
    """Run the one step of a remediation in a pass."""
    before = len(Bench.stage.cloud.calls)
    with suppress(StepFailed):
        ask(identity, {"do": "step", "pass": phase, "step": "step"})
    made = tuple(Bench.stage.cloud.calls[before:])
    head = lifecycle.head_of(Bench.stage.desk, identity)
    found = store.results(Bench.stage.desk.tables, identity, store.pass_name(head, phase))
    return Run(identity, found[0] if found else None, made)
