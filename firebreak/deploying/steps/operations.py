"""What is attached to the functions: mappings, failure destinations, alarms, dashboard."""

from __future__ import annotations

from firebreak import templates
from firebreak.deploying import stacks
from firebreak.deploying.run import Deployment, Difference, Run
from firebreak.deploying.stacks import Stack

ORDER = 50
NAME = "operations"
PERMISSIONS = stacks.permissions(NAME)


def plan(run: Deployment) -> list[Difference]:
    """Return what the stack would change."""
    return stacks.plan(run, _stack(run))


def apply(run: Deployment) -> list[Difference]:
    """Bring the stack in line."""
    return stacks.apply(run, _stack(run))


def _stack(run: Deployment) -> Stack:
    return Stack(f"{run.name}-{NAME}", templates.build(NAME, run.wanted))


def standing(run: Run) -> list[Difference]:
    """Return the stack, where there is one."""
    return stacks.standing(run, f"{run.name}-{NAME}")


def remove(run: Run) -> list[Difference]:
    """Delete the stack and what it holds."""
    return stacks.remove(run, f"{run.name}-{NAME}")
