"""`firebreak demo`: one finding from event to containment and back, told step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from chalicelib import lifecycle, log, sources, wiring
from chalicelib.audit import verify
from chalicelib.errors import InvalidSettings
from chalicelib.finding import Finding
from chalicelib.sources import Reading
from firebreak import explain, render, scene
from firebreak.commands.audit import line
from firebreak.event_files import events
from firebreak.replay import (
    LATER,
    Options,
    is_log,
    load_playbooks,
    roll_back,
    settle,
    world,
)
from firebreak.report import Delivered, report
from firebreak.stage import Stage

EVENT = Path(__file__).parents[2] / "tests" / "events" / "guardduty" / "crypto_currency_ec2.json"


@click.command("demo")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=EVENT)
def command(path: Path) -> None:
    """Replay one finding and show everything: event, match, plan, steps, before and after, undo."""
    log.silence()
    event, reading = _one_finding(path)
    known = load_playbooks(None)
    with world(known, Options()) as stage:
        for text in told(stage, path, event, reading):
            click.echo(text)


def _one_finding(path: Path) -> tuple[Mapping[str, Any], Reading]:
    """Return the event of a file and what it says. Raise InvalidSettings where it is not one."""
    found = events([path])
    if len(found) != 1 or found[0].unreadable or is_log(found[0].value):
        raise InvalidSettings(f"{path}: the demo tells of one event; use firebreak replay")
    reading = sources.read(found[0].value)
    if len(reading.findings) != 1:
        raise InvalidSettings(f"{path}: holds {len(reading.findings)} findings, not one")
    return found[0].value, reading


def told(stage: Stage, path: Path, event: Mapping[str, Any], reading: Reading) -> Iterator[str]:
    """Yield the story of one event, as it happens."""
    (finding,) = reading.findings
    yield from _event(path, finding)
    matches = list(explain.matches(stage.playbooks, reading))
    yield from matches or ["\nNo playbook matches: nothing would be done."]
    if not matches:
        return
    stage.admit_account(finding.account)
    stage.provide_machines(stage.playbooks)
    made = scene.make(stage.cloud, finding, auto_scaling=finding.resource.kind == "instance")
    yield render.heading("\nWhat stands in the embedded AWS")
    yield from (f"  {text}" for text in made.made)
    yield from _plan(stage, reading)
    before = scene.describe(stage.cloud, finding)
    yield render.heading("\nThe state machine runs")
    stage.followers.append(_follow)
    delivered = _deliver(stage, reading)
    stage.followers.remove(_follow)
    yield from _steps(stage, path, delivered)
    yield from _compared(before, scene.describe(stage.cloud, finding))
    for identity in _ids(delivered):
        yield from _audit(stage, identity)
        if lifecycle.head_of(stage.desk, identity).phase != "closed":
            yield "\nThe machine waits for a person; nothing was changed."
            return
        yield from _undone(stage, identity)
    yield from _compared(
        before, scene.describe(stage.cloud, finding), "Before, and after the roll-back"
    )


def _event(path: Path, finding: Finding) -> Iterator[str]:
    yield render.heading(f"An event from AWS ({path.name})")
    yield from render.table(
        [
            {"what": "finding", "state": finding.type},
            {"what": "title", "state": finding.title},
            {"what": "severity", "state": f"{finding.severity:g} of 10"},
            {"what": "account, region", "state": f"{finding.account}, {finding.region}"},
            {"what": "resource", "state": f"{finding.resource.kind} {finding.resource.id}"},
            {
                "what": "remote",
                "state": ", ".join(finding.values("address") + finding.values("domain")),
            },
        ]
    )


def _deliver(stage: Stage, reading: Reading) -> Delivered:
    answers = stage.cloud.emit(dict(reading.envelope))
    settle(stage)
    decisions = tuple(d for answer in answers for d in answer.get("decisions", []))
    return Delivered(reading.findings, decisions, ())


def _plan(stage: Stage, reading: Reading) -> Iterator[str]:
    """Yield what would be done, by a run of the same machine in observe mode."""
    observing = replace(stage.desk, settings=replace(stage.settings, mode="observe"))
    ours = wiring.ours
    wiring.ours = lambda: observing  # type: ignore[assignment]  # put back below
    try:
        delivered = _deliver(stage, reading)
    finally:
        wiring.ours = ours
    yield render.heading("\nThe plan: the exact calls, none of them made yet")
    for remediation in report(stage, "", delivered).remediations:
        for step in remediation["steps"]:
            why = "" if step["status"] == "planned" else render.shown(step["reason"], 100)
            yield f"  {step['name']} ({step['action']}) {why}"
            mine = [change for change in remediation["changes"] if change["step"] == step["name"]]
            yield from (f"      {text}" for change in mine for text in render.change_lines(change))


def _follow(name: str, event: Any, answer: Any) -> None:
    """Show a step as its function answers."""
    if name == "run_step" and event.get("do") == "step":
        click.echo(f"  {render.named(answer['status'], 15)} {event['step']}")


def _steps(stage: Stage, path: Path, delivered: Delivered) -> Iterator[str]:
    replayed = report(stage, path.name, delivered)
    yield render.heading("\nWhat was done")
    for remediation in replayed.remediations:
        yield from render.remediation_lines(remediation)
    yield f"  decision: {render.named(replayed.decision)}"


def _compared(
    before: list[dict[str, Any]], after: list[dict[str, Any]], title: str = "Before and after"
) -> Iterator[str]:
    yield render.heading(f"\n{title}")
    then = {row["what"]: row["state"] for row in before}
    now = {row["what"]: row["state"] for row in after}
    for what in dict.fromkeys([*then, *now]):
        was, state = then.get(what, "absent"), now.get(what, "gone")
        same = "(unchanged)" if state == was else f"-> {render.shown(str(state), 70)}"
        yield f"  {render.shown(what, 70)}: {render.shown(str(was), 70)} {same}"


def _audit(stage: Stage, identity: str) -> Iterator[str]:
    records = stage.desk.tables.records(identity)
    yield render.heading(f"\nThe audit trail of {identity}")
    yield from (f"  {line(record)}" for record in records)
    yield f"  {len(records)} records, chain {verify(records)}"


def _undone(stage: Stage, identity: str) -> Iterator[str]:
    yield render.heading("\nTo take it all back")
    yield f"  firebreak rollback {identity}"
    yield "  in a deployed stage. This world ends with the demo: here it is done, two days later."
    stage.desk.clock.sleep(LATER)
    roll_back(stage, identity)
    for row in lifecycle.head_of(stage.desk, identity).undo["results"]:
        yield f"    {render.named(row['result'], 14)} {render.shown(row['key'], 100)}"


def _ids(delivered: Delivered) -> list[str]:
    return list(dict.fromkeys(d["remediation"] for d in delivered.decisions if d["remediation"]))
