"""`firebreak rearm`: let what counts towards a tripped limit go by itself again."""

from __future__ import annotations

import click

from chalicelib import guardrails
from firebreak import render
from firebreak.connection import caller, connect, stage_option


@click.command("rearm")
@click.argument("name")
@click.option("--reason", default="", help="Why it is right to go on; kept in the audit trail.")
@stage_option
def command(name: str, reason: str, stage: str) -> None:
    """Re-arm a tripped limit: its window begins empty, and remediations go by themselves again.

    `firebreak limits` shows the names.
    """
    desk = connect(stage)
    before = guardrails.rearm(desk, name, {"principal": caller(desk)}, reason)
    since = render.shown(str(before.tripped["at"]))
    click.echo(f"Re-armed {render.shown(name)}, which was tripped since {since}.")
