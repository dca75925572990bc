"""Read a playbook's file: YAML without surprises.

Of YAML only what JSON can say is read, and texts stay texts: `no`, `on`, `1:30`, `2026-11-21` and
`012345678901` are not turned into something else. Keys given twice, aliases and tags are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from chalicelib.effect import CLOSE, OPEN
from chalicelib.errors import Invalid, InvalidPlaybook, Problem

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

LARGEST = 128 * 1_024  # bytes
DEEPEST = 32
NO_TEXT = re.compile(f"[\ud800-\udfff{OPEN}{CLOSE}]")
PREFIX = "tag:yaml.org,2002:"
SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("int", r"0|-?[1-9][0-9]{0,17}", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?([eE][-+]?[0-9]{1,2})?", "-0123456789"),
)


class _Plain(Loader):
    """Load JSON values, refusing keys that are no texts or are given twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - how yaml wants it

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - yaml calls it so
    ) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag != f"{PREFIX}str":
                raise Invalid(f"line {_line(key)}: a key has to be a text: write it in quotes")
            if key.value in seen:
                raise Invalid(f"line {_line(key)}: {key.value!r:.60} is given twice: keep one")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


for _name, _pattern, _first in SCALARS:
    _Plain.add_implicit_resolver(f"{PREFIX}{_name}", re.compile(f"(?:{_pattern})$"), list(_first))


def _line(marked: Any) -> int:
    mark = getattr(marked, "start_mark", None) or getattr(marked, "problem_mark", None)
    return mark.line + 1 if mark else 1


# --- files ----------------------------------------------------------------------------------------


def files(folder: Path) -> list[Path]:
    """Return the playbook files of a folder, sorted. Raise InvalidPlaybook for no folder."""
    return [path for path in _entries(folder) if path.suffix == ".yaml"]


def strays(folder: Path) -> Iterator[Problem]:
    """Yield a problem for everything in the folder that would be passed over in silence."""
    for path in _entries(folder):
        if path.suffix.lower() in (".yml", ".yaml", ".json") and path.suffix != ".yaml":
            yield Problem(str(path), "", f"is not read: rename it to {path.stem}.yaml")
        elif path.suffix != ".yaml" and path.is_dir():
            yield Problem(str(path), "", "is not read: playbooks lie side by side in one folder")


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as wrong:
        message = f"cannot be read as a folder of playbooks: {wrong.strerror}"
        raise InvalidPlaybook([Problem(str(folder), "", message)]) from wrong


MEMBERS = "name, title, match, target and steps"


def read(path: Path, members: str = MEMBERS) -> dict[str, Any]:
    """Return what the file says, as JSON values. Raise InvalidPlaybook, with the line.

    members: what an object of this kind has, in words.
    """
    try:
        return _object(text_of(path), members)
    except Invalid as wrong:
        raise InvalidPlaybook([Problem(str(path), "", str(wrong))]) from wrong


def text_of(path: Path) -> str:
    """Return a file's text. Raise Invalid where it is none, or too long."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as wrong:
        raise Invalid(f"cannot be read: {wrong.strerror}") from wrong
    if len(content) > LARGEST:
        raise Invalid(f"is larger than {LARGEST:,} bytes: split it into several playbooks")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        raise Invalid(f"line {line}: is not UTF-8: save the file as UTF-8") from wrong


# --- YAML -----------------------------------------------------------------------------------------


def _object(text: str, members: str) -> dict[str, Any]:
    try:
        _refuse(text)
        found = yaml.load(text, _Plain)  # noqa: S506 - a safe loader, made stricter
    except yaml.YAMLError as wrong:
        raise Invalid(f"line {_line(wrong)}: is no YAML: {_reason(wrong)}") from wrong
    if found is None:
        raise Invalid(f"is empty: write {members}")
    if not isinstance(found, Mapping):
        raise Invalid(f"has to be one object, with {members}")
    return dict(found)


def _reason(wrong: yaml.YAMLError) -> str:
    reason = getattr(wrong, "problem", None) or getattr(wrong, "reason", None) or "cannot be read"
    return str(reason)[:200]


def _refuse(text: str) -> None:
    """Raise Invalid for what a playbook may not hold, before anything is built of it."""
    depth = 0
    for event in yaml.parse(text, Loader):
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            raise Invalid(f"line {line}: *{event.anchor} is an alias: write the value out")
        if tag := getattr(event, "tag", None):
            raise Invalid(f"line {line}: {tag!r:.60} is a tag: leave it out")
        if isinstance(event, yaml.ScalarEvent) and NO_TEXT.search(event.value):
            raise Invalid(f"line {line}: holds a character that is reserved or no text: remove it")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise Invalid(f"line {line}: is nested more than {DEEPEST} deep: make it flatter")
