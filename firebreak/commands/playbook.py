"""`firebreak playbook`: check, list, show, compile and promote playbooks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

from chalicelib import durations
from chalicelib import playbook as playbooks
from chalicelib.actions import actions
from chalicelib.errors import InvalidPlaybook, Problem
from chalicelib.guardrails import MODES, configured
from chalicelib.paths import suggest
from chalicelib.playbook import Playbook, schema
from firebreak import portrayal, promotion, splicing
from firebreak.connection import connect, stage_option

EXPECTED = {"observe": "planned", "approve": "awaiting_approval", "enforce": "remediated"}

folder = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=None,
    help="Where the playbooks are; the project's own if not given.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


@click.group("playbook")
def command() -> None:
    """Check, list, show, compile and promote playbooks."""


@command.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--events", type=click.Path(path_type=Path), help="Where the examples' events are.")
@as_json
def lint(paths: tuple[Path, ...], events: Path | None, as_json: bool) -> None:
    """Say everything that is wrong with playbooks: files, folders, or all of the project's."""
    places = paths or (_own(),)
    problems = playbooks.problems(places, events)
    if as_json:
        _write([_problem(problem) for problem in problems])
    for problem in () if as_json else problems:
        click.echo(str(problem))
    if problems:
        raise SystemExit(1)
    if not as_json:
        click.echo("No problems.")


@command.command("list")
@folder
@as_json
def list_(folder: Path | None, as_json: bool) -> None:
    """List the playbooks."""
    found = _load(folder).values()
    if as_json:
        _write([_row(playbook) for playbook in found])
        return
    width = max((len(playbook.name) for playbook in found), default=0)
    for playbook in found:
        click.echo(f"{playbook.name:{width}}  {playbook.guardrails.mode:7}  {playbook.title}")


@command.command()
@click.argument("name")
@folder
def show(name: str, folder: Path | None) -> None:
    """Show what a playbook matches, what bounds it, and what it does."""
    for line in portrayal.playbook_lines(_named(_load(folder), name)):
        click.echo(line)


@command.command("schema")
@click.option("--check", is_flag=True, help="Write nothing; fail where the file is out of date.")
def schema_(check: bool) -> None:
    """Write the JSON Schema that editors check playbooks by."""
    if not check:
        schema.write(schema.FILE, actions())
        click.echo(f"Wrote {_near(schema.FILE)}.")
    elif not schema.is_current(schema.FILE, actions()):
        _fail(f"{_near(schema.FILE)} is out of date: run firebreak playbook schema")


@command.command("compile")
@click.argument("names", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Compile every playbook.")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write files into.")
@folder
def compile_(names: tuple[str, ...], every: bool, out: Path | None, folder: Path | None) -> None:
    """Compile playbooks to Step Functions state machines."""
    if bool(names) == every:
        raise click.UsageError("give the names of playbooks, or --all")
    if len(names) > 1 and out is None:
        raise click.UsageError("give --out DIR to compile several playbooks")
    found = _load(folder, validate=True)
    chosen = found.values() if every else [_named(found, name) for name in names]
    _write_machines({playbook.name: _compiled(playbook) for playbook in chosen}, out)


def _compiled(playbook: Playbook) -> dict[str, Any]:
    from chalicelib.workflow import compile as compiled

    machine: dict[str, Any] = compiled(playbook)
    return machine


def _write_machines(machines: Mapping[str, Any], out: Path | None) -> None:
    if out is None:
        _write(next(iter(machines.values())) if len(machines) == 1 else machines)
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, machine in machines.items():
        path = out / f"{name}.asl.json"
        path.write_text(json.dumps(machine, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        click.echo(f"Wrote {path}.")


@command.command()
@click.argument("name")
@click.option("--to", "mode", type=click.Choice(MODES[1:]), help="The next mode if not given.")
@click.option("--since", default="14d", show_default=True, help="How far back to look.")
@click.option("--unseen", is_flag=True, help="Promote though nothing was observed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@folder
@stage_option
def promote(
    name: str,
    mode: str | None,
    since: str,
    unseen: bool,
    yes: bool,
    folder: Path | None,
    stage: str,
) -> None:
    """Show what an observed playbook would have done, and set its mode in its file.

    From observe it goes to approve, and from there to enforce, unless --to says otherwise.
    """
    found = _named(_load(folder, validate=True), name)
    path, following = (folder or _own()) / f"{name}.yaml", _following(found, mode)
    desk = connect(stage)
    seen = promotion.evidence(desk, found, durations.seconds(since))
    click.echo(f"{name} ({found.guardrails.mode}), the last {since}:")
    for line in promotion.lines(seen, found, configured(desk.settings)):
        click.echo(line)
    if not seen.planned and not unseen:
        why = f"nothing that {name} would have done was observed in the last {since}"
        _fail(f"{why}: look further back with --since, or promote it --unseen")
    if not yes and not click.confirm(f"Set the mode of {path} to {following}?"):
        _fail("Nothing was changed.")
    splicing.set_mode(path, found, following)
    click.echo(f"Set the mode of {path} to {following}. It holds once the stage is deployed.")
    if any(example.decision == EXPECTED[found.guardrails.mode] for example in found.examples):
        click.echo(f"Its examples expect {EXPECTED[found.guardrails.mode]}: change them as well.")


def _following(playbook: Playbook, mode: str | None) -> str:
    at = MODES.index(playbook.guardrails.mode)
    if at == len(MODES) - 1:
        _fail(f"{playbook.name} is set to {playbook.guardrails.mode} already")
    following = mode or MODES[at + 1]
    if MODES.index(following) <= at:
        _fail(f"{playbook.name} is set to {playbook.guardrails.mode}: {following} is no step up")
    return following


# --- reading --------------------------------------------------------------------------------------


def _load(folder: Path | None, *, validate: bool = False) -> Mapping[str, Playbook]:
    try:
        return playbooks.load(folder or _own(), validate=validate)
    except InvalidPlaybook as invalid:
        _fail(*invalid.problems)


def _own() -> Path:
    return _near(playbooks.FOLDER)


def _near(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _named(found: Mapping[str, Playbook], name: str) -> Playbook:
    if name not in found:
        _fail(f"{name} is no playbook: {suggest(name, found)}")
    return found[name]


def _fail(*lines: object) -> NoReturn:
    for line in lines:
        click.echo(str(line), err=True)
    raise SystemExit(1)


# --- writing --------------------------------------------------------------------------------------


def _write(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _problem(problem: Problem) -> dict[str, str]:
    return {"file": problem.file, "path": problem.path, "message": problem.message}


def _row(playbook: Playbook) -> dict[str, Any]:
    return {
        "name": playbook.name,
        "title": playbook.title,
        "mode": playbook.guardrails.mode,
        "version": playbook.version,
        "steps": [step.name for step in playbook.all_steps()],
    }


@command.command("actions")
@click.argument("name", required=False)
def actions_(name: str | None) -> None:
    """List the actions, or show one: its parameters, its facts, what it is permitted."""
    known = actions()
    if name is None:
        width = max(map(len, known))
        for action in known.values():
            click.echo(f"{action.name:{width}}  {action.summary}")
        return
    if name not in known:
        raise click.ClickException(f"{name} is no action: {suggest(name, known)}")
    for line in portrayal.action_lines(known[name]):
        click.echo(line)
