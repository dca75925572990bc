"""The package: what Chalice packs, written again so that the same input has the same bytes.

Chalice names its archive by a hash of what is in it, and takes one of that name for its own: so
`chalice deploy` and `chalice package` use what is made here. An archive of `zip` keeps the time,
the order and the permissions that its files happened to have; here they are fixed.
https://aws.github.io/chalice/topics/packaging.html
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from chalice.config import Config
from chalice.deploy.packager import (
    DependencyBuilder,
    LambdaDeploymentPackager,
    NoSuchPackageError,
    PackageDownloadError,
)
from chalice.utils import UI, OSUtils

from chalicelib.errors import Failed, Invalid

TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows
MODE = 0o100644 << 16  # a regular file that everybody may read: Lambda runs as another user
UNIX = 3
LEVEL = 9
USELESS_FOLDERS = {"tests", "benchmarks", "__pycache__"}
USELESS_RECORDS = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
COMPILED = re.compile(r"\.(cpython-[0-9]+-[^/]*|abi3)\.so$")
PINNED = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!+_-]+)\s*(;.*)?")


def make(folder: Path) -> Path:
    """Make the archive of a folder that Chalice can deploy, and return where it lies.

    Raise Invalid where `requirements.txt` does not pin what ships, Failed where it cannot be had.
    """
    pins = pinned((folder / "requirements.txt").read_text("utf-8"))
    osutils, said = OSUtils(), io.StringIO()
    packager = LambdaDeploymentPackager(
        osutils, DependencyBuilder(osutils), UI(out=said, err=said, confirm=None)
    )
    python = Config().lambda_python_version
    try:
        made = Path(packager.create_deployment_package(str(folder), python))
    except (NoSuchPackageError, PackageDownloadError) as wrong:
        raise Failed(f"requirements.txt cannot be fetched: {_last(str(wrong))}") from wrong
    rewrite(made, python)
    _check(names(made), pins)
    return made


def names(archive: Path) -> tuple[str, ...]:
    """Return the names of an archive's files, in their order."""
    with ZipFile(archive) as found:
        return tuple(found.namelist())


def rewrite(archive: Path, python: str) -> None:
    """Write an archive again: sorted, of one time, without what Lambda has no use for."""
    with ZipFile(archive) as found:
        kept = sorted(name for name in found.namelist() if not useless(name, python))
        contents = {name: found.read(name) for name in kept}
    with ZipFile(archive, "w") as written:
        for name, content in contents.items():
            info = ZipInfo(name, TIME)
            info.create_system, info.external_attr = UNIX, MODE
            info.compress_type = ZIP_DEFLATED
            written.writestr(info, content, compresslevel=LEVEL)


def useless(name: str, python: str) -> bool:
    """Say whether a file of a dependency has no use in Lambda."""
    *folders, last = name.split("/")
    if USELESS_FOLDERS & set(folders) or name.endswith((".pyc", "/")):
        return True
    if folders and folders[0].endswith(".dist-info"):
        return last in USELESS_RECORDS
    compiled = COMPILED.search(name)
    wanted = f"cpython-{python.removeprefix('python').replace('.', '')}-x86_64-linux-gnu"
    return compiled is not None and compiled[1] not in (wanted, "abi3")


# --- what ships is what is pinned -----------------------------------------------------------------


def pinned(text: str) -> dict[str, tuple[str, bool]]:
    """Return the version of each package, and whether it ships whatever the Python is."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        said = line.partition(" #")[0].strip()
        if not said or said.startswith("#"):
            continue
        match = PINNED.fullmatch(said)
        if match is None:
            raise Invalid(f"requirements.txt: line {number}: {said:.80}: pin it: name==version")
        found[_plain(match[1])] = (match[2], match[3] is None)
    return found


def _check(there: tuple[str, ...], pins: dict[str, tuple[str, bool]]) -> None:
    """Raise Invalid where packages and pins differ: Chalice only prints which it does without."""
    if wrong := sorted(_differences(dict(_packages(there)), pins)):
        raise Invalid("\n".join(wrong))


def _differences(there: dict[str, str], pins: dict[str, tuple[str, bool]]) -> Iterator[str]:
    for name, version in there.items():
        if name not in pins:
            yield f"requirements.txt: ships {name} {version} unpinned: add {name}=={version}"
    for name, (version, always) in pins.items():
        if there.get(name, "" if always else version) != version:
            why = "no wheel of it fits Lambda, or the registry does not have it"
            yield f"requirements.txt: {name}=={version} could not be packaged: {why}"


def _packages(there: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in there:
        folder, _, rest = name.partition("/")
        if folder.endswith(".dist-info") and rest == "METADATA":
            package, _, version = folder.removesuffix(".dist-info").rpartition("-")
            yield _plain(package), version


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("ERROR")] or lines or ["pip says nothing"]
    return said[-1][:300]
