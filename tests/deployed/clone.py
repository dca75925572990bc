"""A clone of the project, as a platform team has one: its own stage, playbooks and guardrails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
STAGE = "night"  # not the one that is committed: what a team does first is add its own
CLEAN = ("AWS_", "FIREBREAK_", "MOTO_")


@dataclass(frozen=True, slots=True)
class Done:
    """Hold what a command came to."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Clone:
    """Hold a clone, and the environment in which its owner works."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *words: str, given: str = "") -> Done:
        """Run a `firebreak` command in the clone, in a process of its own."""
        return self._run([sys.executable, "-m", "firebreak.cli", *words], given)

    def chalice(self, *words: str) -> Done:
        """Run a command of Chalice in the clone, as without Firebreak's own."""
        start = "from chalice.cli import main; main()"
        return self._run([sys.executable, "-c", start, *words])

    def _run(self, command: list[str], given: str = "") -> Done:
        done = subprocess.run(  # noqa: S603  # our own interpreter, our own code
            command,
            cwd=self.folder,
            env=dict(self.environment),
            input=given,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def must(self, *words: str, given: str = "") -> str:
        """Run a command that has to succeed; return what it printed."""
        done = self.run(*words, given=given)
        assert done.status == 0, f"firebreak {' '.join(words)}\n{done.out}\n{done.err}"
        return done.out

    def playbook(self, name: str) -> dict[str, Any]:
        """Return one of the clone's playbooks."""
        text = (self.folder / "playbooks" / f"{name}.yaml").read_text("utf-8")
        loaded: dict[str, Any] = yaml.safe_load(text)
        return loaded

    def write_playbook(self, document: Mapping[str, Any]) -> None:
        """Put a playbook into the clone."""
        path = self.folder / "playbooks" / f"{document['name']}.yaml"
        path.write_text(yaml.safe_dump(dict(document), sort_keys=False), "utf-8")


def clone(folder: Path, url: str, key: Mapping[str, str], region: str, **variables: str) -> Clone:
    """Make a clone with a stage of its own, owned by whom the key is of.

    variables: of the functions' environment, such as FIREBREAK_ADMINISTRATORS.
    """
    for name in _files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target, follow_symlinks=False)
    _add_stage(folder / ".chalice" / "config.json", variables)
    inherited = {n: v for n, v in os.environ.items() if not n.startswith(CLEAN)}
    environment = {
        **inherited,
        **key,
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": str(folder),
    }
    return Clone(folder, environment)


def _files() -> list[str]:
    """Return what a clone has: what git tracks here, and what it would."""
    asked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603  # git, on our own folder
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def _add_stage(path: Path, variables: Mapping[str, str]) -> None:
    """Add a stage as the documentation says: copy `dev`, and change its name."""
    config = json.loads(path.read_text("utf-8").replace("policies/dev/", f"policies/{STAGE}/"))
    entry = config["stages"].pop("dev")
    entry["environment_variables"] |= {"FIREBREAK_STAGE": STAGE, **variables}
    config["stages"] = {STAGE: entry}
    path.write_text(json.dumps(config, indent=2), "utf-8")
