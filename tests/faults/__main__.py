"""Run the fault proof: `python -m tests.faults`; what did not hold is listed, to be run again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import click

from app import app
from chalicelib.effect import canonical_text
from chalicelib.log import silence
from tests.faults import forks, looking
from tests.faults.fields import Case, Field, cases, prepared
from tests.faults.kinds import KINDS
from tests.faults.points import APPLY, UNDO, Point, Whole, points, up_to_roll_back, warmed, whole
from tests.faults.runs import Result, run


@dataclass(frozen=True, slots=True)
class Chosen:
    """Say which fault points are run: those of a name, every n-th, or so many of each playbook."""

    playbook: str = ""
    event: str = ""
    call: int | None = None
    fault: str = ""
    every: int = 1
    again: int = 1
    sample: int = 0
    jobs: int = 1

    def cases(self) -> list[Case]:
        """Return the cases that are run; of a sample, each playbook's first."""
        found = [c for c in cases() if self.playbook in c.playbook and self.event in c.event]
        first = {case.playbook: case for case in reversed(found)}
        return [case for case in found if not self.sample or first[case.playbook] == case]

    def points(self, all_points: Sequence[Point], turn: int, *, first: bool) -> list[Point]:
        """Return the points that are run; a sample goes from kind to kind, case by case.

        first: whether the case is its playbook's first.
        """
        named = [
            each
            for each in all_points
            if self.call in (None, each.call) and self.fault in ("", each.kind)
        ]
        if not self.sample:
            every = self.every if first else self.every * self.again
            return named[turn % every :: every]
        kinds = list(KINDS)
        places = [len(named) * n // self.sample for n in range(self.sample)]
        return [
            _from(named, place, kinds[(turn * self.sample + n) % len(kinds)])
            for n, place in enumerate(places)
        ]


def _from(points: Sequence[Point], place: int, kind: str) -> Point:
    """Return the first point of a kind from a place on, from the beginning where there is none."""
    return next(p for p in (*points[place:], *points) if p.kind == kind)


@click.command()
@click.option("--playbook", default="", help="Only playbooks of this name.")
@click.option("--event", default="", help="Only events of this name.")
@click.option("--call", type=int, help="Only the call of this number.")
@click.option("--fault", default="", help="Only faults of this kind.")
@click.option("--every", default=1, help="Every n-th point of each case.")
@click.option("--again", default=1, help="Every n-th of those for a playbook's further events.")
@click.option("--sample", default=0, help="So many points of each playbook.")
@click.option("--jobs", default=os.cpu_count() or 1, help="Runs at a time.")
@click.option("--count", is_flag=True, help="Only count the points.")
@click.option("--verbose", is_flag=True, help="List the points that held, too.")
def main(count: bool, verbose: bool, **chosen: object) -> None:
    """Make every AWS call of every shipped playbook fail, and check what holds then."""
    silence()
    app.log.disabled = True  # Chalice tells of each fault that reaches the route
    began, held, total = time.monotonic(), 0, 0
    for result in results(Chosen(**chosen), count=count):  # type: ignore[arg-type]
        total += 1
        held += not result.problems
        if result.problems or verbose:
            click.echo(f"{'held' if not result.problems else 'NOT HELD'}: {result.point}")
            click.echo("".join(f"  {problem}\n" for problem in (*result.problems, result.status)))
    if not total and not count:
        click.echo("no fault point is of this name")
    click.echo(f"{total} fault points, {held} held ({time.monotonic() - began:.0f} s)")
    raise SystemExit(held < total or not (total or count))


def results(chosen: Chosen, *, count: bool = False) -> Iterator[Result]:
    """Run the chosen fault points; yield what did not hold of each."""
    proven = set[str]()
    for turn, case in enumerate(chosen.cases()):
        if not chosen.sample:  # for few runs it does not pay
            warmed(case)
        with prepared(case) as field:
            plain = forks.one(partial(whole, field, canonical_text(looking.live(field))))
            wanted = chosen.points(points(case, plain), turn, first=case.playbook not in proven)
            proven.add(case.playbook)
            told = f"{len(wanted)} fault points at {len(plain.calls)} calls"
            click.echo(f"{case.playbook} {case.event}: {told}")
            if not count:
                yield from _run(field, plain, wanted, chosen.jobs)


def _run(field: Field, plain: Whole, wanted: Sequence[Point], jobs: int) -> Iterator[Result]:
    """Run points from a copy of the world each: of before the event, or of before its roll-back."""
    for begins in (APPLY, UNDO):
        now = [each for each in wanted if each.run == begins]
        if begins == UNDO and now:
            up_to_roll_back(field)
        for point, found in forks.each(partial(run, field, plain), now, jobs):
            died = isinstance(found, forks.Died)
            yield Result(point, (str(found),)) if died else found


if __name__ == "__main__":
    main()
