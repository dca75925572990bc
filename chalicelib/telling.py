"""What Firebreak itself tells people: what waits, what went wrong, what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import durations
from chalicelib.errors import Transient
from chalicelib.log import note
from chalicelib.store import Remediation
from chalicelib.text import ascii_subject, defang, one_line

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk

LINE = 1_000


def ask(desk: Desk, head: Remediation, within: int) -> None:
    """Tell that a remediation waits for a person, and by which plan's hash to answer.

    Raise Transient where nobody could be told: a question that nobody hears is none.
    """
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
    )


def rejected(desk: Desk, decision: str, reason: str) -> None:
    """Tell that an event was rejected; it is kept under the decision's id."""
    _tell(
        desk,
        "Event rejected",
        {"Reason": reason, "Kept as": decision, "Look at it": f"firebreak audit show {decision}"},
    )


def _tell(desk: Desk, subject: str, lines: Mapping[str, str]) -> bool:
    """Publish to the stage's topic; return False where it is down, which holds up no record."""
    text = "\n".join(f"{name}: {defang(one_line(value, LINE))}" for name, value in lines.items())
    try:
        desk.access.home("sns").publish(
            TopicArn=desk.settings.topic_arn, Subject=ascii_subject(subject), Message=text
        )
    except (ClientError, BotoCoreError) as error:
        note("not_told", f"{ascii_subject(subject)}: {error}")
        return False
    return True
