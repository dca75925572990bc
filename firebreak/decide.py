"""What `firebreak approve` and `firebreak deny` share: the plan shown, the decision sent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from chalicelib import lifecycle
from chalicelib.errors import Failed, InvalidSettings
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation
from firebreak import api, render
from firebreak.connection import connect, stage_option
from firebreak.report import remediation

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def deciding(function: Decorated) -> Decorated:
    """Add the argument and options of a command that decides."""
    for decorate in (
        stage_option,
        click.option("--reason", default="", help="Why, for the audit trail."),
        click.option("--plan", default="", help="The hash of the plan that you were shown."),
        click.argument("identity", metavar="ID"),
    ):
        function = decorate(function)
    return function


def decide(identity: str, decision: str, plan: str, reason: str, stage: str) -> None:
    """Send a decision on a plan, by its hash; without one show the plan that waits, and ask.

    Raise Failed where it is not taken.
    """
    desk = connect(stage)
    if not plan:
        plan = _confirmed(desk, identity, decision)
    asked = {"decision": decision, "plan": plan, "reason": reason}
    answer = api.decide(desk, api.url_of(desk), api.own_credentials(), identity, asked)
    click.echo(f"{decision} by {render.shown(answer['by'])}: {render.shown(answer['message'])}")
    click.echo(f"look at it with: firebreak audit show {identity}")


def _confirmed(desk: Desk, identity: str, decision: str) -> str:
    """Show the plan that waits; return its hash once a person has agreed."""
    head = lifecycle.head_of(desk, identity)
    if head.phase != "wait" or head.decision:
        raise Failed(f"remediation {identity} waits for nobody: {_stands(head)}")
    if not at_a_terminal():
        raise InvalidSettings("give --plan HASH: there is no terminal to show the plan at and ask")
    for line in shown(desk, head):
        click.echo(line)
    verb = "Approve" if decision == "approved" else "Deny"
    if not click.confirm(f"{verb} this plan?"):
        raise Failed("nothing was decided")
    return str(head.plan["hash"])


def at_a_terminal() -> bool:
    """Say whether there is somebody to ask."""
    return sys.stdin.isatty()


def _stands(head: Remediation) -> str:
    if head.decision:
        return f"it is {lifecycle.said_of(head.decision)}"
    return f"it is {head.status}" if head.phase == "closed" else f"it is in its {head.phase} phase"


def shown(desk: Desk, head: Remediation) -> list[str]:
    """Return the plan that waits: why it asks, each call that would be made, the hash of it all.

    Raise Failed where what is stored is not what the hash stands for.
    """
    if lifecycle.planned(desk, head)[1] != head.plan.get("hash"):
        raise Failed(f"the plan of {head.id} is not the one of its hash: decide nothing")
    lines = render.remediation_lines(remediation(desk.tables, head), verbose=True)
    about = {
        "target": f"{head.target} in {head.account} {head.region}",
        "asks": head.why,
        "plan": str(head.plan["hash"]),
    }
    return [*lines, *(f"  {name}: {render.shown(text)}" for name, text in about.items() if text)]
