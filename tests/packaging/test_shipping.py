from __future__ import annotations

import os
from pathlib import Path

import pytest

from chalicelib.errors import Invalid
from firebreak.packaging import shipping
from tests.packaging import clones

KEY = "AKIA" + "Q3EGRZ7M2LLFBU5V"  # no key: made up for this test
SECRET = "aws_secret_access_key = " + "abcdEFGH1234+/ij" * 2 + "abcdEFGH"
PRIVATE = "-----BEGIN RSA " + "PRIVATE KEY-----"


def refused(root: Path) -> list[str]:
    """Return the lines of what keeps a clone from being packaged."""
    with pytest.raises(Invalid) as invalid:
        shipping.files(root)
    return str(invalid.value).splitlines()


def test_code_playbooks_and_guardrails_ship_and_nothing_else(clone: Path) -> None:
    """Of what lies beside the code only what a function uses ships."""
    before = set(shipping.files(clone))
    for name in (
        "chalicelib/notes.txt",
        "chalicelib/.hidden.py",
        "chalicelib/store/__pycache__/values.cpython-311.pyc",
        "chalicelib/tests/test_values.py",
        "chalicelib/errors.py.orig",
        "playbooks/.report_root_usage.yaml.swp",
        "playbooks/README.md",
        "vendor/notes.md",
    ):
        (clone / name).parent.mkdir(exist_ok=True)
        (clone / name).write_text("left over", "utf-8")

    assert before == set(shipping.files(clone))
    code = {p.relative_to(clones.ROOT) for p in (clones.ROOT / "chalicelib").rglob("*.py")}
    assert {str(path) for path in code} <= before
    playbooks = {f"vendor/playbooks/{p.name}" for p in (clones.ROOT / "playbooks").glob("*.yaml")}
    assert playbooks | {"vendor/guardrails.yaml", "app.py", "requirements.txt"} <= before


def test_what_a_stage_of_its_own_vendors_ships_too(clone: Path) -> None:
    """Guardrails that another stage names lie beside the others, and are checked like them."""
    (clone / "vendor/guardrails-prod.yaml").write_text("exempt: {accounts: []}\n", "utf-8")

    assert "vendor/guardrails-prod.yaml" in shipping.files(clone)
    (clone / "vendor/guardrails-prod.yaml").write_text("exmpt: {}\n", "utf-8")
    (line,) = refused(clone)
    assert line.startswith("vendor/guardrails-prod.yaml: exmpt: ")


@pytest.mark.parametrize(
    "name",
    [
        "chalicelib/.env",
        "chalicelib/prod.env",
        "chalicelib/seal.pem",
        "playbooks/ID_RSA",
        "chalicelib/store/credentials",
    ],
)
def test_a_file_named_like_credentials_stops_the_build(clone: Path, name: str) -> None:
    """It would not ship, and yet it lies where it does not belong."""
    (clone / name).write_text("x", "utf-8")
    place = name.replace("playbooks/", "vendor/playbooks/")

    assert [place] == [line.split(":")[0] for line in refused(clone)]
    assert "is named like a file of credentials: take it out" in refused(clone)[0]


@pytest.mark.parametrize(
    ("content", "what"),
    [(KEY, "an access key"), (SECRET, "a secret access key"), (PRIVATE, "a private key")],
)
def test_a_file_that_holds_a_credential_stops_the_build(
    clone: Path, content: str, what: str
) -> None:
    """Code that holds a credential is named with its line."""
    (clone / "chalicelib/clients.py").write_text(f'"""Doc."""\n\nX = "{content}"\n', "utf-8")

    (line,) = refused(clone)
    assert line.startswith(f"chalicelib/clients.py: line 3: holds what looks like {what}:")
    assert content not in line


@pytest.mark.parametrize(
    "name", ["chalicelib/more.py", "chalicelib/more.json", "playbooks/more.yaml", "vendor/m.yaml"]
)
def test_a_link_that_leads_out_of_the_project_stops_the_build(
    clone: Path, tmp_path: Path, name: str
) -> None:
    """What a link leads to does not show in a review, so nothing from outside ships by one."""
    outside = tmp_path / "token.json"
    outside.write_text('{"accessToken": "no pattern knows it"}', "utf-8")
    (clone / name).symlink_to(outside)
    place = name.replace("playbooks/", "vendor/playbooks/")

    assert f"{place}: leads to {outside}, outside the project: copy it in" in refused(clone)


def test_what_is_no_file_is_named(clone: Path) -> None:
    """A pipe, and a link that leads nowhere, are said instead of failing the copy."""
    os.mkfifo(clone / "chalicelib/pipe.py")
    (clone / "chalicelib/nowhere.py").symlink_to("nothing")
    lines = refused(clone)

    assert "chalicelib/nowhere.py: is no file: take it out of what ships" in lines
    assert "chalicelib/pipe.py: is no file: take it out of what ships" in lines


@pytest.mark.parametrize("name", [b"\xff.py", b"a\x1b[31m.py", b"a\nb.py"])
def test_a_name_that_cannot_be_read_is_refused(clone: Path, name: bytes) -> None:
    """A name that no archive takes, or that a terminal would obey, is named in plain letters."""
    (clone / "chalicelib" / os.fsdecode(name)).write_text("", "utf-8")
    (line,) = refused(clone)

    assert "has a name that cannot be read: rename it" in line
    assert line.isascii()
    assert line.isprintable()


def test_the_example_of_the_documentation_is_no_credential(clone: Path) -> None:
    """AWS's own example of an access key id may stand anywhere."""
    (clone / "chalicelib/clients.py").write_text('KEY = "AKIAIOSFODNN7EXAMPLE"\n', "utf-8")

    assert "chalicelib/clients.py" in shipping.files(clone)


def test_a_playbook_that_fails_lint_stops_the_build(clone: Path) -> None:
    """Every problem of every playbook and of the guardrails has its line, as lint says it."""
    path = clone / "playbooks/report_root_usage.yaml"
    path.write_text(path.read_text("utf-8").replace("action: notify", "action: notifi"), "utf-8")
    (clone / "guardrails.yaml").write_text("modes: {accounts: {'1': observe}}\n", "utf-8")
    lines = refused(clone)

    assert {"guardrails.yaml", "playbooks/report_root_usage.yaml"} == {
        line.split(":")[0] for line in lines
    }
    assert [] != [line for line in lines if "did you mean notify?" in line]


def test_links_that_were_not_made_are_said_to_be_missing(clone: Path) -> None:
    """A checkout without links, as on some systems, is refused: nothing would be contained."""
    for name in ("playbooks", "guardrails.yaml"):
        (clone / "vendor" / name).unlink()
    (clone / "vendor/playbooks").write_text("../playbooks", "utf-8")

    assert [
        "vendor/playbooks: has no playbook: it has to be a link to ../playbooks",
        "vendor/guardrails.yaml: is not there: it has to be a link to ../guardrails.yaml",
    ] == refused(clone)


def test_outside_of_a_clone_nothing_ships(tmp_path: Path) -> None:
    """Where there is no project it is said what is missing."""
    assert "app.py: is not there: run this in a clone of the project" == refused(tmp_path)[0]
