"""What the state machines ask of their one function, `run_step`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import lifecycle
from chalicelib.errors import Failed
from chalicelib.runner import stepping
from chalicelib.runner.calling import sort_error
from chalicelib.runner.work import Desk

GRACE = 30  # seconds after a function's end in which a call it made may still take effect


@dataclass(frozen=True, slots=True)
class Request:
    """Hold one request: for which remediation, which step, by whom, and until when it may run."""

    remediation: str
    phase: str
    step: str
    index: int
    token: str
    owner: str
    until: int


def handle(desk: Desk, event: Mapping[str, Any], owner: str, remaining: float) -> dict[str, Any]:
    """Do what a state asks for. Raise what Step Functions retries and catches: our own errors.

    remaining: seconds until the function is stopped.
    """
    task = TASKS.get(str(event.get("do")))
    if task is None:
        raise Failed(f"do: {event.get('do')!r}; one of {', '.join(TASKS)} is right")
    until = int(desk.clock.seconds() + remaining) + GRACE
    request = Request(
        remediation=str(event.get("remediation")),
        phase=str(event.get("pass")),
        step=str(event.get("step")),
        index=int(event.get("index") or 0),
        token=str(event.get("token")),
        owner=owner,
        until=until,
    )
    try:
        return task(desk, request)
    except (ClientError, BotoCoreError) as error:
        raise sort_error(error) from error


def _step(desk: Desk, ask: Request) -> dict[str, Any]:
    status = stepping.run(
        desk, ask.remediation, ask.phase, ask.step, ask.index, ask.owner, ask.until
    )
    return {"status": status}


def _items(desk: Desk, ask: Request) -> dict[str, Any]:
    indices = stepping.count(desk, ask.remediation, ask.phase, ask.step, ask.owner, ask.until)
    return {"indices": indices}


def _seal(desk: Desk, ask: Request) -> dict[str, Any]:
    return {"next": lifecycle.seal(desk, ask.remediation, ask.owner)}


def _ask(desk: Desk, ask: Request) -> dict[str, Any]:
    lifecycle.ask(desk, ask.remediation, ask.token, ask.owner)
    return {}


def _park(desk: Desk, ask: Request) -> dict[str, Any]:
    lifecycle.park(desk, ask.remediation, ask.step, ask.index, ask.token, ask.owner)
    return {}


def _undo(desk: Desk, ask: Request) -> dict[str, Any]:
    return {"more": lifecycle.undo(desk, ask.remediation, ask.owner, ask.until)}


def _close(desk: Desk, ask: Request) -> dict[str, Any]:
    if lifecycle.begin_asked(desk, ask.remediation, ask.owner):
        return {"status": "undo"}
    return {"status": lifecycle.close(desk, ask.remediation, ask.owner, ask.until)}


TASKS: Mapping[str, Callable[[Desk, Request], dict[str, Any]]] = {
    "step": _step,
    "items": _items,
    "seal": _seal,
    "ask": _ask,
    "park": _park,
    "undo": _undo,
    "close": _close,
}


def ended(desk: Desk, detail: Mapping[str, Any], owner: str, remaining: float) -> str:
    """Close what an execution left open that failed, timed out or was stopped.

    What a person asked to take back meanwhile is begun. Return its status; "undo" where that is
    begun, "not_ours" for an execution that none of Firebreak's machines ran, "overtaken" where
    another execution takes the remediation back since.
    """
    match = re.match(r"[0-9a-f]{24}(?=$|-undo-)", str(detail.get("name")))
    ours = desk.settings.state_machine_arn("")
    if match is None or not str(detail.get("stateMachineArn")).startswith(ours):
        return "not_ours"
    until = int(desk.clock.seconds() + remaining) + GRACE
    try:
        if not lifecycle.concerns(desk, match.group(), str(detail.get("name"))):
            return "overtaken"
        by = {"function": "on_execution_ended", "request": owner}
        if lifecycle.take_up(desk, match.group(), by):
            return "undo"
        return lifecycle.close(desk, match.group(), owner, until)
    except (ClientError, BotoCoreError) as error:
        raise sort_error(error) from error
