"""`firebreak waiting`: what waits for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from chalicelib import durations
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation, listing
from firebreak import damaged, render
from firebreak.connection import connect, stage_option


@click.command("waiting")
@stage_option
def command(stage: str) -> None:
    """List the remediations that wait for a person, the one that expires first at the top."""
    desk = connect(stage)
    heads, wrong = damaged.heads(
        desk.tables, (entry.sk for entry in listing.entries(desk.tables, listing.OPEN))
    )
    found = sorted(_waiting(desk, heads), key=lambda head: head.waits_until)
    for head in found:
        for line in lines(head, desk.clock.seconds()):
            click.echo(line)
    if not found:
        click.echo("nothing waits for a person")
    damaged.say(wrong)


def _waiting(desk: Desk, heads: Iterable[Remediation]) -> Iterator[Remediation]:
    """Yield the heads of what a person was asked about and still can decide."""
    now = desk.clock.seconds()
    for head in heads:
        if head.phase == "wait" and not head.decision and head.waits_until >= now:
            yield head


def lines(head: Remediation, now: float) -> list[str]:
    """Return what a person has to know of a remediation that waits."""
    left = int(head.waits_until - now) // 60 * 60
    about = {
        "target": f"{head.target} in {head.account} {head.region}",
        "asks": head.why or "its playbook waits for a person",
        "plan": str(head.plan.get("hash", "")),
        "expires in": durations.text(left) if left > 0 else "less than a minute",
    }
    rows = [f"  {name}: {render.shown(text)}" for name, text in about.items()]
    return [f"{render.heading(head.id)}  {render.shown(str(head.playbook.get('name')), 60)}", *rows]
