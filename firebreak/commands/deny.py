"""`firebreak deny`: close a remediation that waits; nothing of its plan is done."""

from __future__ import annotations

import click

from firebreak.decide import decide, deciding


@click.command("deny")
@deciding
def command(identity: str, plan: str, reason: str, stage: str) -> None:
    """Deny the plan of a remediation that waits, by the hash of the plan you were shown.

    Without --plan the plan is shown, and you are asked.
    """
    decide(identity, "denied", plan, reason, stage)
