"""What every record of the audit trail says, and what none may hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from chalicelib import lifecycle, playbook
from chalicelib.audit import Record
from firebreak import api
from firebreak.cli import firebreak
from firebreak.cloud import Cloud
from firebreak.event_files import events
from firebreak.replay import (
    HOME,
    LATER,
    Options,
    approver,
    deliver,
    replay_in,
    roll_back,
    settle,
)
from firebreak.report import APPLIED
from firebreak.stage import Stage, staged
from tests.worlds import EVENTS

PLAYBOOKS = playbook.load(playbook.FOLDER)
STOLEN = "guardduty/stolen_access_key_user.json"


@dataclass(frozen=True)
class Lived:
    """A stage's records, and the secrets that went through it."""

    records: tuple[Record, ...]
    tokens: frozenset[str]
    secrets: frozenset[str]


@pytest.fixture(scope="module")
def lived() -> Iterator[Lived]:
    """Halt and resume, replay every recorded event, approve and roll back, all in one world."""
    with Cloud(HOME) as cloud, staged(cloud, PLAYBOOKS, machines=False) as stage:
        tokens: set[str] = set()
        stage.followers.append(lambda _name, asked, _answer: tokens.update(_tokens(asked)))
        _halted(stage)
        told = [replay_in(stage, event, Options()) for event in events([EVENTS])]
        _approved(stage, {each["id"] for one in told for each in one.remediations})
        tables = stage.desk.tables
        found = [record for chain in tables.chains() for record in tables.records(chain)]
        yield Lived(tuple(found), frozenset(tokens), frozenset(_secrets()))


def _approved(stage: Stage, identities: Iterable[str]) -> None:
    """Let a person approve what waits; take all back that was done."""
    person = approver(stage)
    for identity in identities:
        head = lifecycle.head_of(stage.desk, identity)
        if head.phase == "wait":
            asked = {"decision": "approved", "plan": head.plan["hash"], "reason": "a test"}
            api.decide(stage.desk, stage.api_url(), person, identity, asked)
            settle(stage)
    stage.desk.clock.sleep(LATER)
    for identity in identities:
        if lifecycle.head_of(stage.desk, identity).status in APPLIED:
            roll_back(stage, identity)


def _halted(stage: Stage) -> None:
    """Halt while a remediation is at its first step, so that steps wait with tokens; resume."""
    run = CliRunner().invoke

    def halt(name: str, asked: Any, _answer: Any) -> None:
        if name == "run_step" and asked.get("do") == "step":
            stage.followers.remove(halt)
            run(firebreak, ["halt", "--reason", "a test"], catch_exceptions=False)

    stage.followers.append(halt)
    deliver(stage, *events([EVENTS / STOLEN]), Options())
    run(firebreak, ["resume"], catch_exceptions=False)
    settle(stage)


def _tokens(asked: Any) -> Iterator[str]:
    if isinstance(asked, dict) and asked.get("token"):
        yield str(asked["token"])


def _secrets() -> Iterator[str]:
    """Yield the secrets of every session and key of this world."""
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    for account in {HOME, *sts_backends}:
        for role in sts_backends[account]["global"].assumed_roles:
            yield from (role.secret_access_key, role.session_token)
        for key in iam_backends[account]["global"].access_keys.values():
            yield key.secret_access_key


def test_no_record_holds_a_secret(lived: Lived) -> None:
    """Neither a task token, with which anybody could answer for a person, nor credentials."""
    text = "\n".join(json.dumps(asdict(record), ensure_ascii=False) for record in lived.records)

    assert {"parked", "decided", "undo_begun"} <= {record.kind for record in lived.records}
    assert len(lived.tokens) > 5
    assert len(lived.secrets) > 50
    assert [] == [each for each in lived.tokens | lived.secrets if each in text]


def test_every_record_says_who(lived: Lived) -> None:
    """A function and its request, or a person."""
    kinds = {
        record.kind
        for record in lived.records
        if not (record.who.get("principal") or record.who.get("function"))
    }

    assert set() == kinds


def test_every_remediation_says_what_it_is_by_and_why(lived: Lived) -> None:
    """The record that admits it names the playbook by its content, the finding and the mode."""
    admitted = [record for record in lived.records if record.kind == "admitted"]
    versions = {name: each.version for name, each in PLAYBOOKS.items()}

    assert admitted
    for record in admitted:
        assert versions[record.what["playbook"]] == record.what["version"]
        assert {"id", "type", "account"} <= set(record.what["finding"])
        assert record.what["mode"]


def test_every_decision_says_why(lived: Lived) -> None:
    """What starts nothing, or was decided by a person, has its reason on record."""
    decided = [
        record
        for record in lived.records
        if record.kind in {"rejected", "no_playbook", "exempt", "decided", "halted"}
    ]

    assert {"rejected", "no_playbook", "decided"} <= {record.kind for record in decided}
    assert [] == [record.kind for record in decided if not _why(record.what)]


def _why(what: Any) -> str:
    return str(what.get("reason") or what.get("decision", {}).get("reason") or "")
