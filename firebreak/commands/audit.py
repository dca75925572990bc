"""`firebreak audit`: show, verify and export the audit trail."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import click

from chalicelib import audit
from chalicelib.audit import Record
from chalicelib.effect import canonical_text
from chalicelib.errors import Corrupt, InvalidSettings
from firebreak import render
from firebreak.connection import connect, stage_option

HIDDEN = ("step", "index", "action", "effect", "key", "fixture", "do", "before", "want")


@click.group("audit")
def command() -> None:
    """Show, verify and export what was decided and done, and why."""


@command.command()
@click.argument("chain")
@click.option("--json", "as_json", is_flag=True, help="Write the records as JSON lines.")
@stage_option
def show(chain: str, as_json: bool, stage: str) -> None:
    """Show the records of a remediation, or of a decision without one."""
    records = connect(stage).tables.records(chain)
    if not records:
        raise InvalidSettings(f"there is no chain {chain!r:.80}")
    for record in records:
        click.echo(written(record) if as_json else line(record))
    verdict = audit.verify(records)
    if not as_json:
        click.echo(f"{verdict.records} records, chain {verdict}")
    if not verdict.valid:
        sys.exit(1)


def line(record: Record) -> str:
    """Return a record on one line: number, time, kind, step, element, and what it says."""
    what = record.what
    element = str(what.get("key") or what.get("fixture") or "").split("/", 2)[-1]
    about = "  ".join(part for part in (str(what.get("step") or ""), element) if part)
    parts = (
        f"{record.seq:4} {record.at[:19]}Z {record.kind:12}",
        render.shown(about, 80),
        said(record),
    )
    return " ".join(part for part in parts if part)


def written(record: Record) -> str:
    """Return a record as one line of ASCII JSON, whatever it holds."""
    return json.dumps(asdict(record), sort_keys=True, separators=(",", ":"))


def said(record: Record) -> str:
    """Return what a record says besides its step and element, in a few words."""
    what = record.what
    if record.kind == "intent" and what.get("effect") == "change":
        return f"{render.value(what['before'])} -> {render.value(what['want'])}"
    if record.kind in ("outcome", "joined"):
        return "verified" if what.get("verified") else "not verified"
    for name in ("result", "status", "reason", "target"):
        if what.get(name):
            return render.shown(str(what[name]), 80)
    rest = {name: value for name, value in what.items() if name not in HIDDEN}
    return render.shown(canonical_text(rest), 60) if rest else ""


@command.command()
@click.argument("chains", nargs=-1)
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, exists=True),
    help="Verify an export instead of the table.",
)
@stage_option
def verify(chains: tuple[str, ...], file: Path | None, stage: str) -> None:
    """Verify chains, or every one of the table: each record follows the one before it."""
    found = list(_of_file(file) if file else _of_table(chains, stage))
    if not found:
        raise InvalidSettings("there is no chain to verify")
    broken = [(name, verdict) for name, verdict in found if not verdict.valid]
    for name, verdict in broken:
        click.echo(f"{render.shown(name)}: {render.shown(str(verdict))}", err=True)
    records = sum(verdict.records for _, verdict in found)
    click.echo(f"{len(found)} chains, {records} records: {len(broken)} broken")
    if broken:
        sys.exit(1)


def _of_table(chains: Iterable[str], stage: str) -> Iterator[tuple[str, audit.Verdict]]:
    tables = connect(stage).tables
    for chain in chains or tables.chains():
        try:
            yield chain, audit.verify(tables.records(chain))
        except Corrupt as wrong:
            yield chain, audit.Verdict(False, 0, None, str(wrong))


def _of_file(file: Path) -> Iterator[tuple[str, audit.Verdict]]:
    records = [
        _parsed(file, number, text) for number, text in enumerate(_lines(file), 1) if text.strip()
    ]
    records.sort(key=lambda record: (record.chain, record.seq))
    for chain, each in groupby(records, key=lambda record: record.chain):
        yield chain, audit.verify(each)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8").split("\n")
    except UnicodeDecodeError as wrong:
        raise InvalidSettings(f"{file}: not UTF-8 text: {wrong.reason}") from wrong


def _parsed(file: Path, number: int, text: str) -> Record:
    try:
        record = Record(**json.loads(text, object_pairs_hook=_once))
    except (ValueError, TypeError, RecursionError) as wrong:
        why = render.shown(str(wrong), 200)
        raise InvalidSettings(f"{file}:{number}: no audit record: {why}") from wrong
    if not isinstance(record.chain, str) or type(record.seq) is not int:
        raise InvalidSettings(f"{file}:{number}: chain is to be a text, seq a whole number")
    return record


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object's members. Raise ValueError where a key stands twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return members


@command.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The file to write; standard output if not given.",
)
@stage_option
def export(out: Path | None, stage: str) -> None:
    """Write every record as JSON lines, which `audit verify --file` verifies anywhere."""
    tables = connect(stage).tables
    lines = [written(r) for chain in tables.chains() for r in tables.records(chain)]
    if out is None:
        click.echo("\n".join(lines))
        return
    out.write_text("\n".join([*lines, ""]), "utf-8")
    click.echo(f"{len(lines)} records written to {out}")
