"""What one step works with: its records, its lease and fence, its reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.actions import Action, actions
from chalicelib.audit import Entry, Record
from chalicelib.aws import Access, Place, session_name
from chalicelib.clock import Clock
from chalicelib.effect import JSON
from chalicelib.errors import Busy, Corrupt, Failed, Fenced
from chalicelib.guardrails.exemptions import untouchable
from chalicelib.log import note
from chalicelib.policy import Scope, session_policy
from chalicelib.runner.reading import LiveReader
from chalicelib.settings import Settings
from chalicelib.store import (
    Effect,
    Hold,
    Remediation,
    hold_item,
    hold_key,
    load,
    partition,
)
from chalicelib.table import (
    ABSENT,
    IN_PHASE,
    LEASED,
    NOBODY,
    SAME_VERSION,
    Check,
    ConditionFailed,
    Delete,
    Item,
    Operation,
    Put,
    Tables,
)

RACES = 10  # times a hold is read again when somebody else wrote it meanwhile
WISHED = frozenset({"want", "order", "do", "by"})


@dataclass(frozen=True)
class Desk:
    """Hold what all work of a function needs: settings, tables, access to AWS, the clock."""

    settings: Settings
    tables: Tables
    access: Access
    clock: Clock


@dataclass(frozen=True, slots=True)
class Lease:
    """Name the item that says who works, and until when (seconds since 1970)."""

    sk: str
    owner: str
    until: int


@dataclass(frozen=True)
class Work:
    """Hold one worker's right to write for a remediation, in one of its phases."""

    desk: Desk
    remediation: Remediation
    finding: Mapping[str, Any]
    lease: Lease
    who: Mapping[str, JSON]

    def commit(
        self, kind: str, what: Mapping[str, JSON], build: Callable[[int], Sequence[Operation]]
    ) -> Record:
        """Write with the fence: only in this phase, and only while the lease is ours.

        An item that is written needs no check beside it: its own condition is its fence. Raise
        Fenced where the fence fails, ConditionFailed where another condition does not hold.
        """
        pk = partition(self.remediation.id)
        fence = (
            Check(pk, "META", IN_PHASE, {"phase": self.remediation.phase}),
            Check(pk, self.lease.sk, LEASED, {"owner": self.lease.owner}),
        )

        def fenced(seq: int) -> list[Operation]:
            operations = list(build(seq))
            written = {operation.name for operation in operations}
            return operations + [check for check in fence if check.name not in written]

        entry = Entry(self.remediation.id, kind, self.who, what)
        try:
            return self.desk.tables.commit(entry, fenced)
        except ConditionFailed as failed:
            if {"META", self.lease.sk} & set(failed.names):
                raise Fenced(f"{self.remediation.id}: {failed}") from failed
            raise

    def end(self) -> None:
        """Let go of the lease where it is still ours; one that cannot be let go of runs out."""
        item = Item(partition(self.remediation.id), self.lease.sk, {}, owner=NOBODY)
        try:
            self.desk.tables.put_where(item, LEASED, {"owner": self.lease.owner})
        except (ClientError, BotoCoreError, Busy) as error:
            note("left_to_run_out", f"lease {self.lease.sk}: {error}")

    def hold(self, key: str) -> Hold | None:
        """Return the hold on a state-key, or None. Raise Corrupt where it is none."""
        (item,) = self.desk.tables.get(hold_key(key))
        if item is None:
            return None
        hold = load(Hold, item)
        for wish in hold.wishes.values():
            if not isinstance(wish, Mapping) or not set(wish) >= WISHED:
                raise Corrupt(f"item {item.pk} / {item.sk}: a wish is none")
        return hold

    def wisher(self, step: str, index: int) -> str:
        """Return under which name a step of this remediation wishes on a hold."""
        return f"{self.remediation.id}/{step}#{index}"

    def reader(
        self, action: Action, params: Mapping[str, JSON], account: str, region: str, step: str
    ) -> LiveReader:
        """Return a live reader whose session holds what the action declares, on its target."""
        settings, remediation = self.desk.settings, self.remediation
        place = Place(settings.home_account, settings.region)
        if action.at == "resource":
            scope = Scope(
                remediation.partition, account, region, settings.topic_arn, settings.stage
            )
            policy = session_policy(action, params, scope)
            place = Place(account, region, policy, session_name(remediation.id, step))
        return LiveReader(
            access=self.desk.access,
            place=place,
            clock=self.desk.clock,
            partition=remediation.partition,
            finding=self.finding,
            remediation=remediation.id,
            playbook=str(remediation.playbook["name"]),
            step=step,
            topic_arn=settings.topic_arn,
            stage=settings.stage,
            responders=untouchable(settings),
            own_networks=settings.own_networks,
        )

    def reader_by(self, by: Mapping[str, JSON], step: str) -> LiveReader:
        """Return a live reader with what the action of a record declares, as `maker` noted it."""
        action = action_of(str(by["action"]))
        return self.reader(action, by["params"], str(by["account"]), str(by["region"]), step)


@dataclass(frozen=True)
class StepWork(Work):
    """Hold one step's work: what is to be done, with which parameters, on which item."""

    step: str = ""
    index: int = 0
    action: Action = field(kw_only=True)
    params: Mapping[str, JSON] = field(default_factory=dict)
    live: LiveReader = field(kw_only=True)


def action_of(name: str) -> Action:
    """Return the action of this name. Raise Failed where this version of Firebreak has none."""
    if name not in actions():
        raise Failed(f"action {name} is not known to this version of Firebreak")
    return actions()[name]


def maker(effect: Effect) -> dict[str, JSON]:
    """Return by whom an effect's calls are made: what its session is opened with again."""
    return {
        "action": effect.action,
        "params": effect.params,
        "account": effect.account,
        "region": effect.region,
    }


def hold_writes(before: Hold | None, after: Hold | None) -> list[Operation]:
    """Return the write of a hold, or its removal where nobody wishes any more.

    It holds on what was read: a hold that was let go of meanwhile is not written back.
    """
    if after is None:
        return []
    same = {"version": after.version}
    if after.wishes:
        return [
            Put(hold_item(after), SAME_VERSION, same) if before else Put(hold_item(after), ABSENT)
        ]
    pk, sk = hold_key(after.key)
    return [Delete(pk, sk, SAME_VERSION, same)] if before else []
