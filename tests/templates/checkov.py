"""Run checkov over every template: `make lint-templates` does, with a checkov of its own venv.

checkov wants other versions of what Firebreak pins, so it is no part of the tests' environment.
https://www.checkov.io/
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from firebreak import templates
from tests.templates import exceptions
from tests.templates.exceptions import Found
from tests.templates.made import STAGE


def main(command: str) -> int:
    """Say what is found and not explained, or explained and not found; return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        told = _run(command, Path(folder))
    found = {_found(each) for each in told["results"]["failed_checks"]}
    wrong = exceptions.unexplained(found, exceptions.CHECKOV)
    for what, each in ((what, each) for what, some in wrong.items() for each in some):
        sys.stdout.write(f"{what}: {each.rule} {each.resource}\n")
    passed = told["summary"]["passed"]
    sys.stdout.write(f"checkov: {passed} checks passed, {len(found)} found and explained\n")
    return int(any(wrong.values()) or not passed)


def _run(command: str, folder: Path) -> dict[str, Any]:
    for name in templates.names():
        text = templates.text(templates.build(name, templates.wanted(STAGE)))
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    options = ("--framework", "cloudformation", "--output", "json", "--quiet", "--skip-download")
    done = subprocess.run(  # noqa: S603  # the checkov that make installed
        [command, *options, "--directory", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout.startswith("{"):
        raise SystemExit(f"checkov said: {done.stdout[:500]} {done.stderr[:500]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _found(check: dict[str, Any]) -> Found:
    """Return what was found, as exceptions name it: `/data.json`, `AWS::S3::Bucket.AuditBucket`."""
    resource = check["resource"].rpartition(".")[2]
    return Found(check["check_id"], f"{Path(check['file_path']).stem}.{resource}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
