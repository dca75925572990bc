"""`firebreak destroy`: a stage taken out of its account; what it must not lose stays."""

from __future__ import annotations

import click

from chalicelib.errors import Failed
from firebreak.commands.deploy import headline, lines, shaped, stage_of
from firebreak.connection import stage_option
from firebreak.deploying import leaving, preflight
from firebreak.deploying.alone import alone
from firebreak.deploying.going import told
from firebreak.deploying.preflight import Asked
from firebreak.deploying.run import Options, Run
from firebreak.packaging.configuration import ROOT


@click.command("destroy")
@click.option("--data", is_flag=True, help="Delete the tables and the deployment records as well.")
@click.option("--force", is_flag=True, help="Though something is contained: it stays so.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--expect-account", default="", callback=shaped, help="Refuse where the account is another."
)
@click.option("--take-over", is_flag=True, help="Take over from a deployment that died.")
@stage_option
def command(
    data: bool, force: bool, yes: bool, expect_account: str, take_over: bool, stage: str
) -> None:
    """Remove a stage: its functions, state machines and stacks.

    Tables, keys and the audit trail stay unless --data is given; the keys and the locked audit
    trail stay even then. Cut off half-way, it is finished by running it again.
    """
    options = Options(take_over=take_over)
    say = lambda line: click.echo(line, err=True)  # noqa: E731  # Chalice's own lines, as they come
    asked = Asked(stage_of(stage), ROOT, options, expect_account, say)
    with alone(asked.project, asked.stage):
        _destroy(asked, data=data, force=force, yes=yes)


def _destroy(asked: Asked, *, data: bool, force: bool, yes: bool) -> None:
    """Show what goes and what stays, ask, and remove it."""
    with told("preflight"):
        run = preflight.run_of(asked)
    click.echo(headline(run.stage, run.settings.home_account, run.settings.region, run.by))
    there = leaving.standing(run, data=data)
    if not there:
        click.echo(f"There is nothing of stage {run.stage} to remove.")
        return
    leaving.check(run, force=force)
    for each in there:
        for line in lines(each):
            click.echo(line)
    click.echo(_stays(run, data=data))
    if not yes and click.prompt(f"Type {run.stage} to remove it", default="") != run.stage:
        raise Failed("nothing was removed")
    for each in leaving.destroy(run, data=data):
        click.echo(f"{each.step:11} {len(each.differences)} removed")
    click.echo(f"Stage {run.stage} is gone.")


def _stays(run: Run, *, data: bool) -> str:
    settings = run.settings
    audit = (
        f"bucket {settings.audit_bucket} (nobody can delete its audit records before their time) "
        f"and the keys {settings.stage_key}, {settings.seal_key}"
    )
    if data:
        return f"Stays: {audit}; while they do, no stage of this name can be deployed here again."
    return f"Stays: both tables, deployment records, {audit}. To delete tables too: --data"
