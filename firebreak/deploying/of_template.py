"""A step that is one stack of one template, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.grants import Grant
from firebreak import templates
from firebreak.deploying import stacks
from firebreak.deploying.run import Deployment, Difference, Run
from firebreak.deploying.stacks import Stack


@dataclass(frozen=True, slots=True)
class OfTemplate:
    """Hold a template's name; the methods are what a step has."""

    name: str

    @property
    def permissions(self) -> tuple[Grant, ...]:
        """Return what the calls about the stack need."""
        return stacks.permissions(self.name)

    def plan(self, run: Deployment) -> list[Difference]:
        """Return what the stack would change."""
        return stacks.plan(run, self._stack(run))

    def apply(self, run: Deployment) -> list[Difference]:
        """Bring the stack in line."""
        return stacks.apply(run, self._stack(run))

    def standing(self, run: Run) -> list[Difference]:
        """Return the stack, where there is one."""
        return stacks.standing(run, f"{run.name}-{self.name}")

    def remove(self, run: Run) -> list[Difference]:
        """Delete the stack and what it holds."""
        return stacks.remove(run, f"{run.name}-{self.name}")

    def _stack(self, run: Deployment) -> Stack:
        return Stack(f"{run.name}-{self.name}", templates.build(self.name, run.wanted))
