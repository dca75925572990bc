"""`firebreak approve`: let a remediation that waits do what its plan says."""

from __future__ import annotations

import click

from firebreak.decide import decide, deciding


@click.command("approve")
@deciding
def command(identity: str, plan: str, reason: str, stage: str) -> None:
    """Approve the plan of a remediation that waits, by the hash of the plan you were shown.

    Without --plan the plan is shown, and you are asked.
    """
    decide(identity, "approved", plan, reason, stage)
