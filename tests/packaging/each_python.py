"""Build the package with each Python that Lambda has and Firebreak supports: `make test-package`.

The package of a function is of one Python: its compiled modules are. Each that is installed gets an
environment of its own in `build/`, with nothing in it but what building needs; what is built runs
with that Python alone.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click

from tests.packaging.clones import ROOT
from tests.packaging.started import run_started

VERSIONS = ("3.11", "3.12", "3.13")
NOT_NEEDED = ("moto", "cryptography")  # the embedded AWS
BUILT = """
import sys
from pathlib import Path
from firebreak.iam import Place
from firebreak.packaging import build
made = build("dev", Place("aws", "111122223333", "eu-west-1", "dev"), Path(sys.argv[1]))
print(made.archive, made.size, len(made.files))
"""


def main() -> int:
    """Build and run with each; return 1 where one fails or none is installed."""
    found = {version: _interpreter(version) for version in VERSIONS}
    passed = failed = 0
    for version, python in found.items():
        if python is None:
            click.echo(f"Python {version}: not installed, skipped")
            continue
        try:
            click.echo(f"Python {version}: {_built(version, python)}")
            passed += 1
        except subprocess.CalledProcessError as wrong:
            click.echo(f"Python {version}: failed\n{wrong.stdout}{wrong.stderr}", err=True)
            failed += 1
    click.echo(f"{passed} passed, {failed} failed, {len(found) - passed - failed} skipped")
    return int(failed > 0 or passed == 0)


def _interpreter(version: str) -> Path | None:
    """Return a Python of a version that runs: on the path, or one of pyenv's."""
    ours = [sys.executable] if version == f"{sys.version_info[0]}.{sys.version_info[1]}" else []
    named = shutil.which(f"python{version}")
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for path in [*ours, *([named] if named else []), *pyenv]:
        done = subprocess.run(  # noqa: S603  # an interpreter by its own name
            [path, "-c", "import venv, sys; print(sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.stdout.strip() == str(tuple(map(int, version.split(".")))):
            return Path(path)
    return None


def _built(version: str, python: Path) -> str:
    """Build with a Python, run what was built, and say what it is."""
    place = ROOT / "build" / f"python{version}"
    own = place / "venv/bin/python"
    if not own.exists():
        _run(python, "-m", "venv", place / "venv")
    desk = (ROOT / "requirements-desk.txt").read_text("utf-8").splitlines()
    wanted = [line for line in desk if line and line[0] != "#" and not line.startswith(NOT_NEEDED)]
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(own, *pip, "-r", ROOT / "requirements.txt", *wanted)
    archive, size, files = _run(own, "-c", BUILT, place / "dev").rsplit(maxsplit=2)
    tag = f"python{version}.zip"
    if not archive.endswith(tag):
        raise subprocess.CalledProcessError(1, archive, f"{archive} is not named {tag}", "")
    started = run_started(Path(archive), own, place)
    return f"{int(size) / 1_000_000:.1f} MB, {files} files, {len(started['playbooks'])} playbooks"


def _run(*command: str | Path) -> str:
    done = subprocess.run(  # noqa: S603  # an interpreter of ours, code of ours
        command, capture_output=True, text=True, cwd=ROOT, check=True
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
