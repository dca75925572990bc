"""`firebreak status`: whether a stage is halted, and what is under way in it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from chalicelib import halting
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation, listing, load, partition
from firebreak import render
from firebreak.connection import connect, stage_option


@click.command("status")
@stage_option
def command(stage: str) -> None:
    """Show whether a stage is halted, how many remediations are under way, and what waits."""
    for line in _lines(connect(stage)):
        click.echo(line)


def _lines(desk: Desk) -> Iterator[str]:
    switch = halting.state(desk.tables)
    told = f"halted {switch.said}" if switch.halted else "not halted"
    yield f"stage {desk.settings.stage}: {render.shown(told, 1_200)}"
    parked = listing.entries(desk.tables, listing.PARKED)
    heads = _open(desk)
    counts = {
        "open": len(heads),
        "waiting for approval": sum(head.phase == "wait" for head in heads),
        "waiting because of the halt": len({item.data["remediation"] for item in parked}),
        "closed with changes in place": len(listing.entries(desk.tables, listing.STANDING)),
    }
    yield f"remediations: {', '.join(f'{count} {what}' for what, count in counts.items())}"
    for item in parked:
        data = item.data
        step = f"step {data['step']}" if data["step"] else "the roll-back"
        which = f"{step}[{data['index']}]" if data["index"] else step
        yield f"  {render.shown(str(data['remediation']))}  {which} waits since {data['at']}"


def _open(desk: Desk) -> list[Remediation]:
    """Return the heads of the remediations that are not closed."""
    keys = [(partition(item.sk), "META") for item in listing.entries(desk.tables, listing.OPEN)]
    found = desk.tables.get(*keys) if keys else []
    return [load(Remediation, item) for item in found if item]
