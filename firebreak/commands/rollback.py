"""`firebreak rollback`: take back what a remediation changed."""

from __future__ import annotations

import json

import click

from chalicelib import lifecycle, store
from chalicelib.runner import undoing
from firebreak import render
from firebreak.connection import connect, stage_option


@click.command("rollback")
@click.argument("remediation")
@click.option("--plan", is_flag=True, help="List what would be taken back; change nothing.")
@click.option("--step", default=None, help="Only what this step changed.")
@click.option("--keep", multiple=True, help="Leave this element as it is (may be given again).")
@click.option("--force", multiple=True, help="Take this element back though it changed since.")
@stage_option
def command(
    remediation: str,
    plan: bool,
    step: str | None,
    keep: tuple[str, ...],
    force: tuple[str, ...],
    stage: str,
) -> None:
    """Take back what a remediation changed, last change first, where it still is as it was left.

    A change that somebody else altered since is a conflict: it is listed and left alone.
    """
    desk = connect(stage)
    head = lifecycle.head_of(desk, remediation)
    if plan:
        for group in undoing.groups(store.effects(desk.tables, remediation)):
            click.echo(_planned(group[-1]))
        return
    told = {"step": step, "keep": list(keep), "force": list(force), "by": "rollback"}
    arn = lifecycle.start_undo(desk, head.id, told)
    click.echo(f"started {arn}")
    click.echo(f"look at it with: firebreak audit show {head.id}")


def _planned(effect: store.Effect) -> str:
    if effect.kind != "change":
        return f"kept          {effect.key} ({effect.kind})"
    if effect.final is not None:
        return f"irreversible  {effect.key}: {effect.final}"
    if effect.state in lifecycle.DONE_WITH:
        return f"{effect.result or effect.state:13} {effect.key}"
    undo = json.dumps(effect.undo, sort_keys=True) if effect.undo else "nothing to call"
    return f"take back     {effect.key}: {render.shown(undo, 140)}"
