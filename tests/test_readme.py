"""What the README tells a reader to do, done."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firebreak.cli import firebreak

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Write the README's playbook into a folder of its own."""
    (block,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    text = re.sub(r"^ {3}", "", block, flags=re.MULTILINE)
    (tmp_path / "tag_port_probe.yaml").write_text(text, "utf-8")
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(firebreak, [str(each) for each in arguments])


def test_the_playbook_of_the_readme_has_no_problems(mine: Path) -> None:
    """The playbook passes lint as the README shows it."""
    result = run("playbook", "lint", mine, "--events", ROOT / "tests" / "events")

    assert "No problems." == result.output.strip(), result.output


def test_the_playbook_of_the_readme_is_replayed(mine: Path) -> None:
    """The replay tags the instance of the event and tells people."""
    event = ROOT / "tests" / "events" / "guardduty" / "port_probe.json"

    result = run("replay", event, "--playbooks", mine, "--json")
    (replayed,) = json.loads(result.stdout)

    assert "remediated" == replayed["decision"], replayed
    assert ["mark", "tell"] == [step["name"] for step in replayed["remediations"][0]["steps"]]
    assert "ec2" == replayed["remediations"][0]["changes"][0]["service"]
    assert "port probe" == replayed["remediations"][0]["changes"][0]["after"]


def test_every_command_of_the_readme_exists() -> None:
    """Each `firebreak` command line of README and docs names commands and options that exist."""
    texts = [README, *(path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md"))]
    lines = {
        line
        for text in texts
        for line in re.findall(r"firebreak ((?:replay|playbook|audit|rollback|demo)[^`\n#]*)", text)
    }
    for line in lines:
        words = [
            word for word in line.split() if word.startswith("--") or re.fullmatch("[a-z|]+", word)
        ]
        command = words[0]
        help_text = run(command, "--help").output
        subcommands = (
            words[1].split("|") if command in ("audit", "playbook") and len(words) > 1 else []
        )
        for name in subcommands:
            assert name in help_text, line
            help_text += run(command, name, "--help").output
        for option in (word for word in words if word.startswith("--")):
            assert option in help_text, (line, option)
