"""What the state machines ask of their one function, `run_step`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib import lifecycle
from chalicelib.errors import Failed
from chalicelib.runner import stepping
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
    """Do what a state asks for. Raise what Step Functions retries and catches.

    remaining: seconds until the function is stopped.
    """
    task = TASKS.get(str(event.get("do")))
    if task is None:
        raise Failed(f"do: {event.get('do')!r}; one of {', '.join(TASKS)} is right")
    until = int(desk.clock.seconds() + remaining) + GRACE
    return task(
        desk,
        Request(
            remediation=str(event.get("remediation")),
            phase=str(event.get("pass")),
            step=str(event.get("step")),
            index=int(event.get("index") or 0),
            token=str(event.get("token")),
            owner=owner,
            until=until,
        ),
    )


def _step(desk: Desk, ask: Request) -> dict[str, Any]:
    status = stepping.run(
        desk, ask.remediation, ask.phase, ask.step, ask.index, ask.owner, ask.until
    )
    return {"status": status}


def _items(desk: Desk, ask: Request) -> dict[str, Any]:
    return {"indices": stepping.count(desk, ask.remediation, ask.phase, ask.step)}


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
    """Close what an execution left open that failed, timed out or was stopped."""
    match = re.match(r"[0-9a-f]{24}", str(detail.get("name")))
    if match is None:
        raise Failed(f"execution {detail.get('name')!r} is none of Firebreak's")
    until = int(desk.clock.seconds() + remaining) + GRACE
    return lifecycle.close(desk, match.group(), owner, until)
