"""`firebreak guardrails`: what is wrong with a file, and what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib.guardrails import FILE, shape
from firebreak.cli import firebreak

ACCOUNT, UNIT = "123456789012", "ou-ab12-cdef3456"
HOUR = {"count": 5, "per": "1h"}
WHOLE = {
    "exempt": {
        "accounts": [ACCOUNT],
        "resources": ["arn:aws:ec2:*:*:instance/i-0abc*", "arn:aws:s3:::logs-*"],
        "principals": ["arn:aws:iam::*:user/break-glass-*", "Responder"],
    },
    "modes": {"accounts": {"9" * 12: "enforce"}, "organizational_units": {UNIT: "observe"}},
    "limits": {
        "total": HOUR,
        "account": HOUR,
        "kind": {"iam_role": HOUR},
        "share": {"instance": {"percent": 20, "of": "vpc", "per": "24h"}},
    },
}


def lint(folder: Path, document: Any) -> Result:
    file = folder / "guardrails.yaml"
    file.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    return CliRunner().invoke(firebreak, ["guardrails", "lint", str(file)])


def test_a_whole_file_is_right(tmp_path: Path) -> None:
    """Everything that can be said, said rightly, has no problem, and is shown."""
    assert (0, "No problems.\n") == (
        (result := lint(tmp_path, WHOLE)).exit_code,
        result.output,
    )
    shown = CliRunner().invoke(firebreak, ["guardrails", "show", str(tmp_path / "guardrails.yaml")])
    assert "percent: 20" in shown.output
    assert "ou-ab12-cdef3456: observe" in shown.output


def test_the_projects_own_file_is_right_and_packaged() -> None:
    """The shipped file has no problem, and lies where Chalice packages it from."""
    assert "No problems.\n" == CliRunner().invoke(firebreak, ["guardrails", "lint"]).output
    assert FILE.samefile(FILE.parent / "vendor" / "guardrails.yaml")
    assert shape.text() == shape.SCHEMA_FILE.read_text("utf-8")


PROBLEMS: list[tuple[Any, str, str]] = [
    ({"exmpt": {}}, "exmpt", "did you mean exempt?"),
    ({"exempt": {"account": []}}, "exempt.account", "did you mean accounts?"),
    ({"exempt": {"accounts": [123456789012]}}, "exempt.accounts[0]", "has to be a text"),
    ({"exempt": {"accounts": ["1234"]}}, "exempt.accounts[0]", "12-digit account id"),
    ({"exempt": {"accounts": [ACCOUNT, ACCOUNT]}}, "exempt.accounts", "account ids"),
    ({"exempt": {"resources": ["i-0abc"]}}, "exempt.resources[0]", "an ARN"),
    ({"exempt": {"resources": ["arn:aws:ec2:*:*:*"]}}, "exempt.resources[0]", "exempt all of them"),
    ({"exempt": {"resources": ["arn:aws:s3:::*"]}}, "exempt.resources[0]", "exempt all of them"),
    ({"exempt": {"principals": ["*"]}}, "exempt.principals[0]", "exempt all of them"),
    ({"exempt": {"principals": ["arn:aws:iam::*:user/*"]}}, "exempt.principals[0]", "all of them"),
    ({"exempt": {"principals": ["arn:aws:s3:::b"]}}, "exempt.principals[0]", "a user or role"),
    ({"modes": {"accounts": {"12": "observe"}}}, "modes.accounts.12", "is not a 12-digit"),
    ({"modes": {"accounts": {ACCOUNT: "off"}}}, f"modes.accounts.{ACCOUNT}", "one of observe"),
    ({"modes": {"organizational_units": {"r-ab12": "observe"}}},
     "modes.organizational_units.r-ab12", "such as ou-ab12-cdef3456"),
    ({"exempt": {"accounts": [ACCOUNT]}, "modes": {"accounts": {ACCOUNT: "observe"}}},
     f"modes.accounts.{ACCOUNT}", "is exempt already"),
    ({"limits": {"total": {"count": 0, "per": "1h"}}}, "limits.total.count", "at least 1"),
    ({"limits": {"total": {"count": 10**6, "per": "1h"}}}, "limits.total.count", "at most 1000"),
    ({"limits": {"total": {"count": 1, "per": "0h"}}}, "limits.total.per", "more than nothing"),
    ({"limits": {"total": {"count": 1}}}, "limits.total.per", "is missing"),
    ({"limits": {"account": {"count": 1, "per": "hour"}}}, "limits.account.per", "such as 30s"),
    ({"limits": {"account": {"count": 1, "per": "900d"}}}, "limits.account.per", "than a year"),
    ({"limits": {"kind": {"instnce": HOUR}}}, "limits.kind.instnce", "did you mean instance or"),
    ({"limits": {"share": {"bucket": {}}}}, "limits.share.bucket", "is not known here"),
    ({"limits": {"share": {"instance": {"percent": 0, "of": "vpc", "per": "1h"}}}},
     "limits.share.instance.percent", "at least 1"),
    ({"limits": {"share": {"instance": {"percent": 101, "of": "vpc", "per": "1h"}}}},
     "limits.share.instance.percent", "at most 100"),
    ({"limits": {"share": {"instance": {"percent": 5, "of": "region", "per": "1h"}}}},
     "limits.share.instance.of", "one of vpc"),
    ({"limits": {"share": {"instance": {"percent": 5, "of": "vpc", "per": "0s"}}}},
     "limits.share.instance.per", "more than nothing"),
    ("", "", "is empty: write exempt, modes and limits"),
    ("a: [", "", "is no YAML"),
    ("modes: {accounts: {123456789012: observe}}", "", "write it in quotes"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "path", "right"), PROBLEMS)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, document: Any, path: str, right: str
) -> None:
    """Each problem is one line: the file, where in it, and what would be right."""
    result = lint(tmp_path, document)
    (line,) = result.output.splitlines()

    assert 1 == result.exit_code
    assert line.startswith(f"{tmp_path / 'guardrails.yaml'}: {path}")
    assert right in line


def test_every_problem_is_said(tmp_path: Path) -> None:
    """Nobody has to lint again to learn of the next mistake."""
    wrong = {"limits": {"total": {"count": 0, "per": "0s"}}, "modes": {"accounts": {"1": "no"}}}

    assert 4 == len(lint(tmp_path, wrong).output.splitlines())


def test_a_file_that_is_wrong_is_not_shown(tmp_path: Path) -> None:
    """What could not be read at run time is not shown as if it held."""
    lint(tmp_path, {"exmpt": {}})
    result = CliRunner().invoke(
        firebreak, ["guardrails", "show", str(tmp_path / "guardrails.yaml")]
    )

    assert 1 == result.exit_code
    assert "did you mean exempt?" in result.output
