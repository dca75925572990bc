"""A package as a function starts it: unpacked, with Lambda's own modules beside it and no other."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from zipfile import ZipFile

LAMBDAS = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
PLACES = f"""
from importlib.util import find_spec
for name in {LAMBDAS}:
    print(find_spec(name).origin)
"""

# What functions do at their start, and where each of their modules comes from.
STARTED = """
import json, sys
import app
from chalicelib import functions, playbook, settings
from chalicelib.guardrails import configured
from chalicelib.log import note
from chalicelib.runner import resolving
stage = settings.from_environment(settings.defaults("dev", "1" * 12, "eu-west-1"))
resolving._check("id", "i-0123456789abcdef0", {"type": "string", "pattern": "^i-"})
note("notes", "started")
import yaml, rpds, boto3
boto3.client("ec2", region_name="eu-west-1")
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
print(json.dumps({
    "playbooks": sorted(playbook.load()),
    "unread": configured(stage).unread,
    "libyaml": yaml.__with_libyaml__,
    "functions": [name for name in settings.FUNCTIONS if callable(getattr(app, name))],
    "files": {name: path for name, path in files.items() if path},
}))
"""


def run_started(archive: Path, python: Path, into: Path) -> dict[str, Any]:
    """Unpack an archive, run it with a Python that sees no installed package, return what it says.

    Raise CalledProcessError with its output where it does not run.
    """
    task, beside = into / "task", into / "runtime"
    for folder in (task, beside):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    with ZipFile(archive) as found:
        found.extractall(task)
    for origin in _run([python, "-c", PLACES], {}).splitlines():
        path = Path(origin)
        path = path.parent if path.name == "__init__.py" else path
        (beside / path.name).symlink_to(path)
    environment = {"PYTHONPATH": f"{task}:{beside}", "PYTHONDONTWRITEBYTECODE": "1"}
    said: dict[str, Any] = json.loads(
        _run([python, "-S", "-c", STARTED], environment).splitlines()[-1]
    )
    return said


def _run(command: list[str | Path], environment: dict[str, str]) -> str:
    done = subprocess.run(  # noqa: S603  # an interpreter of ours, code of ours
        command, capture_output=True, text=True, cwd="/", env=environment, check=True
    )
    return done.stdout
