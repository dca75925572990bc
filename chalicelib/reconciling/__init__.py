"""What events and executions left undone is found, and repaired or reported: a file per finder.

To add a finder, add a module with `ORDER` (what is urgent comes first), `PERMISSIONS` (what its own
session in an account may do) and `find(run)`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Protocol, TypeVar, cast

from chalicelib import remembering, telling
from chalicelib.aws import Place
from chalicelib.effect import JSON
from chalicelib.errors import Corrupt
from chalicelib.playbook import Playbook
from chalicelib.policy import reading_policy
from chalicelib.remembering import Matter
from chalicelib.runner.calling import PROBLEMS
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation, get_remediation, listing, short_hash

LISTED = 50  # of what was found that the answer names, by finder
Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Run:
    """Hold one finder's part of a run: what it works with, and until when.

    owner: the request that leases are taken under. found: what was repaired or reported, in words;
    failed: what could not be. corrupt: what is stored and is not what Firebreak wrote.
    """

    desk: Desk
    playbooks: Mapping[str, Playbook]
    owner: str
    until: float
    found: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    corrupt: set[str] = field(default_factory=set)

    @property
    def by(self) -> dict[str, JSON]:
        """Return whom records name."""
        return {"function": "reconcile", "request": self.owner}

    @property
    def now(self) -> float:
        """Return the time, in seconds since 1970."""
        return self.desk.clock.seconds()

    @property
    def over(self) -> bool:
        """Say whether the finder's time is up; the next run goes on."""
        return self.now >= self.until

    def each(self, things: Iterable[Thing], name: str, do: Callable[[Thing], object]) -> None:
        """Do something with each thing while there is time; one that fails holds up no other."""
        for thing in things:
            if self.over:
                return
            try:
                do(thing)
            except PROBLEMS as problem:
                if isinstance(problem, Corrupt):
                    self.corrupt.add(str(problem))
                which = getattr(thing, "sk", None) or getattr(thing, "id", None) or thing
                self.failed.append(f"{name} {which!s:.100}: {type(problem).__name__}: {problem}")

    def client(self, service: str, account: str, permissions: tuple[str, ...]) -> Any:
        """Return a client that may do this in an account, in the stage's region, and no more."""
        region = self.desk.settings.region
        policy = reading_policy(permissions, region)
        return self.desk.access.client(
            Place(account, region, policy, "firebreak-reconcile"), service
        )

    def accounts(self) -> tuple[str, ...]:
        """Return the accounts that are known by their ids: home, administrators, those listed."""
        settings = self.desk.settings
        known = (settings.home_account, *settings.administrators, *settings.accounts)
        return tuple(dict.fromkeys(each for each in known if each != "*"))

    def open(self) -> list[Remediation]:
        """Return the heads of what is not closed, or is on the list though it is."""
        found: list[Remediation] = []

        def add(identity: str) -> None:
            head = get_remediation(self.desk.tables, identity)
            found.extend([head] if head else [])

        self.each(
            (item.sk for item in listing.entries(self.desk.tables, listing.OPEN)), "head", add
        )
        return found


class Finder(Protocol):
    """Describe what a module in this folder offers."""

    ORDER: int
    PERMISSIONS: tuple[str, ...]

    def find(self, run: Run) -> None:
        """Find what is wrong; repair or report it."""


@cache
def finders() -> Mapping[str, Finder]:
    """Return the modules of this folder by name, the most urgent first."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    found = {name: cast(Finder, import_module(f"{__name__}.{name}")) for name in names}
    return dict(sorted(found.items(), key=lambda each: each[1].ORDER))


def permissions() -> tuple[str, ...]:
    """Return what the finders' sessions need of the role in an account."""
    return tuple(sorted({each for finder in finders().values() for each in finder.PERMISSIONS}))


def reconcile(
    desk: Desk, playbooks: Mapping[str, Playbook], owner: str, until: float
) -> dict[str, Any]:
    """Let every finder look; return what each found, and what failed.

    until: when to stop. Each gets an equal part of what is left, so that none is kept from its turn
    by those before it.
    """
    found: dict[str, list[str]] = {}
    failed: list[str] = []
    waiting = len(finders())
    for name, finder in finders().items():
        now = desk.clock.seconds()
        run = Run(desk, playbooks, owner, now + max(0.0, until - now) / waiting)
        run.each([run], name, finder.find)
        waiting -= 1
        if run.found:
            found[name] = run.found[:LISTED]
        failed += run.failed
        for problem in sorted(run.corrupt):
            _report(run, problem)
    return {"found": found, "failed": failed}


def _report(run: Run, problem: str) -> None:
    """Tell once of what is stored and cannot be right: nobody can repair it but a person."""
    chain = f"problem-{short_hash(problem)}"
    matter = Matter(problem, chain, "corrupt", {"reason": problem})
    remembering.once(run.desk, matter, run.by, lambda: telling.corrupt(run.desk, problem, chain))
