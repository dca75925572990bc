"""`firebreak template`: print a CloudFormation template."""

from __future__ import annotations

import click

from firebreak import templates

stage_option = click.option(
    "--stage",
    default="dev",
    envvar="FIREBREAK_STAGE",
    show_default=True,
    help="The stage; FIREBREAK_STAGE if not given.",
)


@click.command("template")
@click.argument("name")
@stage_option
def command(name: str, stage: str) -> None:
    """Print a template of a stage: data, foundation, operations, member or firewall_logs.

    firewall_logs_member is the other end of firewall_logs. Nothing is read from AWS.
    """
    click.echo(templates.text(templates.build(name, templates.wanted(stage))), nl=False)
