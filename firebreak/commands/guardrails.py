"""`firebreak guardrails`: check and show the guardrails that hold for every playbook."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import yaml

from chalicelib.errors import Problem
from chalicelib.guardrails import FILE, shape
from chalicelib.playbook import reading
from firebreak import render

NAMED = "FIREBREAK_GUARDRAILS"
file = click.argument("path", required=False, type=click.Path(path_type=Path))


@click.group("guardrails")
def command() -> None:
    """Check and show the guardrails that hold for every playbook."""


@command.command()
@file
def lint(path: Path | None) -> None:
    """Say everything that is wrong with the file: FIREBREAK_GUARDRAILS, or the project's own."""
    _checked(path or _own())
    click.echo("No problems.")


@command.command()
@file
def show(path: Path | None) -> None:
    """Show what is exempt, which modes are overridden, and what is limited."""
    path = path or _own()
    _checked(path)
    document = reading.read(path, "")
    exempt, modes, limits = (document.get(name, {}) for name in ("exempt", "modes", "limits"))
    click.echo(f"{path}")
    _section("exempt, left alone outright", exempt)
    _section("modes, in place of the playbooks' own", modes)
    _section("limits, past which a person is asked until one re-arms", limits)


@command.command()
def schema() -> None:
    """Write the JSON Schema that editors check the file by."""
    shape.SCHEMA_FILE.write_text(shape.text(), encoding="utf-8")
    click.echo(f"Wrote {shape.SCHEMA_FILE}.")


def _own() -> Path:
    return Path(os.environ.get(NAMED, "") or FILE)


def _checked(path: Path) -> None:
    problems: list[Problem] = shape.problems(path)
    for problem in problems:
        click.echo(str(problem))
    if problems:
        raise SystemExit(1)


def _section(title: str, value: Any) -> None:
    click.echo(render.heading(f"\n{title}"))
    if not value:
        click.echo("  none")
        return
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=96)
    for line in text.splitlines():
        click.echo(f"  {line}")
