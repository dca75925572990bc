"""`firebreak audit`, against a stage in the embedded AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chalicelib import playbook
from firebreak.cli import firebreak
from firebreak.cloud import Cloud
from firebreak.event_files import events
from firebreak.replay import HOME, Options, replay_in
from firebreak.stage import Stage, staged

EVENT = Path(__file__).parents[1] / "events/guardduty/stolen_access_key_user.json"
PLAYBOOKS = playbook.load(playbook.FOLDER)


@pytest.fixture
def remediation() -> Iterator[tuple[Stage, str]]:
    """Give a stage with one remediation in it, and its id."""
    with Cloud(HOME) as cloud, staged(cloud, PLAYBOOKS) as stage:
        (event,) = events([EVENT])
        told = replay_in(stage, event, Options())
        yield stage, told.remediations[0]["id"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(firebreak, [str(each) for each in arguments])


def test_a_chain_is_shown_and_verified(remediation: tuple[Stage, str]) -> None:
    """Each record is a line, and the last line says whether the chain holds."""
    result = run("audit", "show", remediation[1])

    assert 0 == result.exit_code
    assert "intent" in result.output
    assert result.output.strip().endswith("chain valid")


def test_an_export_is_verified_anywhere(remediation: tuple[Stage, str], tmp_path: Path) -> None:
    """What export writes, verify reads; an altered, dropped or doubled record is found."""
    file = tmp_path / "audit.jsonl"
    run("audit", "export", "--out", file)
    lines = file.read_text("utf-8").splitlines()
    forged = lines[2].replace('"what":{', '"what":{"forged":1},"what":{')
    attempts = {
        "whole": lines,
        "altered": [*lines[:2], lines[2].replace('"at":"2', '"at":"3'), *lines[3:]],
        "dropped": [*lines[:2], *lines[3:]],
        "doubled": [*lines[:3], lines[2], *lines[3:]],
        "twice the key": [*lines[:2], forged, *lines[3:]],
    }
    found = {}
    for name, kept in attempts.items():
        file.write_text("\n".join(kept), "utf-8")
        found[name] = run("audit", "verify", "--file", file).exit_code

    assert {name: int(name != "whole") for name in attempts} == found


def test_the_table_is_verified(remediation: tuple[Stage, str]) -> None:
    """Where nothing is kept outside, every chain of the table is verified, and that is said."""
    result = run("audit", "verify")

    assert 0 == result.exit_code
    assert "only the chains of the table are verified" in result.output
    assert "0 broken" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", "show", "nothing"],
        ["audit", "verify", "nothing"],
        ["rollback", "0" * 24],
        ["rollback", "0" * 24, "--plan"],
    ],
)
def test_what_does_not_exist_is_one_clear_line(
    remediation: tuple[Stage, str], arguments: list[str]
) -> None:
    """An unknown chain or remediation is named, and nothing is changed."""
    result = run(*arguments)

    assert 0 != result.exit_code
    assert arguments[-1 if "--plan" not in arguments else -2] in str(result.exception)


def test_json_lines_are_records(remediation: tuple[Stage, str]) -> None:
    """With --json each line is a record with its hash."""
    lines = run("audit", "show", remediation[1], "--json").output.splitlines()

    assert list(range(1, len(lines) + 1)) == [json.loads(line)["seq"] for line in lines]
