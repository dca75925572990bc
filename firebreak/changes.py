"""The changes of a remediation as people name them at the desk: by key, or by a short id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.errors import InvalidSettings
from chalicelib.store import Effect, short_hash
from firebreak import render

SHORT = 8  # hex digits of a short id that are shown
LEAST = 4  # that are taken


def short_id(key: str) -> str:
    """Return the short id of a state-key."""
    return short_hash(key)[:SHORT]


def keys_of(made: Iterable[Effect], option: str, names: Sequence[str]) -> list[str]:
    """Return the state-keys of changes named by key, or by the beginning of their short id.

    Raise InvalidSettings, listing what is right, where a name is none or could be several.
    """
    keys = list(dict.fromkeys(e.key for e in made if e.kind == "change" and e.final is None))
    return list(dict.fromkeys(_key(keys, option, name) for name in names))


def _key(keys: Sequence[str], option: str, name: str) -> str:
    if name in keys:
        return name
    short = name.lower()
    found = [key for key in keys if len(name) >= LEAST and short_hash(key).startswith(short)]
    if len(found) == 1:
        return found[0]
    why = "could be several of its changes" if found else "is none of its changes"
    right = [f"  {short_id(key)}  {render.shown(key)}" for key in found or keys]
    listed = "\n".join(["right are", *right] if right else ["there are none to decide about"])
    raise InvalidSettings(f"{option}: {render.shown(name, 80)!r} {why}; {listed}")


def step_of(made: Iterable[Effect], step: str | None) -> str | None:
    """Return the step that is named. Raise InvalidSettings where it changed nothing."""
    steps = list(dict.fromkeys(e.step for e in made if e.kind == "change"))
    if step is None or step in steps:
        return step
    right = f"steps that did: {', '.join(steps)}" if steps else "no step did"
    raise InvalidSettings(f"--step: {render.shown(step, 80)!r} changed nothing; {right}")


def lines(row: Mapping[str, Any], decide: str) -> list[str]:
    """Return how one change fares; a conflict with its values, and the commands that decide it.

    decide: the command that rolls back, to which the decision is added.
    """
    reason = f"  {render.shown(row['reason'], 200)}" if row["reason"] else ""
    named = render.named(row["result"], 12)
    short = short_id(row["key"])
    shown = [f"{named}  {short}  {row['step']}  {render.shown(row['key'])}{reason}"]
    if row["result"] == "restored":
        shown.append(f"    {render.value(row['left'])} -> {render.value(row['before'])}")
    if row["result"] == "conflict":
        values = {"before": row["before"], "as left": row["left"], "now": row["live"]}
        shown += [f"    {name + ':':9}{render.value(value)}" for name, value in values.items()]
        shown.append(f"    leave it as it is now:  {decide} --keep {short}")
        shown.append(f"    put it back all the same:  {decide} --force {short}")
    return shown
