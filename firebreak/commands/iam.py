"""`firebreak iam`: the policies of Firebreak's roles, derived from what the code declares."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from chalicelib.errors import InvalidSettings
from chalicelib.settings import FUNCTIONS
from firebreak import iam
from firebreak.iam import Place, files
from firebreak.iam.documents import text
from firebreak.packaging import configuration


@click.command("iam")
@click.option("--function", default="", metavar="NAME", help="The role of this function.")
@click.option("--member", is_flag=True, help="The role that is assumed in an account.")
@click.option("--boundary", is_flag=True, help="The permissions boundary of that role.")
@click.option("--machines", is_flag=True, help="The role of the state machines.")
@click.option("--deployer", is_flag=True, help="Whoever deploys and destroys: a list of policies.")
@click.option("--playbook", default="", metavar="NAME", help="What a playbook's steps need.")
@click.option("--stage", default="", help="FIREBREAK_STAGE if not given, or the only one.")
@click.option("--account", default="", help="The account in ARNs; * if nothing says.")
@click.option("--region", default="", help="The region in ARNs; * if nothing says.")
@click.option("--partition", default="", help="The partition in ARNs; the region's if not given.")
@click.option("--write", is_flag=True, help="Write the policy files of the stage's functions.")
@click.option("--check", is_flag=True, help="Name the policy files that are out of date.")
def command(
    function: str,
    member: bool,
    boundary: bool,
    machines: bool,
    deployer: bool,
    playbook: str,
    stage: str,
    account: str,
    region: str,
    partition: str,
    write: bool,
    check: bool,
) -> None:
    """Print the policies of a stage's roles: one, or without a choice all of them by name.

    They are derived: from what the functions are granted (chalicelib/grants.py), and from what
    actions, guardrails and finders declare. --write and --check are about the files that Chalice
    gives to functions, .chalice/policies/STAGE/FUNCTION.json; the exit status of --check is 1 where
    one is out of date.
    """
    name = _stage(stage)
    variables = configuration.unchecked(name, configuration.ROOT).environment
    given = {"account": account, "region": region, "partition": partition}
    place, buckets = files.place_of(name, variables, given), files.log_buckets(variables)
    roles = {"member": member, "boundary": boundary, "machines": machines, "deployer": deployer}
    choice = _choice(function, playbook, **roles)
    if write or check:
        _files(choice, files.wanted(place, buckets), write=write, check=check)
        return
    click.echo(text(_policy(choice, place, buckets)), nl=False)


def _stage(given: str) -> str:
    """Return the stage that is meant. Raise InvalidSettings where nothing says which."""
    name = given or os.environ.get("FIREBREAK_STAGE", "")
    known = configuration.stages(configuration.ROOT)
    if not name and len(known) != 1:
        raise InvalidSettings(f"no stage: give --stage, one of {', '.join(known)}")
    return name or known[0]


def _choice(function: str, playbook: str, **flags: bool) -> tuple[str, str]:
    """Return which policy is asked for: its kind and name. Raise InvalidSettings for several."""
    named = {"function": function, "playbook": playbook}
    chosen = [(kind, name) for kind, name in named.items() if name]
    chosen += [(kind, "") for kind, wanted in flags.items() if wanted]
    if len(chosen) > 1:
        raise InvalidSettings(f"give one of {', '.join(f'--{kind}' for kind, _ in chosen)}")
    return chosen[0] if chosen else ("", "")


def _policy(choice: tuple[str, str], place: Place, buckets: tuple[str, ...]) -> Any:
    kind, name = choice
    one: Mapping[str, Callable[[], Any]] = {
        "function": lambda: iam.function_policy(name, place, buckets),
        "playbook": lambda: iam.playbook_policy(name, place),
        "machines": lambda: iam.machine_policy(place),
        "member": lambda: iam.member_policy(place),
        "boundary": lambda: iam.member_boundary(place),
        "deployer": lambda: _deployer(place),
    }
    if kind:
        return one[kind]()
    every = {each: iam.function_policy(each, place, buckets) for each in FUNCTIONS}
    return every | {each: one[each]() for each in ("machines", "member", "boundary")}


def _deployer(place: Place) -> Any:
    """Return the deployer's policies, each as long as IAM takes one; all of them are needed."""
    from firebreak import templates
    from firebreak.iam.deployer import deployer_policies

    return deployer_policies(place, templates.wanted(place.stage))


def _files(choice: tuple[str, str], wanted: Mapping[Any, str], *, write: bool, check: bool) -> None:
    if choice[0] or (write and check):
        raise InvalidSettings("--write and --check stand alone: they are about all functions")
    if write:
        changed = files.write(wanted, configuration.ROOT)
        for file in changed:
            click.echo(f"wrote {file}")
        click.echo(f"{len(wanted) - len(changed)} of {len(wanted)} were up to date")
        return
    problems = files.outdated(wanted, configuration.ROOT)
    for line in problems:
        click.echo(line)
    if problems:
        click.echo("run firebreak iam --write", err=True)
        sys.exit(1)
    click.echo(f"{len(wanted)} policy files are up to date")
