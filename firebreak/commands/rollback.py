"""`firebreak rollback`: take back what a remediation changed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from chalicelib import lifecycle
from chalicelib.errors import Failed, InvalidSettings
from chalicelib.lifecycle import later
from chalicelib.lifecycle.turning_back import NOT_CLOSED
from chalicelib.runner import undoing
from chalicelib.runner.releasing import TakenBack
from chalicelib.runner.work import Desk
from chalicelib.store import Effect, Remediation, effects
from firebreak import changes, render
from firebreak.connection import caller, connect, stage_option

PAUSE = 2.0  # seconds between two looks at whether it is over
PATIENCE = 15  # looks at an execution that is over, until it is not waited for any more
LONGEST = 3_600.0  # seconds to wait for its end


@click.command("rollback")
@click.argument("remediation")
@click.option("--plan", is_flag=True, help="List what would become of each change; change nothing.")
@click.option("--step", default=None, help="Only what this step changed.")
@click.option("--keep", multiple=True, metavar="CHANGE", help="Leave this change as it is now.")
@click.option("--force", multiple=True, metavar="CHANGE", help="Take it back whoever changed it.")
@click.option("--wait/--no-wait", default=True, help="Wait for the end (the default), or not.")
@stage_option
def command(
    remediation: str,
    plan: bool,
    step: str | None,
    keep: tuple[str, ...],
    force: tuple[str, ...],
    wait: bool,
    stage: str,
) -> None:
    """Take back what a remediation changed, last change first, where it still is as it was left.

    A change that somebody else altered since is a conflict: it is listed and left alone, until
    --keep or --force decides it. CHANGE is a change's key, or its short id, as --plan shows it.
    What waits under the kill switch is stopped and taken back. The exit status is 1 where anything
    is left open.
    """
    desk = connect(stage)
    head = lifecycle.head_of(desk, remediation)
    told = _told(effects(desk.tables, head.id), step, keep, force)
    again = _again(head.id, step, stage)
    if plan:
        _show([asdict(row) for row in _foreseen(desk, head, told)], again)
        return
    if head.phase == "closed" and _all_done(desk, head, step):
        return
    told["by"] = caller(desk)
    arn = lifecycle.start_undo(desk, head.id, told)
    if not wait:
        click.echo(f"started {arn}")
        return
    _over(desk, _waited(desk, head.id), step, again)


def _foreseen(desk: Desk, head: Remediation, told: Mapping[str, Any]) -> list[TakenBack]:
    """Return what would become of each change. Raise Failed where none was made, nor can be now."""
    rows = lifecycle.foresee(desk, head, told)
    if not rows and head.phase in NOT_CLOSED:
        raise Failed(f"remediation {head.id} {NOT_CLOSED[head.phase]}")
    return rows


def _told(
    made: Sequence[Effect], step: str | None, keep: Sequence[str], force: Sequence[str]
) -> dict[str, Any]:
    """Return what the roll-back is told. Raise InvalidSettings for what is none of its changes."""
    kept, forced = changes.keys_of(made, "--keep", keep), changes.keys_of(made, "--force", force)
    both = [key for key in kept if key in forced]
    if both:
        raise InvalidSettings(f"--keep and --force: {render.shown(both[0])} cannot be both")
    return {"step": changes.step_of(made, step), "keep": kept, "force": forced}


def _again(identity: str, step: str | None, stage: str) -> str:
    """Return the command that decides a conflict, but for the decision."""
    words = ["firebreak", "rollback", identity]
    words += ["--step", step] if step else []
    return shlex.join([*words, *(["--stage", stage] if stage else [])])


def _show(rows: Sequence[Mapping[str, Any]], again: str) -> None:
    for row in rows:
        for line in changes.lines(row, again):
            click.echo(line)
    if not rows:
        click.echo("there is no change to take back")


def _all_done(desk: Desk, head: Remediation, step: str | None) -> bool:
    """Say what was taken back before, where nothing is left. Raise Failed where nothing was."""
    made = [e for e in effects(desk.tables, head.id) if e.kind == "change" and e.state != "failed"]
    mine = [each for each in made if step in (None, each.step)]
    if any(each.final is None and each.state != "undone" for each in mine):
        return False
    if not any(each.state == "undone" for each in mine):
        why = "cannot be taken back at all" if mine else "there is nothing to take back"
        what = "what it changed" if mine else "it changed nothing"
        raise Failed(f"remediation {head.id} ({head.status}): {what}: {why}")
    for group in undoing.groups(mine):
        last = group[-1]
        result = last.result if last.state == "undone" else "irreversible"
        named, short = render.named(result, 12), changes.short_id(last.key)
        click.echo(f"{named}  {short}  {last.step}  {render.shown(last.key)}")
    click.echo(f"remediation {head.id}: nothing is left to take back")
    return True


def _waited(desk: Desk, identity: str) -> Remediation:
    """Return the head once the roll-back is over. Raise Failed where that cannot be waited for."""
    until, over = desk.clock.seconds() + LONGEST, 0
    while desk.clock.seconds() < until and over < PATIENCE:
        head = lifecycle.head_of(desk, identity)
        if head.phase == "closed":
            return head
        if head.phase not in ("apply", "undo"):
            raise Failed(f"remediation {identity} planned its rest again: deny it, then roll back")
        over += lifecycle.execution_status(desk, head) != "RUNNING"
        desk.clock.sleep(PAUSE)
    if over >= PATIENCE:
        why = "its execution is over and did not close it: once reconciled, roll back again"
        raise Failed(f"remediation {identity} is not taken back: {why}")
    raise Failed(f"remediation {identity} is still being taken back: firebreak status shows it")


def _over(desk: Desk, head: Remediation, step: str | None, again: str) -> None:
    _show(head.undo.get("results", []), again)
    reason = f": {render.shown(head.reason, 400)}" if head.reason else ""
    click.echo(f"remediation {head.id}: {head.status}{reason}")
    if head.status != lifecycle.ROLLED_BACK and not (step and _done(desk, head, step)):
        sys.exit(1)


def _done(desk: Desk, head: Remediation, step: str) -> bool:
    """Say whether nothing of a step is left, but what cannot be taken back or is kept."""
    left = later.standing(head, effects(desk.tables, head.id))
    return not any(each.step == step for each in left)
