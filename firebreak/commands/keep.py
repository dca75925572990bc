"""`firebreak keep`: answer a review: the containment stays."""

from __future__ import annotations

import click

from chalicelib import clock, durations, sweeping
from chalicelib.lifecycle import later
from chalicelib.lifecycle.later import EXPIRE
from chalicelib.store import effects
from firebreak import render
from firebreak.connection import caller, connect, stage_option


@click.command("keep")
@click.argument("remediation")
@click.option("--for", "window", default=None, metavar="DURATION", help="How long: 12h, 3d.")
@stage_option
def command(remediation: str, window: str | None, stage: str) -> None:
    """Keep what a remediation contained: its next review, or its expiry, is put off.

    Without --for it is put off for as long as the playbook says.
    """
    seconds = None if window is None else durations.seconds(window)
    desk = connect(stage)
    head = sweeping.keep(desk, remediation, seconds, caller(desk))
    stands = len(later.standing(head, effects(desk.tables, head.id)))
    what, at = max(head.due.items(), key=lambda each: (each[0] == EXPIRE, each[1]))
    following = "it expires" if what == EXPIRE else "somebody is asked again"
    stays = "1 change stays" if stands == 1 else f"{stands} changes stay"
    place = render.shown(head.target)
    click.echo(f"{place}: {stays} in place; {following} {clock.text(at)[:16]}Z")
