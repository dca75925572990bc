"""What people read of a replay: events, plans, steps, changes, the audit trail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from chalicelib import lifecycle
from chalicelib.effect import canonical_text
from chalicelib.text import one_line
from firebreak.report import Replayed

COLOURS = {
    "remediated": "green",
    "planned": "cyan",
    "awaiting_approval": "yellow",
    "denied": "yellow",
    "failed": "red",
    "rejected": "magenta",
    "done": "green",
    "skipped": "bright_black",
    "not_applicable": "bright_black",
    "refused": "yellow",
    "restored": "green",
    "conflict": "red",
}
NOTHING = "nothing to call, it is so already:"
WIDTH = 150
WHOLE = 4_000  # characters of a call's parameters, where they are asked for


def named(word: str, width: int = 0) -> str:
    """Return a status in its colour."""
    return click.style(word.ljust(width), fg=COLOURS.get(word))


def heading(text: str) -> str:
    """Return a heading."""
    return click.style(text, bold=True)


def line(replayed: Replayed) -> str:
    """Return one event on one line."""
    name = "/".join(Path(replayed.event).parts[-2:])
    books = ", ".join(r["playbook"] for r in replayed.remediations)
    return "  ".join(
        part
        for part in (named(replayed.decision, 18), name, books, shown(replayed.reason, 100))
        if part
    )


def summary(replayed: list[Replayed]) -> str:
    """Return how many events came to which decision."""
    counts = Counter(each.decision for each in replayed)
    parts = [f"{count} {named(decision)}" for decision, count in sorted(counts.items())]
    return f"\n{len(replayed)} events: {', '.join(parts)}"


def event(replayed: Replayed, *, verbose: bool = False) -> str:
    """Return one event whole: what was found, what was decided, what was done."""
    lines = [heading(replayed.event)]
    lines += [f"  {finding_line(finding)}" for finding in replayed.findings]
    decision = f"  {named(replayed.decision)}"
    lines.append(decision + (f": {shown(replayed.reason)}" if replayed.reason else ""))
    for remediation in replayed.remediations:
        lines += remediation_lines(remediation, verbose=verbose)
    audit = replayed.audit
    lines.append(f"  audit: {audit['records']} records, chain {audit['chain']}")
    return "\n".join(lines)


def finding_line(finding: Mapping[str, Any]) -> str:
    """Return a finding on one line."""
    place = f"{finding['account']} {finding['region']}"
    return shown(
        f"{finding['type']} (severity {finding['severity']:g}) on {finding['resource']} in {place}"
    )


def remediation_lines(remediation: Mapping[str, Any], *, verbose: bool = False) -> list[str]:
    """Return a remediation: its steps, and under each what it changed."""
    lines = [f"  {heading(remediation['playbook'])}  {remediation['id']}  {remediation['status']}"]
    if remediation["plan"] and remediation["status"] == "wait":
        lines.append(f"    plan {remediation['plan']}")
    if remediation["decision"]:
        lines.append(f"    {shown(lifecycle.said_of(remediation['decision']))}")
    for step in remediation["steps"]:
        reason = f"  {shown(step['reason'], 100)}" if step["reason"] else ""
        name = f"{step['name']}[{step['index']}]" if step["index"] else step["name"]
        lines.append(f"    {named(step['status'], 15)} {name} ({step['action']}){reason}")
        mine = [each for each in remediation["changes"] if _of(step, each)]
        lines += [
            f"        {text}" for change in mine for text in change_lines(change, verbose=verbose)
        ]
    for row in remediation["undo"]:
        lines.append(
            f"    {named(row['result'], 15)} {shown(row['key'], 90)} {shown(row['reason'], 60)}"
        )
    return lines


def _of(step: Mapping[str, Any], change: Mapping[str, Any]) -> bool:
    """Say whether a change is of a step, and of the same item of it."""
    return bool(change["step"] == step["name"] and change["index"] == step["index"])


def change_lines(change: Mapping[str, Any], *, verbose: bool = False) -> list[str]:
    """Return one change: the call, and what its element showed before and after."""
    call = f"{change['service']}.{change['operation']}" if change["service"] else NOTHING
    if change["state"] in ("failed", "intent"):
        return [f"{named('failed')} {call}  {shown(change['element'].split('/', 2)[-1], 90)}"]
    line = f"{call}  {shown(change['element'], 90)}"
    if change["kind"] not in ("message", "evidence", "fixture"):
        states = f"{value(change['before'])} -> {value(change['after'])}"
        line = f"{call}  {shown(change['element'].split('/', 2)[-1], 90)}: {states}"
    if not verbose or not change["params"]:
        return [line]
    return [line, f"    {shown(canonical_text(change['params']), WHOLE)}"]


def value(what: Any) -> str:
    """Return a value of AWS's on one short line."""
    return "absent" if what is None else shown(canonical_text(what), 60)


def shown(text: str, limit: int = WIDTH) -> str:
    """Return text from outside as one line that hides nothing and cannot steer a terminal."""
    return one_line(text, limit)


def table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return rows of `what` and `state`, aligned."""
    pairs = [(shown(str(row["what"]), 60), shown(str(row["state"]), 90)) for row in rows]
    width = max((len(what) for what, _ in pairs), default=0)
    return [f"  {what.ljust(width)}  {state}" for what, state in pairs]
