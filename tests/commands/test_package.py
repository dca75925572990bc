"""`firebreak package` and `chalice package`, as a pipeline runs them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from click.testing import CliRunner

from chalicelib.errors import Invalid
from chalicelib.settings import FUNCTIONS
from firebreak.cli import firebreak
from tests.packaging import clones

CHALICE = Path(sys.executable).with_name("chalice")
NOWHERE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}


def run(folder: Path, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a clone, without credentials."""
    return subprocess.run(  # noqa: S603  # our own interpreter
        command, capture_output=True, text=True, cwd=folder, env={**NOWHERE, **more}, check=False
    )


def package(folder: Path, out: Path, stage: str = "dev") -> subprocess.CompletedProcess[str]:
    """Run `firebreak package` in a clone."""
    command = [sys.executable, "-m", "firebreak.cli", "package", "--stage", stage, "--out", out]
    return run(folder, *command)


def test_a_stage_is_written_as_template_and_package(tmp_path: Path) -> None:
    """Both files are written, without credentials, and are the same from two clones."""
    made = []
    for name in ("one", "another one"):
        out = tmp_path / f"out of {name}"
        done = package(clones.clone(tmp_path / name), out)
        assert (0, "") == (done.returncode, done.stderr)
        archive = (out / "deployment.zip").read_bytes()
        assert f"SHA-256 {hashlib.sha256(archive).hexdigest()}." in done.stdout
        made.append((archive, (out / "template.json").read_text("utf-8")))

    assert made[0] == made[1]
    assert ["deployment.zip", "template.json"] == sorted(p.name for p in out.iterdir())
    template = json.loads(made[0][1])
    kinds = [resource["Type"] for resource in template["Resources"].values()]
    assert len(FUNCTIONS) == kinds.count("AWS::Serverless::Function")
    assert 2 == kinds.count("AWS::DynamoDB::Table")


def test_the_clone_stays_as_it_was(tmp_path: Path) -> None:
    """What is built lies elsewhere; no file is added to the project or changed in it."""
    clone = clones.clone(tmp_path / "clone")
    before = {path for path in clone.rglob("*") if "__pycache__" not in path.parts}
    done = package(clone, tmp_path / "out")

    assert 0 == done.returncode
    assert before == {path for path in clone.rglob("*") if "__pycache__" not in path.parts}


def test_what_is_wrong_is_said_without_a_traceback(tmp_path: Path) -> None:
    """A stage that is missing and a playbook that fails lint end it with what is right."""
    clone = clones.clone(tmp_path / "clone")
    missing = package(clone, tmp_path / "out", "prod")
    (clone / "guardrails.yaml").write_text("limits: 1\n", "utf-8")
    failing = package(clone, tmp_path / "out")

    assert (1, "") == (missing.returncode, missing.stdout)
    assert "no stage 'prod': there is dev" in missing.stderr
    assert (1, "") == (failing.returncode, failing.stdout)
    assert "guardrails.yaml: limits" in failing.stderr
    assert "Traceback" not in missing.stderr + failing.stderr
    assert not (tmp_path / "out").exists()


def test_stage_and_folder_are_asked_for(tmp_path: Path) -> None:
    """Neither is guessed; a file is no folder."""
    (tmp_path / "file").write_text("", "utf-8")

    assert 2 == CliRunner().invoke(firebreak, ["package", "--stage", "dev"]).exit_code
    assert 2 == CliRunner().invoke(firebreak, ["package", "--out", str(tmp_path)]).exit_code
    asked = ["package", "--stage", "dev", "--out", str(tmp_path / "file")]
    assert 2 == CliRunner().invoke(firebreak, asked).exit_code


def test_a_stage_of_no_name_is_refused(tmp_path: Path) -> None:
    """An empty name is the name of no stage."""
    done = CliRunner().invoke(firebreak, ["package", "--stage", "", "--out", str(tmp_path / "x")])

    assert isinstance(done.exception, Invalid)
    assert "no stage ''" in str(done.exception)


def test_chalice_packages_a_clone_by_itself(tmp_path: Path) -> None:
    """With the committed policy files, Chalice's own command works as in any Chalice project."""
    clone, out = clones.clone(tmp_path / "clone"), tmp_path / "out"
    done = run(clone, CHALICE, "package", "--stage", "dev", out, AWS_DEFAULT_REGION="eu-west-1")

    assert (0, "") == (done.returncode, done.stderr)
    template = json.loads((out / "sam.json").read_text("utf-8"))
    functions = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    assert len(FUNCTIONS) == len(functions)
    assert {"Active"} == {function["Tracing"] for function in functions}
    with ZipFile(out / "deployment.zip") as found:
        assert {"app.py", "guardrails.yaml", "playbooks/report_root_usage.yaml"} <= set(
            found.namelist()
        )
