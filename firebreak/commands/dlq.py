"""`firebreak dlq`: the events that could not be handled, and were tried for hours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from chalicelib.errors import InvalidSettings
from chalicelib.runner.work import Desk
from firebreak import dead_letters, render
from firebreak.connection import caller, connect, stage_option
from firebreak.dead_letters import Dead


@click.group("dlq")
def command() -> None:
    """Look at the events that could not be handled; try them again, or give them up."""


@command.command("list")
@stage_option
def listed(stage: str) -> None:
    """List the dead letters: id, when the event first failed, what it is, attempts, error."""
    desk, count = connect(stage), 0
    with dead_letters.looked_through(desk) as found:
        for count, dead in enumerate(found, 1):  # noqa: B007  # told below
            click.echo(_line(dead))
    click.echo(f"{count} dead letters; about {dead_letters.retried(desk)} events are tried again")


def _line(dead: Dead) -> str:
    attempts = dead.attributes.get("attempts", "?")
    about = render.shown(dead_letters.subject(dead), 80)
    error = render.shown(dead.error, 80)
    return f"{dead.id}  {render.shown(dead.failed_at, 24)}  {about}  {attempts:.4} times  {error}"


@command.command()
@click.argument("letter")
@stage_option
def show(letter: str, stage: str) -> None:
    """Show a dead letter whole: its error, and its event as JSON."""
    with dead_letters.looked_through(connect(stage)) as found:
        for dead in _named(found, (letter,)):
            for name, value in _facts(dead).items():
                click.echo(f"{name:16} {render.shown(value, 1_000)}")
            click.echo(dead_letters.written(dead))


def _facts(dead: Dead) -> dict[str, str]:
    return {
        "id": dead.id,
        "about": dead_letters.subject(dead),
        "function": dead.letter.function if dead.letter else "none",
        "error": dead.error,
        "attempts": dead.attributes.get("attempts", "unknown"),
        "first failed at": dead.failed_at,
        "sha256": dead.digest,
        "audit": f"firebreak audit show {dead.chain}",
    }


@command.command()
@click.argument("wanted", metavar="[LETTER]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every dead letter there is.")
@stage_option
def redrive(wanted: tuple[str, ...], everything: bool, stage: str) -> None:
    """Have dead letters tried again, for hours as before; it is recorded who wanted that."""
    if everything == bool(wanted):
        raise InvalidSettings("give the ids of dead letters, or --all")
    desk = connect(stage)
    by, count = caller(desk), 0
    with dead_letters.looked_through(desk) as found:
        for count, dead in enumerate(found if everything else _named(found, wanted), 1):  # noqa: B007  # told below
            dead_letters.redrive(desk, dead, by)
            click.echo(f"{dead.id}  is tried again  {render.shown(dead_letters.subject(dead), 80)}")
    click.echo(f"{count} events are tried again")


@command.command()
@click.argument("wanted", metavar="LETTER...", nargs=-1, required=True)
@click.option("--reason", default="", help="Why; it is recorded.")
@stage_option
def discard(wanted: tuple[str, ...], reason: str, stage: str) -> None:
    """Give dead letters up: each is kept in the table, recorded, and taken off the queue."""
    desk = connect(stage)
    by = caller(desk)
    with dead_letters.looked_through(desk) as found:
        for dead in _named(found, wanted):
            _give_up(desk, dead, by, reason)


def _give_up(desk: Desk, dead: Dead, by: str, reason: str) -> None:
    dead_letters.discard(desk, dead, by, reason)
    click.echo(f"{dead.id}  is given up; recorded in {dead.chain}")


def _named(found: Iterable[Dead], wanted: tuple[str, ...]) -> Iterator[Dead]:
    """Give the messages of these ids. Raise InvalidSettings, at the end, where one is not there."""
    left = set(wanted)
    for dead in found:
        if dead.id in left:
            left.discard(dead.id)
            yield dead
        if not left:
            return
    missing = ", ".join(repr(each)[:80] for each in sorted(left))
    raise InvalidSettings(f"there is no dead letter {missing}, or another command is looking at it")
