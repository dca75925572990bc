from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.errors import Invalid
from chalicelib.settings import FUNCTIONS
from firebreak.iam import Place, function_policy
from firebreak.packaging import Build, build, building
from tests.packaging import clones

CHALICE = Path(sys.executable).with_name("chalice")


def test_the_folder_is_complete_for_the_place(built: Build, place: Place) -> None:
    """What is built has the stage's own configuration with its place, and exact policies."""
    document = clones.config(built.folder)
    stage = document["stages"]["dev"]

    assert ["dev"] == list(document["stages"])
    assert {
        "FIREBREAK_STAGE": "dev",
        "FIREBREAK_HOME_ACCOUNT": place.account,
        "FIREBREAK_REGION": place.region,
    } == stage["environment_variables"]
    for function in FUNCTIONS:
        path = built.folder / ".chalice" / stage["lambda_functions"][function]["iam_policy_file"]
        assert function_policy(function, place) == json.loads(path.read_text("utf-8"))


def test_a_policy_that_says_something_else_is_refused(place: Place, tmp_path: Path) -> None:
    """What somebody wrote into a policy file by hand is not silently passed over."""
    clone = clones.clone(tmp_path / "clone")
    path = clone / ".chalice/policies/dev/on_event.json"
    path.write_text(path.read_text("utf-8").replace("dynamodb:Query", "dynamodb:Scan"), "utf-8")
    with pytest.raises(Invalid, match="is out of date: write it anew with") as wrong:
        build("dev", place, tmp_path / "built", clone)

    assert 1 == len(str(wrong.value).splitlines())
    assert not (tmp_path / "built").exists()


def test_playbooks_are_copied_not_linked(built: Build) -> None:
    """Links of the clone are files in what is built."""
    assert [] == [path for path in built.folder.rglob("*") if path.is_symlink()]
    assert (built.folder / "vendor/playbooks/report_root_usage.yaml").is_file()


def test_the_same_project_has_the_same_package(built: Build, place: Place, tmp_path: Path) -> None:
    """Another folder, other permissions, other times and compiled files change no byte."""
    before = os.umask(0o077)
    try:
        other = clones.clone(tmp_path / "a folder elsewhere")
        for path in sorted((other / "chalicelib").rglob("*.py")):
            os.utime(path, (1_000_000_000, 1_000_000_000))
        compiled = [sys.executable, "-m", "compileall", "-q", str(other / "chalicelib")]
        subprocess.run(compiled, check=True)  # noqa: S603  # our own interpreter
        again = build("dev", place, tmp_path / "built", other)
    finally:
        os.umask(before)

    assert built.files == again.files
    assert built.sha256 == again.sha256


def test_chalice_takes_the_archive_for_its_own(built: Build, tmp_path: Path) -> None:
    """Chalice, run in what was built, deploys this archive and packs none itself."""
    done = subprocess.run(  # noqa: S603  # our own interpreter
        [CHALICE, "package", "--stage", "dev", tmp_path / "out"],
        capture_output=True,
        text=True,
        cwd=built.folder,
        env={**os.environ, "AWS_DEFAULT_REGION": "eu-west-1", "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )

    assert "Reusing existing deployment package." in done.stdout
    assert built.archive.read_bytes() == (tmp_path / "out/deployment.zip").read_bytes()


def test_a_folder_of_somebody_else_is_left_alone(clone: Path, place: Place, tmp_path: Path) -> None:
    """What was built is made anew; a folder that holds something else is refused."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/mine.txt").write_text("mine", "utf-8")

    with pytest.raises(Invalid, match="is not empty, and was not built by Firebreak"):
        build("dev", place, tmp_path / "notes", clone)
    assert "mine" == (tmp_path / "notes/mine.txt").read_text("utf-8")


def test_what_was_built_is_made_anew(clone: Path, place: Place) -> None:
    """Nothing of an earlier build stays in the folder of the stage."""
    folder = build("dev", place, root=clone).folder
    (folder / "chalicelib/left_over.py").write_text("", "utf-8")
    (clone / "playbooks/report_root_usage.yaml").unlink()
    again = build("dev", place, root=clone)

    assert (clone / "build/dev", clone / "build/dev") == (folder, again.folder)
    assert "chalicelib/left_over.py" not in again.files
    assert "playbooks/report_root_usage.yaml" not in again.files
    assert [again.archive] == list((folder / ".chalice/deployments").iterdir())


def test_a_build_that_died_while_it_emptied_the_folder_is_no_obstacle(
    clone: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at any moment of it, the folder still counts as one that was built here."""
    folder = clone / "build" / "dev"
    (folder / ".chalice").mkdir(parents=True)
    (folder / building.MARK).write_text("", "utf-8")
    (folder / "app.py").write_text("of a build before", "utf-8")
    monkeypatch.setattr(building.shutil, "rmtree", died)
    with pytest.raises(KeyboardInterrupt):
        building.build("dev", place, root=clone)
    monkeypatch.undo()

    assert building.build("dev", place, root=clone).folder == folder


def died(path: Path, **_: object) -> None:
    """Remove what is removed first, and die."""
    for each in sorted(path.iterdir() if path.is_dir() else ()):
        if each.is_file():
            each.unlink()
    raise KeyboardInterrupt


def test_a_stage_of_another_account_is_not_built(clone: Path, place: Place) -> None:
    """Where the stage names its account, another is refused before anything is written."""
    document = clones.config(clone)
    document["stages"]["dev"]["environment_variables"]["FIREBREAK_HOME_ACCOUNT"] = "9" * 12
    clones.write_config(clone, document)

    with pytest.raises(Invalid, match=f"is {'9' * 12}, but what is deployed to is {place.account}"):
        build("dev", place, root=clone)
    assert not (clone / "build").exists()


def test_a_project_that_is_wrong_is_not_built(clone: Path, place: Place) -> None:
    """What lint says stops the build, and what was built before stays as it was."""
    (clone / "guardrails.yaml").write_text("limits: 1\n", "utf-8")

    with pytest.raises(Invalid, match=r"guardrails\.yaml: limits"):
        build("dev", place, root=clone)
    assert not (clone / "build").exists()
