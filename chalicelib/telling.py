"""What Firebreak itself tells people: what waits, what went wrong, what could not be read."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chalicelib import clock, durations, publishing
from chalicelib.errors import Transient
from chalicelib.store import Remediation
from chalicelib.text import ascii_subject, defang, one_line

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk

LINE = 1_000
NAMED = 20  # things of a kind that one message names


def ask(desk: Desk, head: Remediation, within: int) -> None:
    """Tell that a remediation waits for a person, and by which plan's hash to answer.

    Raise Transient where nobody could be told: a question that nobody hears is none.
    """
    answer = f"--plan {head.plan.get('hash', '')} --stage {desk.settings.stage}"
    told = _tell(
        desk,
        f"Approval needed: {head.playbook['name']} on {head.target}",
        {
            "Remediation": head.id,
            "Playbook": str(head.playbook["name"]),
            "Target": head.target,
            "Account": f"{head.account} {head.region}",
            "Why it asks": head.why,
            "Plan": str(head.plan.get("hash", "")),
            "Expires in": durations.text(within),
            "Approve": f"firebreak approve {head.id} {answer}",
            "Deny": f"firebreak deny {head.id} {answer}",
        },
    )
    if not told:
        raise Transient(f"remediation {head.id}: nobody could be told that it waits")


def closed(desk: Desk, head: Remediation, status: str, reason: str) -> None:
    """Tell that a remediation did not do all it should have, or that nobody decided in time."""
    _tell(
        desk,
        f"Attention: {head.playbook['name']} on {head.target}: {status}",
        {
            "Remediation": head.id,
            "Playbook": str(head.playbook["name"]),
            "Target": head.target,
            "Account": f"{head.account} {head.region}",
            "Status": status,
            "Reason": reason,
            "What was done": f"firebreak audit show {head.id}",
        },
        keep=True,
    )


def rejected(desk: Desk, decision: str, reason: str) -> None:
    """Tell that an event was rejected; it is kept under the decision's id."""
    _tell(
        desk,
        "Event rejected",
        {"Reason": reason, "Kept as": decision, "Look at it": f"firebreak audit show {decision}"},
        keep=True,
    )


def tripped(desk: Desk, limit: str, wide: str, trip: Mapping[str, str]) -> bool:
    """Tell that a limit is reached; return False where nobody could be told.

    trip: at which time, and the remediation that would have gone past it.
    """
    return _tell(
        desk,
        f"Attention: limit {limit} is reached",
        {
            "Limit": f"{limit}: {wide}",
            "Reached at": trip["at"],
            "By": f"remediation {trip['id']} of {trip['playbook']} on {trip['target']}",
            "What happens now": "remediations that count towards it wait for a person",
            "Until": f"firebreak rearm {shlex.quote(limit)}",
        },
    )


def dead_letter(desk: Desk, letter: str, error: str, why: str, attempts: int) -> None:
    """Tell that an event could not be handled, and is not tried again by itself."""
    _tell(
        desk,
        "Attention: an event could not be handled",
        {
            "Error": f"{error}: {why}" if why else error,
            "Attempts": str(attempts),
            "Kept as": letter,
            "Look at it": f"firebreak dlq show {letter}",
            "Try it again": f"firebreak dlq redrive {letter}",
        },
        keep=True,
    )


def _tell(desk: Desk, subject: str, lines: Mapping[str, str], *, keep: bool = False) -> bool:
    """Publish to the stage's topic; return False where it is down, which holds up no record.

    keep: what nobody else tries to tell again is kept, and sent later.
    """
    text = "\n".join(f"{name}: {defang(one_line(value, LINE))}" for name, value in lines.items())
    told = publishing.publish(desk, ascii_subject(subject), text)
    if not told and keep:
        publishing.keep(desk, ascii_subject(subject), text)
    return told


def review(desk: Desk, head: Remediation, stands: int, again: int) -> bool:
    """Ask whether a containment stays; return False where nobody could be asked.

    stands: how many changes are in place. again: in how many seconds it is asked again.
    """
    return _tell(
        desk,
        f"Review: is {head.playbook['name']} on {head.target} still needed?",
        _about(head)
        | {
            "Since": head.created_at,
            "In place": f"{stands} {'change' if stands == 1 else 'changes'}",
            "It stays": "nothing is taken back unless a person does it",
            "Still needed": f"firebreak keep {head.id} --for {durations.text(again)}",
            "Not needed": f"firebreak rollback {head.id}",
            "Without an answer": f"it is asked again in {durations.text(again)}",
        },
    )


def expiry(desk: Desk, head: Remediation, at: int) -> bool:
    """Warn that a block is taken back soon; return False where nobody could be told.

    at: when, in seconds since 1970.
    """
    return _tell(
        desk,
        f"Expires soon: {head.playbook['name']} on {head.target}",
        _about(head)
        | {
            "Since": head.created_at,
            "Taken back at": clock.text(at),
            "Keep it longer": f"firebreak keep {head.id} --for 7d",
            "Take it back now": f"firebreak rollback {head.id}",
        },
    )


def _about(head: Remediation) -> dict[str, str]:
    return {
        "Remediation": head.id,
        "Playbook": str(head.playbook["name"]),
        "Target": head.target,
        "Account": f"{head.account} {head.region}",
    }


def drifted(desk: Desk, head: Remediation, key: str, values: Mapping[str, str]) -> bool:
    """Tell that something is not as a containment left it; return False where nobody was told.

    values: `before` it, as it was `left`, and `live`, as JSON; those that are known.
    """
    names = {"before": "Before", "left": "As it was left", "live": "Now"}
    return _tell(
        desk,
        f"Attention: {head.playbook['name']} on {head.target}: changed since",
        _about(head)
        | {"What": key}
        | {names[name]: value for name, value in values.items()}
        | {
            "Nothing was touched": "an attacker may have done it, or a colleague",
            "What was done": f"firebreak audit show {head.id}",
            "What a roll-back would do": f"firebreak rollback {head.id} --plan",
        },
    )


def undelivered(desk: Desk, handed_in: Mapping[str, str]) -> bool:
    """Tell of findings whose events never arrived; return False where nobody could be told.

    handed_in: what became of each, by what it is about.
    """
    count, named = len(handed_in), list(handed_in.items())[:NAMED]
    return _tell(
        desk,
        f"Attention: {count} {'event' if count == 1 else 'events'} never arrived",
        {
            "What happened": "their sources report them, and no event came: look at rules, targets"
            " and forwarding",
            "Handed in now": "what matches a playbook was decided upon like any other event",
            **{str(n): f"{about}: {said}" for n, (about, said) in enumerate(named, 1)},
        },
    )


def corrupt(desk: Desk, problem: str, chain: str) -> bool:
    """Tell of something stored that cannot be right; return False where nobody could be told."""
    return _tell(
        desk,
        "Attention: something that is stored cannot be right",
        {
            "What": problem,
            "Nothing was touched": "it is passed over until somebody has looked at it",
            "Recorded as": f"firebreak audit show {chain}",
        },
    )


def tampered(desk: Desk, record: str, wrong: str, kept: str) -> bool:
    """Tell that the audit table was written around Firebreak; return False where nobody was told.

    kept: under which name the audit bucket keeps what came from the table.
    """
    return _tell(
        desk,
        "Attention: the audit trail was tampered with",
        {
            "Record": record,
            "What": wrong,
            "Kept as": kept,
            "Find out what else": f"firebreak audit verify --stage {desk.settings.stage}",
        },
    )
