"""The project's own files that ship to Lambda, and what keeps them from it.

Only kinds of file that have a use there ship, so neither `__pycache__` nor an editor's copy does.
What looks like a credential stops the build, whatever its kind: it does not belong there at all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from chalicelib import playbook
from chalicelib.errors import Invalid, Problem
from chalicelib.guardrails import shape

CODE, VENDOR = "chalicelib", "vendor"
KINDS: Mapping[str, tuple[str, ...]] = {CODE: (".py", ".json"), VENDOR: (".yaml",)}
SINGLE = ("app.py", "requirements.txt")
NEEDED = ("vendor/playbooks", "vendor/guardrails.yaml")
SKIPPED = ("__pycache__", "tests")

SECRET_NAMES = (
    ".env*",
    "*.env",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.kdbx",
    "id_rsa*",
    "id_ed25519*",
    ".netrc",
    "credentials",
    "credentials.json",
)
# AWS's own example ends in EXAMPLE, and is no key.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
SECRETS: Mapping[str, re.Pattern[bytes]] = {
    "an access key": re.compile(rb"\b(?:AKIA|ASIA)(?![A-Z2-7]{9}EXAMPLE)[A-Z2-7]{16}\b"),
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a secret access key": re.compile(
        rb"(?i)secret_?access_?key[\"']?\s*[=:]\s*[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])"
    ),
}


def files(root: Path) -> Mapping[str, Path]:
    """Return each file that ships by its place. Raise Invalid with everything that is wrong."""
    found = dict(sorted(_all(root)))
    wrong = [*_missing(root), *_odd(root, found), *_secrets(found), *_linted(root)]
    if wrong:
        raise Invalid("\n".join(str(problem) for problem in wrong))
    return {place: path for place, path in found.items() if _ships(place)}


def playbooks(root: Path) -> Path:
    """Return the folder of the playbooks that ship."""
    return (root / NEEDED[0]).resolve()


def _all(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield every file of what Chalice packs, links of `vendor` followed."""
    for name in SINGLE:
        yield name, root / name
    yield from _below(CODE, root / CODE)
    for entry in sorted((root / VENDOR).glob("*")):
        yield from _below(f"{VENDOR}/{entry.name}", entry.resolve())


def _below(place: str, path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield place, path
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        for name in names:
            file = Path(folder, name)
            yield f"{place}/{file.relative_to(path).as_posix()}", file


def _ships(place: str) -> bool:
    top, _, rest = place.partition("/")
    if not rest:
        return place in SINGLE
    hidden = any(part.startswith(".") for part in rest.split("/"))
    return not hidden and place.endswith(KINDS[top])


# --- what stops a build ---------------------------------------------------------------------------


def _missing(root: Path) -> Iterator[Problem]:
    for name in SINGLE:
        if not (root / name).is_file():
            yield Problem(name, "", "is not there: run this in a clone of the project")
    playbooks_, guardrails = NEEDED
    if not list(playbooks(root).glob("*.yaml")):
        yield Problem(playbooks_, "", "has no playbook: it has to be a link to ../playbooks")
    if not (root / guardrails).is_file():
        yield Problem(guardrails, "", "is not there: it has to be a link to ../guardrails.yaml")


def _odd(root: Path, found: Mapping[str, Path]) -> Iterator[Problem]:
    """Yield what would ship and is no file of the project: what a link leads to is not seen."""
    for place, path in found.items():
        if not _ships(place) or place in SINGLE:
            continue
        top = root / CODE if place.startswith(f"{CODE}/") else root
        if not place.isprintable():
            yield Problem(ascii(place).strip("'"), "", "has a name that cannot be read: rename it")
        elif not _within(path, top.resolve()):
            yield Problem(place, "", f"leads to {path.resolve()}, outside the project: copy it in")
        elif not path.is_file():
            yield Problem(place, "", "is no file: take it out of what ships")


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder)


def _secrets(found: Mapping[str, Path]) -> Iterator[Problem]:
    right = "take it out of what ships, and replace the credential if it was ever stored or sent"
    for place, path in found.items():
        name = path.name.lower()
        if any(fnmatchcase(name, pattern) for pattern in SECRET_NAMES):
            yield Problem(place, "", f"is named like a file of credentials: {right}")
            continue
        content = path.read_bytes() if path.is_file() else b""
        for what, pattern in SECRETS.items():
            if match := pattern.search(content):
                line = content.count(b"\n", 0, match.start()) + 1
                yield Problem(place, f"line {line}", f"holds what looks like {what}: {right}")


def _linted(root: Path) -> Iterator[Problem]:
    """Yield what `playbook lint` and `guardrails lint` say of everything below `vendor`."""
    for entry in sorted((root / VENDOR).glob("*")):
        path = entry.resolve()
        found: list[Problem] = []
        if path.is_dir():
            found = playbook.problems([path])
        elif path.suffix == ".yaml":
            found = shape.problems(path)
        for problem in found:
            yield Problem(_near(root, problem.file), problem.path, problem.message)


def _near(root: Path, file: str) -> str:
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file
