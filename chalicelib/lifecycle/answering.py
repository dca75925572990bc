"""A person's decision, from the record to the state machine that waits for it."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib import tokens
from chalicelib.effect import JSON, canonical_text
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation

PHASES = {"approved": "apply", "denied": "wait"}  # that a remediation is in, once decided
LONGEST = 200  # characters of a reason where it is told in passing


def answered(head: Remediation) -> bool:
    """Say whether a person decided on the plan that a remediation has now."""
    return PHASES.get(str(head.decision.get("decision"))) == head.phase


def resend(desk: Desk, head: Remediation) -> bool:
    """Hand the decision on record to the machine that waits for it.

    Return False where there is none, or no machine waits for it any more; it may be sent any number
    of times. Raise botocore's ClientError where Step Functions does not take it now.
    """
    if not head.token or not answered(head):
        return False
    output = canonical_text({"decision": head.decision["decision"]})
    return tokens.succeed(desk, head.token, output)


def said_of(decision: Mapping[str, JSON]) -> str:
    """Say what was decided, by whom, when and why, as far as that is on record."""
    said = str(decision.get("decision"))
    for word, name in (("by", "by"), ("at", "at")):
        if decision.get(name):
            said += f" {word} {decision[name]}"
    return f"{said}: {decision['reason']}" if decision.get("reason") else said
