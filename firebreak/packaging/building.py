"""The folder that Chalice deploys a stage from: `build/<stage>/`, made anew each time.

Chalice packs whatever lies beside `app.py`, and takes its configuration from there. Built aside, a
package holds what is shipped on purpose, and the clone stays as it is.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.errors import Invalid
from chalicelib.settings import FUNCTIONS, PREFIX
from firebreak.iam import Place, function_policy
from firebreak.iam.files import log_buckets, outdated, place_of, policy_file, wanted
from firebreak.packaging import archive, shipping
from firebreak.packaging.configuration import FILE, ROOT, stage_config
from firebreak.packaging.stage import StageConfig

MARK = ".firebreak-build"  # lies in each folder that may be made anew
OPEN = "${"  # begins what a template puts in: such a place is no account and no region yet


@dataclass(frozen=True, slots=True)
class Build:
    """Hold what was built: the folder, the archive in it, its hash and the names of its files."""

    folder: Path
    archive: Path
    sha256: str
    size: int
    files: tuple[str, ...]


def build(stage: str, place: Place, into: Path | None = None, root: Path = ROOT) -> Build:
    """Make everything that Chalice needs to deploy a stage to a place; return what was made.

    into: `build/<stage>` if not given. Raise Invalid with everything that is wrong, before anything
    is written; Failed where a package cannot be had.
    """
    config = stage_config(stage, root)
    files = shipping.files(root)
    completed = complete(config, place)
    _current(config, place, root)
    folder = (into or root / "build" / stage).resolve()
    _make_anew(folder)
    for name, path in files.items():
        _copy(path, folder / name)
    _write(folder / FILE, completed)
    buckets = log_buckets(config.environment)
    for function in FUNCTIONS:
        policy = function_policy(function, place, buckets)
        _write(folder / ".chalice" / policy_file(stage, function), policy)
    made = archive.make(folder)
    content = made.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Build(folder, made, digest, len(content), archive.names(made))


def _current(config: StageConfig, place: Place, root: Path) -> None:
    """Raise Invalid where a policy file says something else than what is derived and deployed.

    Its ARNs may leave account and region open. What somebody wrote into it by hand would be
    believed to hold, and does not.
    """
    buckets = log_buckets(config.environment)
    left_open = place_of(config.stage, config.environment, {})
    problems = [outdated(wanted(each, buckets), root) for each in (left_open, place)]
    if all(problems):
        how = f"write it anew with `firebreak iam --write --stage {config.stage}`"
        raise Invalid("\n".join(f"{each}: {how}" for each in problems[0]))


def complete(config: StageConfig, place: Place) -> dict[str, Any]:
    """Return the configuration of a stage alone, with the place that it is deployed to.

    Raise Invalid where the stage names another place.
    """
    environment = dict(config.environment)
    for name, value in (
        (f"{PREFIX}HOME_ACCOUNT", place.account),
        (f"{PREFIX}REGION", place.region),
    ):
        said = environment.setdefault(name, value)
        if said != value and not value.startswith(OPEN):
            where = f"{FILE}: stages.{config.stage}.environment_variables.{name}"
            raise Invalid(f"{where}: is {said}, but what is deployed to is {value}: take one")
    entry = {**config.entry, "environment_variables": environment}
    return {**config.document, "stages": {config.stage: entry}}


def _make_anew(folder: Path) -> None:
    """Make an empty folder. Raise Invalid where there is one that was not built here."""
    if folder.exists() and not (folder / MARK).is_file() and any(folder.iterdir()):
        raise Invalid(f"{folder}: is not empty, and was not built by Firebreak: give another")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("Made anew by each build.\n", "utf-8")
    for each in folder.iterdir():  # the mark stays: a run that dies here is finished by the next
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        elif each.name != MARK:
            each.unlink()


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
