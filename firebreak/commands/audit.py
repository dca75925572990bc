"""`firebreak audit`: show, verify and export the audit trail."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from chalicelib import audit
from chalicelib.audit import Record
from chalicelib.effect import canonical_text
from chalicelib.errors import InvalidSettings
from chalicelib.outside.vault import vault
from firebreak import render
from firebreak.connection import connect, stage_option
from firebreak.proof import exported, sealed, verifying

WHOLE = 1_100  # characters of a place: a key has up to 1,024 bytes
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
        click.echo(exported.record_line(record) if as_json else line(record))
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
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Verify an export instead of the table.",
)
@click.option("--table-only", is_flag=True, help="Look neither at the bucket nor at the seals.")
@click.option("--whole", is_flag=True, help="Read every object of the bucket, not its name alone.")
@click.option(
    "--public-key",
    "key_files",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The key that seals have to be signed by, PEM or DER; the stage's if not given.",
)
@click.option(
    "--known",
    "known_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="What was said before, line by line, and looked into: it is not said again.",
)
@stage_option
def verify(
    chains: tuple[str, ...],
    file: Path | None,
    table_only: bool,
    whole: bool,
    key_files: tuple[Path, ...],
    known_file: Path | None,
    stage: str,
) -> None:
    """Verify chains, or the whole trail: the table, what was kept of it, and the seals."""
    keys = sealed.keys_of_files(key_files) or None
    if file:
        told = verifying.file(file, keys)
    else:
        desk = connect(stage)
        safe = vault(desk)
        if not table_only and safe.there():
            told = verifying.everything(desk, chains, keys, whole=whole)
        else:
            told = verifying.table(desk, chains)
            why = "as asked" if table_only else f"there is no bucket {safe.bucket}"
            click.echo(f"{why}: only the chains of the table are verified")
    known = exported.lines(known_file) if known_file else []
    said = [
        f"{render.shown(each.where, WHOLE)}: {render.shown(each.what)}" for each in told.findings
    ]
    news = [text for text in said if text not in known]
    for text in news:
        click.echo(text, err=True)
    click.echo(told.summary + (f", {len(said) - len(news)} known" if known_file else ""))
    if news:
        sys.exit(1)


@command.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The file to write; standard output if not given.",
)
@click.option(
    "--seals", "with_seals", is_flag=True, help="Write the seals too, before the records."
)
@stage_option
def export(out: Path | None, with_seals: bool, stage: str) -> None:
    """Write every record as JSON lines, which `audit verify --file` verifies anywhere."""
    desk = connect(stage)
    seals = verifying.genuine(desk) if with_seals else ()  # first: what they hold is exported too
    lines = [exported.seal_line(each) for each in seals]
    tables = desk.tables
    lines += [exported.record_line(r) for chain in tables.chains() for r in tables.records(chain)]
    if out is None:
        click.echo("\n".join(lines))
        return
    out.write_text("\n".join([*lines, ""]), "utf-8")
    also = f" and {len(seals)} seals" if with_seals else ""
    click.echo(f"{len(lines) - len(seals)} records{also} written to {out}")
