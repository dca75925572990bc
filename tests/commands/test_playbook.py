import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib import playbook
from chalicelib.playbook import Playbook, schema
from firebreak.commands.playbook import command

GOOD = """
name: tell
title: Tell people
match: {source: [aws.guardduty]}
target: $.finding.resource
steps:
  - parallel:
      - {name: tell, action: notify, with: {subject: "Found {$.finding.title}"}}
      - name: more
        action: notify
        with: {subject: x, severity: 5}
        when: {finding: {role: [ACTOR]}}
        on_error: stop
examples:
  - {event: a/yes.json, expect: {decision: remediated}}
  - {event: a/no.json, expect: {decision: no_playbook}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one good playbook, and the events of its examples beside it."""
    events = tmp_path / "tests" / "events" / "a"
    events.mkdir(parents=True)
    for name in ("yes", "no"):
        (events / f"{name}.json").write_text("{}")
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "tell.yaml").write_text(GOOD)
    return tmp_path / "playbooks"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile to a machine that says whose it is."""

    def compiled(found: Playbook) -> dict[str, Any]:
        return {"Comment": found.name}

    workflow = ModuleType("chalicelib.workflow")
    workflow.compile = compiled  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "chalicelib.workflow", workflow)


def test_lint_of_the_projects_playbooks_finds_nothing() -> None:
    """Without paths, the project's own playbooks are checked."""
    result = run("lint")
    assert (result.exit_code, result.output) == (0, "No problems.\n")


def test_lint_writes_one_line_per_problem_and_fails(folder: Path) -> None:
    """Each problem is one line with file, path and cure; the exit status tells."""
    (folder / "tell.yaml").write_text(GOOD.replace("notify", "notfy").replace("a/no", "a/other"))
    result = run("lint", folder)
    assert result.exit_code == 1
    assert [line.split(": ")[1] for line in result.output.splitlines()] == [
        "examples[1].event",
        "steps[0].parallel[0].action",
        "steps[0].parallel[1].action",
    ]
    assert result.output.splitlines()[1].startswith(f"{folder / 'tell.yaml'}: ")


def test_lint_takes_files_and_the_place_of_events(folder: Path) -> None:
    """A file is checked by itself, against the events that are named."""
    assert run("lint", folder / "tell.yaml").exit_code == 0
    result = run("lint", folder / "tell.yaml", "--events", folder)
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 2


def test_lint_writes_json(folder: Path) -> None:
    """Machines get the same as a list, empty where nothing is wrong."""
    assert json.loads(run("lint", "--json", folder).output) == []
    (folder / "tell.yaml").write_text("a: [")
    result = run("lint", "--json", folder)
    assert result.exit_code == 1
    (problem,) = json.loads(result.output)
    assert problem["file"] == str(folder / "tell.yaml")
    assert "is no YAML" in problem["message"]


def test_lint_of_nothing_fails(tmp_path: Path) -> None:
    """A path that is not there is a problem, not a success."""
    result = run("lint", tmp_path / "nowhere.yaml")
    assert result.exit_code == 1
    assert "No such file" in result.output


def test_list_shows_name_mode_and_title(folder: Path) -> None:
    """One line for each playbook, and with --json an object."""
    assert run("list", "--folder", folder).output == "tell  observe  Tell people\n"
    (row,) = json.loads(run("list", "--json", "--folder", folder).output)
    assert row["steps"] == ["tell", "more"]
    assert row["mode"] == "observe"


def test_list_of_the_projects_playbooks_names_them_all() -> None:
    """Every file in playbooks/ is listed by the name it has."""
    names = [row["name"] for row in json.loads(run("list", "--json").output)]
    assert names == sorted(path.stem for path in playbook.FOLDER.glob("*.yaml"))


def test_list_of_unreadable_playbooks_says_why(folder: Path) -> None:
    """What cannot be loaded is told file by file, and fails."""
    (folder / "other.yaml").write_text("")
    result = run("list", "--folder", folder)
    assert result.exit_code == 1
    assert "other.yaml: is empty" in result.output


def test_show_says_what_a_playbook_does(folder: Path) -> None:
    """Match, guardrails and steps are shown, with what each action does and when it is run."""
    result = run("show", "tell", "--folder", folder)
    assert result.exit_code == 0
    for part in (
        "tell: Tell people",
        "mode: observe",
        "at the same time",
        'tell: notify(subject: "Found {$.finding.title}")',
        "Publish",
        'when {"finding": {"role": ["ACTOR"]}}',
        "on failure  keep",
    ):
        assert part in result.output


@pytest.mark.parametrize("name", sorted(path.stem for path in playbook.FOLDER.glob("*.yaml")))
def test_every_playbook_of_the_project_is_shown(name: str) -> None:
    """Showing works for whatever the project's playbooks hold."""
    assert run("show", name).output.startswith(f"{name}: ")


def test_show_of_no_playbook_names_the_near_ones(folder: Path) -> None:
    """A wrong name is answered with the right one."""
    result = run("show", "tel", "--folder", folder)
    assert result.exit_code == 1
    assert "tel is no playbook: did you mean tell?" in result.output


@pytest.mark.usefixtures("machines")
def test_compile_writes_a_machine(folder: Path) -> None:
    """One playbook goes to the output, several into a folder of files."""
    assert json.loads(run("compile", "tell", "--folder", folder).output) == {"Comment": "tell"}
    out = folder.parent / "out" / "machines"
    result = run("compile", "--all", "--out", out, "--folder", folder)
    assert result.exit_code == 0
    assert json.loads((out / "tell.asl.json").read_text()) == {"Comment": "tell"}


@pytest.mark.usefixtures("machines")
def test_compile_refuses_what_lint_refuses(folder: Path) -> None:
    """No machine is made of a playbook with problems."""
    (folder / "tell.yaml").write_text(GOOD.replace("subject: x", "subjct: x"))
    result = run("compile", "--all", "--folder", folder)
    assert result.exit_code == 1
    assert "did you mean subject?" in result.output


@pytest.mark.parametrize("arguments", [[], ["tell", "--all"], ["tell", "tell"]])
def test_compile_asks_for_names_or_all(folder: Path, arguments: list[str]) -> None:
    """What is to be compiled has to be clear."""
    assert run("compile", *arguments, "--folder", folder).exit_code == 2


def test_the_schema_is_written_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--check fails until the file is what the actions make of it."""
    monkeypatch.setattr(schema, "FILE", tmp_path / "playbook.schema.json")
    stale = run("schema", "--check")
    assert stale.exit_code == 1
    assert "out of date: run firebreak playbook schema" in stale.output
    assert run("schema").exit_code == 0
    assert run("schema", "--check").exit_code == 0
