"""Small worlds for tests: a stage in a fresh embedded AWS, events for it, ways to break it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.playbook import Playbook, from_document
from chalicelib.store import Remediation
from firebreak.cloud import Cloud
from firebreak.cloud.calls import CallInfo
from firebreak.cloud.identity import current_invocation
from firebreak.stage import Stage, staged

HOME = "111122223333"
MEMBER = "222233334444"
DESK = (f"arn:aws:iam::{HOME}:root",)  # tests act as administrators of the security account
EVENTS = Path(__file__).parent / "events"

HEAD = Remediation(
    id="0" * 24,
    playbook={"name": "test", "match": {}, "steps": []},
    finding_parts=1,
    finding_id="f",
    account=MEMBER,
    region="us-east-1",
    partition="aws",
    target="instance/i-1",
    gate="gate",
    generation=1,
    mode="enforce",
    why="",
    created_at="2026-11-21T00:00:00.000Z",
)


@contextmanager
def world(
    playbooks: Mapping[str, Playbook] | None = None, /, **environment: str
) -> Iterator[Stage]:
    """Give a stage with these playbooks; keywords are its FIREBREAK_ variables."""
    variables = {f"FIREBREAK_{name}": value for name, value in environment.items()}
    with Cloud(HOME) as cloud, staged(cloud, playbooks or {}, variables, trusted=DESK) as stage:
        yield stage


@contextmanager
def outside_functions() -> Iterator[None]:
    """Let a hook that a function's call consults act as somebody at a desk, as another process."""
    token = current_invocation.set(None)
    try:
        yield
    finally:
        current_invocation.reset(token)


def playbook(name: str = "test", /, **parts: Any) -> Playbook:
    """Return a playbook that notifies; keywords replace its parts."""
    document = {
        "name": name,
        "title": "A test",
        "match": {"source": ["aws.guardduty"]},
        "target": "$.finding.resource",
        "guardrails": {"mode": "enforce"},
        "steps": [step("tell")],
    }
    return from_document({**document, **parts})


def step(name: str, /, **parts: Any) -> dict[str, Any]:
    """Return a step that notifies; keywords replace its parts."""
    document = {"name": name, "action": "notify", "with": {"subject": "A test", "text": name}}
    return {**document, **parts}


def recorded(name: str) -> dict[str, Any]:
    """Return a recorded event."""
    event: dict[str, Any] = json.loads((EVENTS / name).read_text("utf-8"))
    return event


def finding_event(**detail: Any) -> dict[str, Any]:
    """Return a GuardDuty event of the member account; keywords replace parts of its detail."""
    event = copy.deepcopy(recorded("guardduty/crypto_currency_ec2.json"))
    event["account"] = event["detail"]["accountId"] = MEMBER
    event["detail"].update(detail)
    return event


def head(**parts: Any) -> Remediation:
    """Return a remediation's head; keywords replace its parts."""
    return replace(HEAD, **parts)


def refusal(code: str, operation: str = "Operation", **response: Any) -> ClientError:
    """Return an error as a client raises it."""
    error = {"Code": code, "Message": f"{code}, says the test"}
    return ClientError({"Error": error, "ResponseMetadata": {}, **response}, operation)  # type: ignore[typeddict-item]


def failing(
    operation: str, error: Callable[[], BaseException], times: int = 1, phase: str = "before"
) -> Callable[[CallInfo], None]:
    """Return a hook that lets the first calls of an operation fail."""
    left = [times]

    def hook(info: CallInfo) -> None:
        if info.operation == operation and info.phase == phase and left[0]:
            left[0] -= 1
            raise error()

    return hook
