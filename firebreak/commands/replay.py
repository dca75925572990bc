"""`firebreak replay`: recorded events through the real handlers, machines and calls."""

from __future__ import annotations

import gc
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import click

from chalicelib import log
from chalicelib.errors import InvalidSettings
from chalicelib.playbook import Playbook
from firebreak import render
from firebreak.event_files import EventFile, events
from firebreak.replay import Options, load_playbooks, replay, replay_one
from firebreak.report import Replayed

GARBAGE = (100_000, 50, 50)  # a replay makes many objects that live: a fifth less time
PARALLEL_FROM = 4  # events; fewer are done before a second process has started


@click.command("replay")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write a JSON list, one object per event.")
@click.option("--plan", is_flag=True, help="Plan only: record what would be done, change nothing.")
@click.option(
    "--playbooks",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the playbooks are.",
)
@click.option(
    "--together", is_flag=True, help="All events in one embedded AWS, one after the other."
)
@click.option("--account", default="", help="Replay as if the events came from this account.")
@click.option("--rollback", is_flag=True, help="Two days later, take every change back.")
@click.option("--empty", is_flag=True, help="As if all that the events speak of were gone.")
@click.option("--approve", is_flag=True, help="Approve every plan that waits.")
@click.option("--deny", is_flag=True, help="Deny every plan that waits.")
@click.option("--verbose", is_flag=True, help="Show the parameters of each call.")
def command(
    paths: tuple[Path, ...],
    as_json: bool,
    plan: bool,
    playbooks: Path | None,
    together: bool,
    account: str,
    rollback: bool,
    empty: bool,
    approve: bool,
    deny: bool,
    verbose: bool,
) -> None:
    """Replay events: a file of one event, a file of JSON lines, or a folder of either.

    Nothing real is touched: every event meets an embedded AWS in which what it speaks of was made.
    The exit status is 0 only if every event was decided: none failed.
    """
    log.silence()
    gc.set_threshold(*GARBAGE)
    if account and not re.fullmatch(r"\d{12}", account):
        raise InvalidSettings(f"--account: {account!r} is not a 12-digit account id")
    if plan + approve + deny > 1:
        raise InvalidSettings("--plan, --approve and --deny: give one of them")
    decision = "approved" if approve else "denied" if deny else ""
    options = Options(plan, together, account, rollback, empty, decision)
    found = events(paths)
    known = load_playbooks(playbooks)
    replayed = list(
        _shown(_each(found, known, options), len(found), as_json=as_json, verbose=verbose)
    )
    if as_json:
        click.echo(json.dumps([each.document() for each in replayed], indent=2))
    elif len(replayed) > 1:
        click.echo(render.summary(replayed))
    if any(each.decision == "failed" for each in replayed):
        sys.exit(1)


def _each(
    found: list[EventFile], known: Mapping[str, Playbook], options: Options
) -> Iterator[Replayed]:
    """Replay events side by side where they have nothing to do with each other."""
    workers = min(len(os.sched_getaffinity(0)), len(found))
    if options.together or workers < 2 or len(found) < PARALLEL_FROM:
        yield from replay(found, known, options)
        return
    with ProcessPoolExecutor(workers, get_context("fork")) as pool:
        yield from pool.map(_one, ((event, known, options) for event in found), chunksize=1)


def _one(work: tuple[EventFile, Mapping[str, Playbook], Options]) -> Replayed:
    return replay_one(*work)


def _shown(
    replayed: Iterable[Replayed], count: int, *, as_json: bool, verbose: bool
) -> Iterator[Replayed]:
    """Show each event as it is done: whole where it is the only one, else a line and a bar."""
    if as_json or count == 1:
        for each in replayed:
            if not as_json:
                click.echo(render.event(each, verbose=verbose))
            yield each
        return
    with click.progressbar(length=count, label="replaying", file=sys.stderr) as bar:
        for each in replayed:
            bar.update(1)
            click.echo(render.event(each, verbose=True) if verbose else render.line(each))
            yield each
