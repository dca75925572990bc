"""`firebreak limits`: what counts towards each limit, and which are tripped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from chalicelib.guardrails.limits import State, read
from firebreak import damaged, render
from firebreak.connection import connect, stage_option


@click.command("limits")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@stage_option
def command(as_json: bool, stage: str) -> None:
    """Show each limit that has counted anything: how much of it is used, and since when tripped.

    A tripped limit stays so, and what counts towards it waits for a person, until
    `firebreak rearm NAME`.
    """
    desk = connect(stage)
    now = desk.clock.seconds()
    found, wrong = read(desk.tables)
    if as_json:
        click.echo(json.dumps([_row(state, now) for state in found], indent=2))
    else:
        for line in _lines(found, now):
            click.echo(line)
    damaged.say(wrong)


def _row(state: State, now: float) -> dict[str, Any]:
    return {**asdict(state), "used": len(state.within(now))}


def _lines(found: list[State], now: float) -> Iterator[str]:
    if not found:
        yield "No limit has counted anything yet."
    width = max((len(render.shown(state.name)) for state in found), default=0)
    for state in found:
        used = f"{len(state.within(now))}/{state.said}"
        yield f"{render.shown(state.name):{width}}  {used:16}  {_tripped(state)}"


def _tripped(state: State) -> str:
    if not state.tripped:
        return "armed"
    told = {name: render.shown(str(each), 60) for name, each in state.tripped.items()}
    by = f"remediation {told['id']} ({told['playbook']} on {told['target']})"
    return f"{render.named('tripped')} since {told['at']} by {by}"
