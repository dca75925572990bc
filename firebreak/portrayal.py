"""Playbooks and actions written out for people."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from chalicelib import playbook as playbooks
from chalicelib.actions import Action, actions
from chalicelib.paths import is_path
from chalicelib.playbook import Parallel, Playbook, Step


def playbook_lines(playbook: Playbook) -> Iterator[str]:
    """Yield what a playbook matches, what bounds it, and what it does."""
    document = playbooks.document(playbook)
    yield f"{playbook.name}: {playbook.title}"
    if playbook.description:
        yield from ("", playbook.description.strip())
    yield from ("", f"version     {playbook.version}", f"target      {playbook.target}")
    yield from _indented("match", document["match"])
    yield from _indented("guardrails", document["guardrails"])
    yield from ("", "steps")
    for entry in playbook.steps:
        if isinstance(entry, Parallel):
            yield "  at the same time"
            yield from _steps(entry.steps, "    ")
        else:
            yield from _steps([entry], "  ")
    yield from (
        "",
        f"on failure  {playbook.on_failure} {playbook.on_failure_reason or ''}".rstrip(),
    )


def _indented(title: str, value: Any) -> Iterator[str]:
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=96)
    yield from ("", title, *(f"  {line}" for line in text.splitlines()))


def _steps(steps: Iterable[Step], indent: str) -> Iterator[str]:
    for step in steps:
        yield f"{indent}{step.name}: {step.action}{_given(step)}"
        action = actions().get(step.action)
        for line in filter(None, (action and action.summary, _exceptions(step))):
            yield f"{indent}  {line}"
        if action and action.final:
            yield f"{indent}  cannot be taken back: {action.final}"


def _given(step: Step) -> str:
    given = (f"{name}: {_short(value)}" for name, value in step.params.items())
    return f"({', '.join(given)})"


def _short(value: Any) -> str:
    return str(value) if is_path(value) else json.dumps(value, ensure_ascii=False)


def _exceptions(step: Step) -> str:
    said = {"for each": step.for_each, "when": step.when and json.dumps(step.when)}
    if step.on_error != "stop":
        said["on error"] = step.on_error
    return "; ".join(f"{name} {value}" for name, value in said.items() if value)


def action_lines(action: Action) -> Iterator[str]:
    """Yield an action's parameters and facts, whether it contains, and what it may call."""
    yield from (inspect.getdoc(action.run) or "").splitlines()
    yield ""
    for name, wanted in action.params.items():
        default = f"default {json.dumps(wanted.get('default'))}"
        needed = default if "default" in wanted else "needed"
        yield f"  {name}: {wanted['description']} ({needed})"
    yield f"  facts: {', '.join(action.facts) or 'none'}"
    yield f"  contains: {'yes' if action.contains else 'no, a failure is passed over'}"
    yield f"  taken back: {f'no: {action.final}' if action.final else 'yes'}"
    yield f"  permissions: {', '.join(action.permissions)}"
