"""A playbook as JSON values: what its file says, and what is kept with a remediation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from chalicelib import durations
from chalicelib.errors import Corrupt, Invalid
from chalicelib.playbook.values import (
    CONTINUE,
    KEEP,
    MODES,
    OBSERVE,
    STOP,
    Example,
    Guardrails,
    Limit,
    Parallel,
    Playbook,
    Step,
)


def document(playbook: Playbook) -> dict[str, Any]:
    """Return the playbook as JSON values, as its file would say it, with every default written."""
    return _given(
        name=playbook.name,
        title=playbook.title,
        description=playbook.description or None,
        match=playbook.match,
        target=playbook.target,
        guardrails=_guardrails_document(playbook.guardrails),
        steps=[_entry_document(entry) for entry in playbook.steps],
        on_failure=playbook.on_failure,
        on_failure_reason=playbook.on_failure_reason,
        examples=[_example_document(example) for example in playbook.examples] or None,
    )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _guardrails_document(guardrails: Guardrails) -> dict[str, Any]:
    def written(seconds: int | None) -> str | None:
        return None if seconds is None else durations.text(seconds)

    limit = guardrails.limit
    return _given(
        mode=guardrails.mode,
        cooldown=written(guardrails.cooldown),
        limit=limit and {"count": limit.count, "per": written(limit.per)},
        exempt_tags=dict(guardrails.exempt_tags) or None,
        review_after=written(guardrails.review_after),
        expires_after=written(guardrails.expires_after),
        approve_within=written(guardrails.approve_within),
    )


def _entry_document(entry: Step | Parallel) -> dict[str, Any]:
    if isinstance(entry, Parallel):
        return {"parallel": [_entry_document(step) for step in entry.steps]}
    values = {"name": entry.name, "action": entry.action, "with": dict(entry.params)}
    return values | _given(
        when=entry.when,
        for_each=entry.for_each,
        on_error=entry.on_error,
        accept_irreversible=entry.accept_irreversible or None,
    )


def _example_document(example: Example) -> dict[str, Any]:
    expect = _given(decision=example.decision, steps=dict(example.steps) or None)
    return {"event": example.event, "expect": expect}


def from_document(stored: Mapping[str, Any], passed_over: Collection[str] = ()) -> Playbook:
    """Return the playbook that `document` wrote. Raise Corrupt for anything else.

    passed_over: the actions whose failure does not stop a playbook that says nothing of it.
    """
    try:
        return _playbook(stored, passed_over)
    except (AttributeError, Invalid, KeyError, TypeError, ValueError) as wrong:
        raise Corrupt(f"stored playbook: {wrong!r}") from wrong


def _playbook(stored: Mapping[str, Any], passed_over: Collection[str]) -> Playbook:
    return Playbook(
        name=stored["name"],
        title=stored["title"],
        description=stored.get("description", ""),
        match=dict(stored["match"]),
        target=stored["target"],
        guardrails=_guardrails(stored.get("guardrails", {})),
        steps=tuple(_entry(entry, passed_over) for entry in stored["steps"]),
        on_failure=stored.get("on_failure", KEEP),
        on_failure_reason=stored.get("on_failure_reason"),
        examples=tuple(_example(example) for example in stored.get("examples", ())),
    )


def _guardrails(stored: Mapping[str, Any]) -> Guardrails:
    values: dict[str, Any] = {
        name: durations.seconds(value)
        for name, value in stored.items()
        if name in ("cooldown", "review_after", "expires_after", "approve_within")
    }
    if "limit" in stored:
        limit = stored["limit"]
        values["limit"] = Limit(limit["count"], durations.seconds(limit["per"]))
    if "exempt_tags" in stored:
        values["exempt_tags"] = dict(stored["exempt_tags"])
    mode = stored.get("mode", OBSERVE)
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r:.40}; one of {', '.join(MODES)} is right")
    return Guardrails(mode=mode, **values)


def _entry(stored: Mapping[str, Any], passed_over: Collection[str]) -> Step | Parallel:
    if "parallel" in stored:
        return Parallel(tuple(_step(step, passed_over) for step in stored["parallel"]))
    return _step(stored, passed_over)


def _step(stored: Mapping[str, Any], passed_over: Collection[str]) -> Step:
    usual = CONTINUE if stored["action"] in passed_over else STOP
    return Step(
        name=stored["name"],
        action=stored["action"],
        params=dict(stored.get("with", {})),
        when=stored.get("when"),
        for_each=stored.get("for_each"),
        on_error=stored.get("on_error", usual),
        accept_irreversible=stored.get("accept_irreversible", False),
    )


def _example(stored: Mapping[str, Any]) -> Example:
    expect = stored["expect"]
    return Example(stored["event"], expect["decision"], dict(expect.get("steps", {})))
