"""`firebreak halt`: the kill switch."""

from __future__ import annotations

import click

from chalicelib import halting
from firebreak import render
from firebreak.connection import caller, connect, stage_option


@click.command("halt")
@click.option("--reason", default="", help="Why; whoever looks at the stage is shown it.")
@stage_option
def command(reason: str, stage: str) -> None:
    """Stop every change of a stage, from the next step of every remediation on.

    What is contained stays contained. Plans go on being made, and new findings wait for a person.
    A person's roll-back runs. `firebreak resume` ends it. Halting what is halted changes nothing.
    """
    desk = connect(stage)
    before, now = halting.halt(desk, reason, caller(desk))
    already = "is already halted" if before.halted else "is halted"
    click.echo(f"stage {desk.settings.stage} {already}, {render.shown(now.said, 1_200)}")
