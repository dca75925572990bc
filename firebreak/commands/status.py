"""`firebreak status`: whether a stage is halted, and what is under way in it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from chalicelib import halting
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation, listing
from chalicelib.table import Item
from firebreak import damaged, render
from firebreak.connection import connect, stage_option


@click.command("status")
@stage_option
def command(stage: str) -> None:
    """Show whether a stage is halted, how many remediations are under way, and what waits."""
    for line in _lines(connect(stage)):
        click.echo(line)


def _lines(desk: Desk) -> Iterator[str]:
    switch, _ = halting.stored(desk.tables)
    told = f"halted {switch.said}" if switch.halted else "not halted"
    yield f"stage {desk.settings.stage}: {render.shown(told, 1_200)}"
    parked = listing.entries(desk.tables, listing.PARKED)
    heads, wrong = _listed(desk, listing.OPEN)
    standing, wrong_too = _listed(desk, listing.STANDING)
    counts = {
        "open": len(heads),
        "waiting for approval": sum(head.phase == "wait" for head in heads),
        "waiting because of the halt": len({item.sk.partition("#")[0] for item in parked}),
        "closed with changes in place": len(standing) + len(wrong_too),
    }
    yield f"remediations: {', '.join(f'{count} {what}' for what, count in counts.items())}"
    for head in (*heads, *standing):
        yield f"  {_head(head)}"
    for item in parked:
        yield f"  {_parked(item)}"
    damaged.say([*wrong, *wrong_too])


def _listed(desk: Desk, name: str) -> damaged.Read:
    return damaged.heads(desk.tables, (item.sk for item in listing.entries(desk.tables, name)))


def _head(head: Remediation) -> str:
    """Say of a remediation what it is about, and how far it came."""
    about = f"{head.playbook['name']} on {head.target} in {head.account}"
    return (
        f"{render.shown(head.id)}  {render.shown(head.status or head.phase)}  {render.shown(about)}"
    )


def _parked(item: Item) -> str:
    """Say which step waits, by its entry's key, and since when, as far as that can be read."""
    remediation, name, number = (*item.sk.split("#"), "", "")[:3]
    step = f"step {name}" if name else "the roll-back"
    index = f"[{int(number)}]" if number.strip("0").isdecimal() else ""
    since = render.shown(str(item.data.get("at", "?")))
    return f"{render.shown(remediation)}  {render.shown(step)}{index} waits since {since}"
