"""Tests of `firebreak iam`, in the project's own folder and in one made for the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib.errors import Invalid
from chalicelib.settings import FUNCTIONS
from firebreak.cli import firebreak
from firebreak.packaging import configuration

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(firebreak, ["iam", *arguments])


def printed(*arguments: str) -> dict[str, Any]:
    """Return what the command prints."""
    done = run(*arguments)
    assert 0 == done.exit_code, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a configuration of two stages."""
    variables = {
        "FIREBREAK_HOME_ACCOUNT": "111122223333",
        "FIREBREAK_REGION": "cn-north-1",
        "FIREBREAK_FIREWALL_LOG_BUCKETS": "logs, more-logs",
    }
    stages = {"dev": {}, "prod": {"environment_variables": variables}}
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice/config.json").write_text(json.dumps({"stages": stages}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(configuration, "ROOT", tmp_path)
    monkeypatch.delenv("FIREBREAK_STAGE", raising=False)
    return tmp_path


def test_the_committed_files_are_up_to_date() -> None:
    """What `firebreak iam --write` writes is what is committed."""
    assert (0, f"{len(FUNCTIONS)} policy files are up to date\n") == (
        run("--stage", "dev", "--check").exit_code,
        run("--stage", "dev", "--check").output,
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_outdated_file_is_named(project: Path, function: str) -> None:
    """A file that differs, is missing, or belongs to nothing fails the check with its name."""
    assert 0 == run("--stage", "dev", "--write").exit_code
    file = Path(f".chalice/policies/dev/{function}.json")
    file.write_text(file.read_text().replace("Allow", "Deny", 1))
    changed = run("--stage", "dev", "--check")
    file.rename(file.with_stem("former"))
    missing = run("--stage", "dev", "--check")

    assert (1, f"{file}: is out of date\n") == (changed.exit_code, changed.stdout)
    assert f"{file}: is missing\n" in missing.stdout
    assert f"{file.with_stem('former')}: belongs to no function\n" in missing.stdout


def test_writing_again_changes_nothing(project: Path) -> None:
    """What is up to date is not written."""
    run("--stage", "dev", "--write")

    assert (
        f"{len(FUNCTIONS)} of {len(FUNCTIONS)} were up to date\n"
        == run("--stage", "dev", "--write").output
    )


def test_files_say_where_they_hold(project: Path) -> None:
    """A stage's own account and region stand in its files; options go before them."""
    run("--stage", "prod", "--write")
    run("--stage", "dev", "--write")
    written = (project / ".chalice/policies/prod/sweep.json").read_text()
    left_open = (project / ".chalice/policies/dev/sweep.json").read_text()
    asked = json.dumps(printed("--stage", "prod", "--function", "sweep", "--account", "9" * 12))

    assert "arn:aws-cn:sns:cn-north-1:111122223333:firebreak-prod-notifications" in written
    assert "arn:aws:sns:*:*:firebreak-dev-notifications" in left_open
    assert "arn:aws-cn:sns:cn-north-1:999999999999:firebreak-prod-notifications" in asked


def test_the_buckets_of_a_stage_are_in_its_policy(project: Path) -> None:
    """The log buckets that a stage names are those that its function reads."""
    reading = {
        arn
        for each in printed("--stage", "prod", "--function", "ingest_firewall_logs")["Statement"]
        if "s3:GetObject" in each["Action"]
        for arn in each["Resource"]
    }

    assert {"arn:aws-cn:s3:::logs/*", "arn:aws-cn:s3:::more-logs/*"} == reading


def test_every_policy_is_printed_by_name(project: Path) -> None:
    """Without a choice, all policies are printed; a choice prints the very same."""
    every = printed("--stage", "dev")

    assert {*FUNCTIONS, "machines", "member", "boundary"} == set(every)
    for name in ("machines", "member", "boundary"):
        assert every[name] == printed("--stage", "dev", f"--{name}")
    assert every["sweep"] == printed("--stage", "dev", "--function", "sweep")
    assert printed("--stage", "dev", "--playbook", "report_root_usage")["Statement"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--stage", "test"),
            ".chalice/config.json: stages: there is no stage 'test': there is dev, prod",
        ),
        ((), "no stage: give --stage, one of dev, prod"),
        (("--stage", "dev", "--function", "x"), "function 'x': there are on_event, "),
        (("--stage", "dev", "--playbook", "x"), "playbook 'x': there are block_alerted_address, "),
        (("--stage", "dev", "--member", "--boundary"), "give one of --member, --boundary"),
        (("--stage", "dev", "--member", "--write"), "--write and --check stand alone"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    project: Path, arguments: tuple[str, ...], said: str
) -> None:
    """A stage, function or playbook that there is not is one line that names those there are."""
    wrong = run(*arguments).exception

    assert isinstance(wrong, Invalid)
    assert str(wrong).startswith(said)
    assert "\n" not in str(wrong)


def test_the_deployers_policies_are_printed(project: Path) -> None:
    """They are several, since one managed policy does not hold them; each has its statements."""
    policies = json.loads(run("--stage", "dev", "--deployer").stdout)

    assert 1 < len(policies)
    assert all(each["Statement"] for each in policies)
