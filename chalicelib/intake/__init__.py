"""Event → findings → matching playbooks → admitted remediations → executions started.

decisions   what can become of an event
belief      whose events are believed
keeping     decisions without a remediation: rejected, exempt, seen; events that are kept
admission   through the gate: remediation recorded, execution started
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from chalicelib import guardrails, sources
from chalicelib.effect import JSON, strip_placeholders
from chalicelib.errors import Rejected
from chalicelib.finding import Finding, document, from_document
from chalicelib.intake.admission import admit, gate_of, target_of
from chalicelib.intake.belief import DEEPEST, believe, too_deep
from chalicelib.intake.decisions import (
    DUPLICATE,
    EXEMPT,
    NO_PLAYBOOK,
    REJECTED,
    STARTED,
    Decision,
    Handled,
)
from chalicelib.intake.keeping import lacks_target, note, reject, seen
from chalicelib.pattern import PatternSet
from chalicelib.playbook import Playbook
from chalicelib.runner.calling import PROBLEMS
from chalicelib.runner.work import Desk
from chalicelib.sources import Reading

__all__ = [
    "DUPLICATE",
    "EXEMPT",
    "NO_PLAYBOOK",
    "REJECTED",
    "STARTED",
    "Decision",
    "Handled",
    "answer",
    "believe",
    "gate_of",
    "handle",
    "matched",
    "reject",
]


def handle(desk: Desk, playbooks: Mapping[str, Playbook], event: Any, request: str) -> Handled:
    """Decide on an event and start what it asks for; every path leaves a record.

    A retry of the same event finishes what was left undone. Raise what AWS raises where a record
    cannot be written or an execution not started; EventBridge then delivers again.
    """
    try:
        reading, matches = matched(desk, playbooks, event)
    except Rejected as wrong:
        return Handled((), (reject(desk, event, str(wrong), request),))
    decisions: list[Decision] = []
    failures: list[Exception] = []
    for playbook, finding in matches:
        try:
            decisions.append(_decide(desk, playbook, finding, request))
        except PROBLEMS as failure:
            failures.append(failure)  # the other playbooks must not wait for this one
    if failures:
        raise failures[0]
    if not decisions:
        decisions.append(seen(desk, reading, request))
    return Handled(reading.findings, tuple(decisions))


def matched(
    desk: Desk, playbooks: Mapping[str, Playbook], event: Any
) -> tuple[Reading, list[tuple[Playbook, Finding]]]:
    """Return what an event says, and each playbook with each finding that it matches.

    Raise Rejected for what cannot be read, or may not be believed.
    """
    reading = _read(desk, event)
    names = sorted(_patterns(playbooks).matching(reading.envelope))
    return reading, [(playbooks[name], each) for name in names for each in reading.findings]


def _read(desk: Desk, event: Any) -> Reading:
    """Return what an event says, free of the marks of placeholders. Raise Rejected."""
    if too_deep(event):
        raise Rejected("$", f"it is nested more than {DEEPEST} deep, and kept to there")
    reading = sources.read(event)
    findings = tuple(from_document(strip_placeholders(document(each))) for each in reading.findings)
    for finding in findings:
        believe(desk.settings, reading.envelope, finding)
    return Reading(reading.envelope, findings)


@lru_cache(maxsize=4)
def _compiled(patterns: str) -> PatternSet:
    return PatternSet(json.loads(patterns))


def _patterns(playbooks: Mapping[str, Playbook]) -> PatternSet:
    return _compiled(json.dumps({name: each.match for name, each in playbooks.items()}))


def _decide(desk: Desk, playbook: Playbook, finding: Finding, request: str) -> Decision:
    fields: dict[str, JSON] = document(finding)
    target = target_of(playbook, fields)
    if not target:
        return lacks_target(desk, playbook, finding, request)
    why = guardrails.exempt(desk.settings, finding)
    if why:
        return note(desk, playbook, finding, EXEMPT, why, request)
    return admit(desk, playbook, finding, target, request)


def answer(handled: Handled) -> dict[str, Any]:
    """Return what the function returns: ids and decisions, for whoever invoked it."""
    return {"decisions": [asdict(decision) for decision in handled.decisions]}
