"""A stage's entry in `.chalice/config.json`, read and checked before anything is built from it.

Chalice takes what it does not know for nothing and what it lacks for its own default: a function
that is misspelt runs with 60 seconds and 128 MB. So everything that can be wrong is said here.
https://aws.github.io/chalice/topics/configfile.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalicelib.errors import Invalid, Problem
from firebreak.packaging import checks
from firebreak.packaging.stage import StageConfig, within

ROOT = Path(__file__).resolve().parents[2]
FILE = ".chalice/config.json"


def stages(root: Path = ROOT) -> tuple[str, ...]:
    """Return the names of the stages that there are."""
    return tuple(within(document(root), "stages"))


def stage_config(stage: str, root: Path = ROOT) -> StageConfig:
    """Return what is configured for a stage. Raise Invalid with a line for each thing wrong."""
    config = unchecked(stage, root)
    _refuse(checks.problems(config, root))
    return config


def unchecked(stage: str, root: Path = ROOT) -> StageConfig:
    """Return a stage's entry as it stands. Raise Invalid where there is none of that name."""
    found = document(root)
    known = within(found, "stages")
    if stage not in known:
        _refuse([("stages", _absent(stage, known))])
    return StageConfig(stage, found)


def _refuse(found: list[tuple[str, str]]) -> None:
    if found:
        raise Invalid("\n".join(str(Problem(FILE, where, what)) for where, what in found))


def _absent(stage: str, known: Mapping[str, Any]) -> str:
    there = ", ".join(known) or "none"
    how = f"to add {stage}, copy the entry of one, and change its name wherever it stands in it"
    return f"there is no stage {stage!r:.60}: there is {there}; {how} (docs/deploy.md)"


# --- the file -------------------------------------------------------------------------------------


def document(root: Path = ROOT) -> Mapping[str, Any]:
    """Return the whole file. Raise Invalid where it cannot be read."""
    try:
        found = json.loads((root / FILE).read_text("utf-8"), object_pairs_hook=_once)
    except OSError as wrong:
        raise Invalid(f"{FILE}: cannot be read: {wrong.strerror}") from wrong
    except json.JSONDecodeError as wrong:
        where = f"line {wrong.lineno}, column {wrong.colno}"
        raise Invalid(f"{FILE}: {where}: is no JSON: {wrong.msg}") from wrong
    except ValueError as wrong:
        raise Invalid(f"{FILE}: {wrong}") from wrong
    if not isinstance(found, dict):
        raise Invalid(f"{FILE}: has to be one object, with app_name and stages")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that is given twice, of which JSON would keep the last in silence."""
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{twice[0]!r:.60} is given twice: keep one")
    return dict(pairs)
