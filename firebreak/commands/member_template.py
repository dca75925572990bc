"""`firebreak member-template`: print the template that member accounts get."""

from __future__ import annotations

import click

from firebreak import templates
from firebreak.commands.template import stage_option


@click.command("member-template")
@stage_option
def command(stage: str) -> None:
    """Print the template for member accounts, for StackSets or a single account.

    It makes the role that Firebreak acts in, and forwards the account's events. Nothing is read
    from AWS.
    """
    click.echo(templates.text(templates.build("member", templates.wanted(stage))), nl=False)
