"""`firebreak deploy`: a stage put into the account and region that the credentials are of."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from typing import Any

import click

from chalicelib.errors import InvalidSettings
from firebreak import render
from firebreak.connection import stage_option
from firebreak.deploying import going, preflight
from firebreak.deploying.alone import alone
from firebreak.deploying.going import Done
from firebreak.deploying.preflight import Asked
from firebreak.deploying.run import Deployment, Options
from firebreak.packaging.configuration import ROOT

SIGNS = {"create": "+", "update": "~", "remove": "-", "keep": "="}
WIDTH = 200


SHAPES = {
    "expect_account": ("[0-9]{12}", "an account id has 12 digits"),
    "email": (r"[^@\s]+@[^@\s]+\.[^@\s]+", "is no e-mail address"),
    "organization": ("o-[a-z0-9]{10,32}", "an organisation's id is like o-a1b2c3d4e5"),
}


def shaped(_context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Return an option's value. Raise BadParameter where AWS could not take it for what it is."""
    pattern, wrong = SHAPES[str(parameter.name)]
    if value and not re.fullmatch(pattern, value):
        raise click.BadParameter(wrong)
    return value


@click.command("deploy")
@click.option("--plan", "looks", is_flag=True, help="Say what would change, and change nothing.")
@click.option(
    "--expect-account", default="", callback=shaped, help="Refuse where the account is another."
)
@click.option(
    "--email",
    default="",
    callback=shaped,
    help="Who is told; kept from the last deployment if not given.",
)
@click.option(
    "--organization",
    default="",
    callback=shaped,
    help="The organisation's id; looked up if not given.",
)
@click.option(
    "--audit-years", type=click.IntRange(1, 100), help="How long nobody can delete audit records."
)
@click.option(
    "--replace-failed-stack",
    is_flag=True,
    help="Delete a stack that failed to be made, with what it still holds.",
)
@click.option("--take-over", is_flag=True, help="Take over from a deployment that died.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for pipelines.")
@stage_option
def command(
    looks: bool,
    expect_account: str,
    email: str,
    organization: str,
    audit_years: int | None,
    replace_failed_stack: bool,
    take_over: bool,
    as_json: bool,
    stage: str,
) -> None:
    """Deploy a stage: stacks, functions, state machines, and what is attached to them.

    Each step is compared first, and changed where it differs; running it again changes nothing, and
    finishes what a run before it left undone. Exit status: 0 done, 1 an error; under --plan 0 for
    nothing to change, 2 for something.
    """
    options = Options(
        email=email,
        organization=organization,
        audit_years=audit_years or 0,
        replace_failed_stack=replace_failed_stack,
        take_over=take_over,
        looks=looks,
    )
    asked = Asked(stage_of(stage), ROOT, options, expect_account, _say)
    with alone(asked.project, asked.stage):
        with going.told("preflight"):
            run = preflight.deployment_of(asked)
        done = _followed(run, quiet=as_json)
    if as_json:
        click.echo(json.dumps(_document(run, done), indent=2, ensure_ascii=False))
    else:
        _end(run, done)
    if looks and any(each.changes for each in done):
        raise SystemExit(2)


def stage_of(stage: str) -> str:
    """Return the stage that is meant. Raise InvalidSettings where none is named."""
    stage = stage or os.environ.get("FIREBREAK_STAGE", "")
    if not stage:
        raise InvalidSettings("no stage: give --stage, or set FIREBREAK_STAGE")
    return stage


def _say(line: str) -> None:
    """Tell how it goes, beside what is written for pipelines."""
    click.echo(line, err=True)


def _followed(run: Deployment, *, quiet: bool) -> list[Done]:
    """Go through the steps, each shown when it has ended."""
    if not quiet:
        click.echo(headline(run.stage, run.settings.home_account, run.settings.region, run.by))
    followed = []
    for each in going.plan(run) if run.options.looks else going.deploy(run):
        followed.append(each)
        for line in () if quiet else lines(each):
            click.echo(line)
    return followed


def headline(stage: str, account: str, region: str, by: str) -> str:
    """Return what is worked on, and as whom."""
    return render.heading(f"stage {stage}, account {account}, region {region}, as {by}")


def lines(done: Done, nothing: str = "nothing to change") -> Iterable[str]:
    """Return a step and what it changes."""
    yield f"{done.step:11} {'' if done.differences else nothing}".rstrip()
    for each in done.differences:
        what = f": {each.what}" if each.what else ""
        yield f"  {SIGNS[each.kind]} {each.kind} {render.shown(each.name + what, WIDTH)}"


# --- the end --------------------------------------------------------------------------------------


def _end(run: Deployment, done: list[Done]) -> None:
    changes = sum(each.changes for step in done for each in step.differences)
    if not changes:
        click.echo("Nothing to change.")
    elif run.options.looks:
        click.echo(f"{changes} changes. Nothing was changed: run it without --plan.")
    else:
        click.echo(f"{changes} changes made.")
    for line in _following(run, done):
        click.echo(line)


def _following(run: Deployment, done: list[Done]) -> Iterable[str]:
    """Yield what to do next, once a stage was made."""
    created = [each.name for step in done for each in step.differences if each.kind == "create"]
    if run.options.looks or f"stack {run.name}-foundation" not in created:
        return
    yield ""
    yield "Next:"
    if run.options.email:
        yield f"  - {run.options.email} confirms the subscription, by the mail that SNS has sent"
    else:
        yield "  - nobody is told of anything yet: deploy with --email, or subscribe to the topic"
    account = run.settings.home_account
    yield f"  - member accounts: firebreak member-template --stage {run.stage} (also for {account})"
    yield f"  - look at the stage: firebreak status --stage {run.stage}"


def _document(run: Deployment, done: list[Done]) -> dict[str, Any]:
    return {
        "stage": run.stage,
        "account": run.settings.home_account,
        "region": run.settings.region,
        "plan": run.options.looks,
        "package": run.package,
        "changed": any(each.changes for each in done),
        "steps": [documented(each) for each in done],
        "next": [line.strip(" -") for line in _following(run, done) if line.startswith("  ")],
    }


def documented(done: Done) -> dict[str, Any]:
    """Return a step as JSON."""
    rows = [{"kind": e.kind, "name": e.name, "what": e.what} for e in done.differences]
    return {"step": done.step, "differences": rows}
