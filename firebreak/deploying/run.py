"""What every step of a deployment works with, and what it finds to change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.playbook import Playbook
from chalicelib.runner.work import Desk
from chalicelib.settings import Settings
from firebreak.deploying.application import Application
from firebreak.templates import Wanted

KEEP = "keep"  # what would go, but stays for a reason: no change


@dataclass(frozen=True, slots=True)
class Difference:
    """Say what would be changed, or was: `create`, `update`, `remove` or `keep`; which; how."""

    kind: str
    name: str
    what: str = ""

    @property
    def changes(self) -> bool:
        """Say whether anything is changed by it."""
        return self.kind != KEEP


@dataclass(frozen=True, slots=True)
class Options:
    """Hold what a command was told.

    email, organization, audit_years: parameters of the stacks; those in use where not given.
    looks: nothing is changed; change sets are made to be read, and deleted again.
    """

    email: str = ""
    organization: str = ""
    audit_years: int = 0
    replace_failed_stack: bool = False
    take_over: bool = False
    looks: bool = False


@dataclass(frozen=True)
class Run:
    """Hold the stage that is worked on, where it is, as whom, and whom to tell."""

    desk: Desk
    by: str
    options: Options
    project: Path
    say: Callable[[str], None]

    @property
    def settings(self) -> Settings:
        """Return the stage's settings."""
        return self.desk.settings

    @property
    def stage(self) -> str:
        """Return the stage's name."""
        return self.settings.stage

    @property
    def name(self) -> str:
        """Return what the names of all that the stage has begin with."""
        return f"firebreak-{self.stage}"

    def client(self, service: str) -> Any:
        """Return a client in the stage's account and region."""
        return self.desk.access.home(service)

    def arn(self, service: str, resource: str, *, account: bool = True, region: bool = True) -> str:
        """Return the ARN of something of the stage."""
        place = self.settings
        where = (place.region if region else "", place.home_account if account else "")
        return f"arn:{place.partition}:{service}:{':'.join(where)}:{resource}"


@dataclass(frozen=True)
class Deployment(Run):
    """Hold what is to be deployed besides.

    folder: where the package was built. package: the hash of its archive.
    """

    folder: Path
    package: str
    application: Application
    playbooks: Mapping[str, Playbook]
    wanted: Wanted
