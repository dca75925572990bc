"""What every file of the project keeps to; a new one is covered by being there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from chalicelib import playbook
from chalicelib.actions import actions
from chalicelib.permissions import iam_action
from chalicelib.settings import PREFIX, WANTED
from chalicelib.sources import sources
from firebreak.cli import firebreak

ROOT = Path(__file__).resolve().parents[1]
LAMBDA = sorted((ROOT / "chalicelib").rglob("*.py"))
ACTIONS = sorted(p for p in (ROOT / "chalicelib/actions").glob("*.py") if p.stem != "__init__")
LINTING = ("schema", "checks", "explain", "draft", "steps")
PURE = (
    "errors",
    "finding",
    "fields",
    "sources",
    "firewall_logs",
    "pattern",
    "paths",
    "playbook",
    "effect",
    "workflow",
    "audit",
    "durations",
    "text",
    "clock",
)


def imported(path: Path, *, at_top: bool = False) -> set[str]:
    """Return the modules that a file imports, all of them or those of its top level."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = tree.body if at_top else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", LAMBDA, ids=name_of)
def test_what_runs_in_lambda_does_not_import_the_desk(path: Path) -> None:
    """Nothing in chalicelib imports firebreak, moto, click or chalice."""
    roots = {module.split(".")[0] for module in imported(path)}

    assert set() == roots & {"firebreak", "moto", "click", "chalice", "pytest"}


@pytest.mark.parametrize(
    "path",
    [p for p in LAMBDA if p.relative_to(ROOT / "chalicelib").parts[0].removesuffix(".py") in PURE],
    ids=name_of,
)
def test_inner_modules_know_nothing_of_aws_clients(path: Path) -> None:
    """Values and pure functions import neither boto3 nor botocore, nor the modules that do."""
    modules = imported(path)
    outer = {"aws", "table", "store", "runner", "intake", "lifecycle", "wiring", "settings"}

    assert set() == {m.split(".")[0] for m in modules} & {"boto3", "botocore"}
    assert set() == {m.split(".")[1] for m in modules if m.startswith("chalicelib.")} & outer


@pytest.mark.parametrize("path", LAMBDA, ids=name_of)
def test_boto3_is_not_imported_before_it_is_needed(path: Path) -> None:
    """No module of the Lambda package imports boto3 or jsonschema at its top level."""
    if path.parent.name == "playbook" and path.stem in LINTING:
        pytest.skip("only linting loads this module")
    roots = {module.split(".")[0] for module in imported(path, at_top=True)}

    assert set() == roots & {"boto3", "jsonschema"}


@pytest.mark.parametrize("path", ACTIONS, ids=name_of)
def test_one_action_per_file_named_like_it(path: Path) -> None:
    """A file in actions/ registers one action of its own name, and has a test of that name."""
    tree = ast.parse(path.read_text("utf-8"))
    decorated = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(
            isinstance(d, ast.Call) and getattr(d.func, "id", "") == "action"
            for d in node.decorator_list
        )
    ]

    assert [path.stem] == decorated
    assert (ROOT / "tests/actions" / f"test_{path.stem}.py").is_file()


@pytest.mark.parametrize("name", list(actions()))
def test_an_action_declares_what_it_is(name: str) -> None:
    """An action says in a sentence what it does, describes its parameters, declares permissions."""
    action = actions()[name]

    assert action.summary.endswith(".")
    assert action.permissions
    assert all(re.fullmatch(r"[a-z0-9-]+:[A-Z][A-Za-z0-9]+", each) for each in action.permissions)
    assert all("description" in schema for schema in action.params.values())


@pytest.mark.parametrize("path", ACTIONS, ids=name_of)
def test_actions_leave_logging_retrying_and_calling_to_the_runner(path: Path) -> None:
    """An action imports neither logging nor clients, and catches no broad exception."""
    source = path.read_text("utf-8")
    roots = {module.split(".")[0] for module in imported(path)}

    assert set() == roots & {"boto3", "logging", "structlog", "time"}
    assert "except Exception" not in source


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "chalicelib").rglob("*.py")) + sorted((ROOT / "firebreak").rglob("*.py")),
    ids=name_of,
)
def test_exceptions_are_caught_by_name(path: Path) -> None:
    """No handler is bare or catches Exception."""
    handlers = [
        n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.ExceptHandler)
    ]
    lines = path.read_text("utf-8").splitlines()
    broad = [
        handler.lineno
        for handler in handlers
        if (handler.type is None or getattr(handler.type, "id", "") == "Exception")
        and "noqa: BLE001" not in lines[handler.lineno - 1]  # there with its reason
    ]

    assert [] == broad


def test_every_playbook_is_valid_and_has_examples() -> None:
    """Every shipped playbook loads without a problem, and shows what matches and what does not."""
    loaded = playbook.load(ROOT / "playbooks", validate=True)

    assert {p.stem for p in (ROOT / "playbooks").glob("*.yaml")} == set(loaded)
    for each in loaded.values():
        decisions = {example.decision for example in each.examples}
        assert "no_playbook" in decisions
        assert decisions - {"no_playbook"}


def test_every_source_has_a_test_and_events() -> None:
    """A source has a test of its name, and recorded events."""
    for name in sources():
        assert (ROOT / "tests/sources" / f"test_{name}.py").is_file()
        assert list((ROOT / "tests/events" / name).glob("*.json"))


def test_the_readme_lists_what_exists() -> None:
    """The README names every action and every shipped playbook."""
    readme = (ROOT / "README.md").read_text("utf-8")

    assert [] == [name for name in actions() if f"`{name}`" not in readme]
    assert [] == [
        p.stem for p in (ROOT / "playbooks").glob("*.yaml") if f"`{p.stem}`" not in readme
    ]


def test_the_docs_name_every_command_and_setting() -> None:
    """Each command stands in the README or below docs/; docs/settings.md has each variable."""
    texts = [(ROOT / "README.md").read_text("utf-8")]
    texts += [path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))]
    said = "\n".join(texts)
    settings = (ROOT / "docs/settings.md").read_text("utf-8")

    assert [] == [
        name
        for name in firebreak.list_commands(click.Context(firebreak))
        if not re.search(rf"(firebreak |make |`){name}\b", said)
    ]
    assert [] == [name for name in WANTED if f"`{PREFIX}{name}`" not in settings]


def test_iam_actions_are_known_for_what_actions_declare() -> None:
    """A declared permission is one that some API call needs: its service is one IAM knows."""
    prefixes = {
        permission.split(":")[0] for a in actions().values() for permission in a.permissions
    }

    assert prefixes <= {
        "autoscaling",
        "ec2",
        "elasticloadbalancing",
        "iam",
        "lambda",
        "network-firewall",
        "rds",
        "s3",
        "servicequotas",
        "sns",
    }
    assert ("iam:UpdateAccessKey",) == iam_action("iam", "update_access_key")


def test_app_is_imported_without_environment_and_without_aws() -> None:
    """Chalice imports app.py to package it: no environment, no boto3, no playbook is needed."""
    code = (
        "import sys, app; "
        "print(sorted({'boto3', 'jsonschema', 'structlog', 'yaml', 'moto'} & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603  # our own interpreter, our own code
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env={}, check=True
    )

    assert "[]" == done.stdout.strip()


def test_nothing_unfinished_is_left() -> None:
    """No source file holds a mark of unfinished work."""
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError")
    desk = [p for p in (ROOT / "firebreak").rglob("*.py") if "cloud" not in p.parts]
    files = [*LAMBDA, *desk, ROOT / "app.py"]  # the embedded AWS says what it does not embed

    assert [] == [name_of(p) for p in files if marks.search(p.read_text("utf-8"))]
