"""What can become of an event."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.effect import JSON
from chalicelib.finding import Finding

STARTED = "started"
DUPLICATE = "duplicate"
EXEMPT = "exempt"
NO_PLAYBOOK = "no_playbook"
REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Decision:
    """Say what became of one finding under one playbook, or of an event as a whole."""

    decision: str
    reason: str
    finding: str = ""
    playbook: str = ""
    remediation: str = ""
    audit: str = ""  # the chain the decision is recorded in


@dataclass(frozen=True, slots=True)
class Handled:
    """Hold everything that was decided of one event."""

    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]


def who(request: str) -> dict[str, JSON]:
    """Return whom the audit names for a decision."""
    return {"function": "on_event", "request": request}
