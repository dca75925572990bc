"""A clone to deploy from, whose playbooks a test may change; and commands run in it."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import pytest
import yaml
from chalice.config import Config
from chalice.deploy.packager import DependencyBuilder, LambdaDeploymentPackager
from chalice.utils import UI, OSUtils
from click.testing import CliRunner, Result

from firebreak.cli import firebreak
from firebreak.cloud import Cloud
from firebreak.cloud.calls import CallInfo
from firebreak.commands import deploy, destroy
from firebreak.packaging import archive
from tests.worlds import HOME

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("app.py", "chalicelib", "requirements.txt", "tests")
READS = ("Describe", "Get", "List", "Head", "BatchGet", "Query", "Scan")


@dataclass(frozen=True, slots=True)
class Clone:
    """Hold a clone in a folder of its own, and the world that it is deployed to."""

    cloud: Cloud
    root: Path

    def run(self, *arguments: str, input: str | None = None) -> Result:  # noqa: A002  # click's name
        """Run a command as a person does who has the clone."""
        return CliRunner().invoke(firebreak, list(arguments), input=input)

    def deploy(self, *options: str) -> Result:
        """Deploy stage dev."""
        return self.run("deploy", "--stage", "dev", *options)

    def destroy(self, *options: str) -> Result:
        """Destroy stage dev."""
        return self.run("destroy", "--stage", "dev", "--yes", *options)

    @property
    def playbooks(self) -> Path:
        """Return the folder of its playbooks."""
        return self.root / "playbooks"

    def keep_playbooks(self, *names: str) -> None:
        """Remove all playbooks but these."""
        for path in self.playbooks.glob("*.yaml"):
            if path.stem not in names:
                path.unlink()

    def retitle(self, name: str, title: str) -> None:
        """Change a playbook."""
        path = self.playbooks / f"{name}.yaml"
        text = path.read_text("utf-8")
        before = yaml.safe_load(text)["title"]
        path.write_text(text.replace(before, title), "utf-8")

    @contextmanager
    def changes(self) -> Iterator[list[CallInfo]]:
        """Give a list that holds, afterwards, the calls in the block that change anything."""
        made: list[CallInfo] = []
        with self.cloud.recording() as calls:
            yield made
        made += [call for call in calls if not call.operation.startswith(READS)]

    def client(self, service: str) -> Any:
        """Return an administrator's client."""
        return self.cloud.session().client(service)  # type: ignore[call-overload]


def made_at(root: Path) -> None:
    """Make a clone: the project's own code, playbooks of its own."""
    root.mkdir(parents=True, exist_ok=True)
    for name in LINKED:
        (root / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / ".chalice", root / ".chalice", ignore=shutil.ignore_patterns("depl*"))
    shutil.copytree(ROOT / "playbooks", root / "playbooks")
    shutil.copyfile(ROOT / "guardrails.yaml", root / "guardrails.yaml")
    (root / "vendor").mkdir()
    for name in ("playbooks", "guardrails.yaml"):
        (root / "vendor" / name).symlink_to(Path("..") / name)


def quickly_packed(folder: Path) -> Path:
    """Make an archive of a build without its dependencies, whose wheels take seconds to fetch."""
    osutils, said = OSUtils(), io.StringIO()
    packager = LambdaDeploymentPackager(
        osutils, DependencyBuilder(osutils), UI(out=said, err=said, confirm=None)
    )
    python = Config().lambda_python_version
    made = Path(packager.deployment_package_filename(str(folder), python))
    made.parent.mkdir(parents=True, exist_ok=True)
    names = sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".yaml", ".json"))
    with ZipFile(made, "w") as written:
        for path in names:
            place = str(path.relative_to(folder)).removeprefix("vendor/")
            if not place.startswith("."):
                written.writestr(ZipInfo(place), path.read_bytes())
    return made


@contextmanager
def cloned(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clone]:
    """Give a clone in an empty account."""
    made_at(root)
    monkeypatch.setattr(archive, "make", quickly_packed)
    for module in (deploy, destroy):
        monkeypatch.setattr(module, "ROOT", root)
    with Cloud(HOME) as cloud:
        yield Clone(cloud, root)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clone]:
    """Give a clone with two playbooks, in an empty account."""
    with cloned(tmp_path / "clone", monkeypatch) as made:
        made.keep_playbooks("report_root_usage", "contain_compromised_instance")
        yield made
