from __future__ import annotations

import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from chalicelib.errors import Failed, Invalid
from firebreak.packaging import Build, archive
from tests.packaging import clones
from tests.packaging.started import run_started

PINS = archive.pinned((clones.ROOT / "requirements.txt").read_text("utf-8"))
MODULES = {"_yaml", "attr", "attrs", "jsonschema", "jsonschema_specifications", "referencing"}
OWN = {"app.py", "chalice", "chalicelib", "guardrails.yaml", "playbooks"}


def top(names: tuple[str, ...]) -> set[str]:
    return {name.split("/")[0] for name in names}


def test_nothing_but_what_is_allowed_is_in_the_package(built: Build) -> None:
    """The top of the archive is the project's own, Chalice's runtime and the pinned packages."""
    others = (
        top(built.files) - OWN - MODULES - {"rpds", "structlog", "yaml", "typing_extensions.py"}
    )
    packages = {name for name, _ in archive._packages(built.files)}

    assert all(name.endswith(".dist-info") for name in others)
    assert packages <= set(PINS)
    assert {name for name, (_, always) in PINS.items() if always} <= packages


def test_no_test_tool_or_leftover_is_in_the_package(built: Build) -> None:
    """No test, no compiled file, no record of an installer, nothing of the desk or of boto3."""
    forbidden = {"tests", "benchmarks", "__pycache__", "firebreak", "moto", "boto3", "botocore"}

    assert set() == {part for name in built.files for part in name.split("/")} & forbidden
    ends = (".pyc", ".pem", "RECORD", "INSTALLER", "direct_url.json", ".md", ".env")
    own = [name for name in built.files if name.endswith(ends)]
    assert [] == [name for name in own if ".dist-info/licenses/" not in name]
    assert {"chalice/app.py", "chalice/__init__.py"} == {
        name for name in built.files if name.startswith("chalice/")
    }


def test_code_playbooks_guardrails_and_licences_are_in_the_package(built: Build) -> None:
    """Everything that a function needs is there, and who wrote the packages is said."""
    code = {str(p.relative_to(clones.ROOT)) for p in (clones.ROOT / "chalicelib").rglob("*.py")}
    playbooks = {f"playbooks/{p.name}" for p in (clones.ROOT / "playbooks").glob("*.yaml")}

    assert code | playbooks | {"app.py", "guardrails.yaml"} <= set(built.files)
    for package in {name for name in top(built.files) if name.endswith(".dist-info")}:
        assert f"{package}/METADATA" in built.files
        assert [] != [n for n in built.files if n.startswith(package) and "LICENSE" in n.upper()]


def test_the_package_is_small(built: Build) -> None:
    """The size stays under what docs/deploy.md states, far below what Lambda takes."""
    with ZipFile(built.archive) as found:
        unpacked = sum(info.file_size for info in found.infolist())

    assert built.size == built.archive.stat().st_size
    assert built.size < 2_500_000
    assert unpacked < 8_000_000
    assert len(built.files) < 400
    text = (clones.ROOT / "docs/deploy.md").read_text("utf-8")
    assert "| held by a test | 2.5 MB | 8 MB | 400 |" in text


def test_every_file_has_the_same_time_and_mode(built: Build) -> None:
    """Names are sorted; time, permissions and system do not tell who built it, where or when."""
    with ZipFile(built.archive) as found:
        infos = found.infolist()

    assert sorted(built.files) == [info.filename for info in infos]
    assert {((1980, 1, 1, 0, 0, 0), 0o100644 << 16, 3, ZIP_DEFLATED)} == {
        (info.date_time, info.external_attr, info.create_system, info.compress_type)
        for info in infos
    }


def test_the_unpacked_package_runs_with_lambdas_own_modules_alone(
    built: Build, tmp_path: Path
) -> None:
    """With boto3 beside it and no other package, every module and playbook is found in it."""
    said = run_started(built.archive, Path(sys.executable), tmp_path)

    assert sorted(p.stem for p in (clones.ROOT / "playbooks").glob("*.yaml")) == said["playbooks"]
    assert ("", True, 10) == (said["unread"], said["libyaml"], len(said["functions"]))
    own = {"app", "chalice", "chalicelib", *MODULES, "rpds", "structlog", "yaml"}
    files = {path for name, path in said["files"].items() if name.split(".")[0] in own}
    assert {f"{tmp_path}/task"} == {path[: len(f"{tmp_path}/task")] for path in files}
    assert [] != [path for path in files if path.endswith(".so")]


def zipped(path: Path, *names: str) -> Path:
    with ZipFile(path, "w") as written:
        for name in names:
            written.writestr(ZipInfo(name, (2026, 11, 28, 1, 2, 4)), name)
    return path


def test_compiled_modules_of_another_python_are_left_out(tmp_path: Path) -> None:
    """A compiled module stays where it is of this Python and Lambda's processor, or of any."""
    path = zipped(
        tmp_path / "a.zip",
        "rpds/rpds.cpython-312-x86_64-linux-gnu.so",
        "rpds/rpds.cpython-311-x86_64-linux-gnu.so",
        "rpds/rpds.cpython-312-aarch64-linux-gnu.so",
        "rpds/any.abi3.so",
        "rpds/rpds.cpython-312-darwin.so",
    )
    archive.rewrite(path, "python3.12")

    assert ("rpds/any.abi3.so", "rpds/rpds.cpython-312-x86_64-linux-gnu.so") == archive.names(path)


def test_an_archive_written_again_is_the_same_whatever_its_order(tmp_path: Path) -> None:
    """Order and times of what Chalice packs do not show."""
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    for path, names in ((one, ("b/x.py", "app.py")), (other, ("app.py", "b/x.py"))):
        archive.rewrite(zipped(path, *names), "python3.11")

    assert one.read_bytes() == other.read_bytes()


def requiring(folder: Path, requirements: str) -> Path:
    (folder / "chalicelib").mkdir()
    (folder / "app.py").write_text("app = None\n", "utf-8")
    (folder / "requirements.txt").write_text(requirements, "utf-8")
    return folder


@pytest.mark.parametrize("line", ["structlog", "structlog>=26", "-r other.txt", "./wheels/a.whl"])
def test_what_is_not_pinned_is_refused(tmp_path: Path, line: str) -> None:
    """A requirement without one version would make another package tomorrow."""
    with pytest.raises(Invalid, match=r"line 2: .*: pin it: name==version"):
        archive.make(requiring(tmp_path, f"# why\n{line}\n"))


def test_what_ships_unpinned_is_named(tmp_path: Path) -> None:
    """A package that another brings along is named, with the version to pin."""
    with pytest.raises(Invalid, match=r"ships attrs [0-9.]+ unpinned: add attrs==[0-9.]+"):
        archive.make(requiring(tmp_path, "referencing==0.37.0\nrpds-py==2026.9.1\n"))


def test_what_the_registry_does_not_have_is_said_plainly(tmp_path: Path) -> None:
    """A version that does not exist ends the build in one line, without an archive."""
    with pytest.raises(Failed, match=r"requirements.txt cannot be fetched: .*structlog==0.0.1"):
        archive.make(requiring(tmp_path, "structlog==0.0.1\n"))
    assert [] == list(tmp_path.rglob("*.zip"))


def test_a_package_that_could_not_be_made_is_no_package() -> None:
    """Chalice only prints which packages it does without; here each of them is an error."""
    with pytest.raises(Invalid, match=r"rpds-py==1\.0 could not be packaged: no wheel of it fits"):
        archive._check(
            ("attrs-1.0.dist-info/METADATA",), {"attrs": ("1.0", True), "rpds-py": ("1.0", True)}
        )
