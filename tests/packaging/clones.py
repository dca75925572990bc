"""Clones of the project, as far as building a package needs them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".chalice", "chalicelib", "firebreak", "playbooks", "tests/events")
FILES = ("app.py", "guardrails.yaml", "requirements.txt")
LEFT = shutil.ignore_patterns("__pycache__", "deployments", "deployed")


def clone(to: Path) -> Path:
    """Return a clone of the project in a new folder."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, to / name, ignore=LEFT)
    for name in FILES:
        shutil.copyfile(ROOT / name, to / name)
    (to / "vendor").mkdir()
    for name in ("playbooks", "guardrails.yaml"):
        (to / "vendor" / name).symlink_to(f"../{name}")
    return to


def config(root: Path) -> dict[str, Any]:
    """Return what a clone's `.chalice/config.json` says."""
    said: dict[str, Any] = json.loads((root / ".chalice/config.json").read_text("utf-8"))
    return said


def write_config(root: Path, document: Any) -> None:
    """Write a clone's `.chalice/config.json`: a text as it is."""
    text = document if isinstance(document, str) else json.dumps(document, indent=2)
    (root / ".chalice/config.json").write_text(text, "utf-8")
