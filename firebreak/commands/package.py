"""`firebreak package`: a stage as one CloudFormation template and its package, for pipelines."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from firebreak import iam, templates
from firebreak.packaging import Build, build, functions, merging

MEGABYTE = 1_000_000


@click.command("package")
@click.option("--stage", required=True, help="A stage of .chalice/config.json.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write template.json and deployment.zip into.",
)
def command(stage: str, out: Path) -> None:
    """Write a stage as one CloudFormation template and the package of its functions.

    Both are the same for the same project. No credentials are needed: account, region and partition
    are those that the template is deployed to.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = build(stage, iam.pseudo(stage), Path(folder, stage))
        template = templates.text(merging.template(made.folder, stage))
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made.archive, out / functions.CODE)
    (out / "template.json").write_text(template, "utf-8")
    click.echo(f"Wrote {out / 'template.json'} and {out / functions.CODE}: {_said(made)}.")


def _said(made: Build) -> str:
    size = made.size / MEGABYTE
    return f"{size:.1f} MB, {len(made.files)} files, SHA-256 {made.sha256}"
