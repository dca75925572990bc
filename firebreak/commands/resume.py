"""`firebreak resume`: the kill switch off again."""

from __future__ import annotations

import click

from chalicelib import halting
from firebreak import render
from firebreak.connection import caller, connect, stage_option


@click.command("resume")
@stage_option
def command(stage: str) -> None:
    """Turn the kill switch off, and let every step that waits because of it go on.

    Cut off half-way, it is finished by running it again.
    """
    desk = connect(stage)
    before, woken = halting.resume(desk, caller(desk))
    was = "was halted " if before.halted else "was not halted any more "
    click.echo(f"stage {desk.settings.stage} {was}{render.shown(before.said, 1_200)}")
    click.echo(f"{woken} waiting {'step goes' if woken == 1 else 'steps go'} on")
