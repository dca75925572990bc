"""The small subset of JSONPath that playbooks use, over a finding and the facts of earlier steps.

    $.finding.resource.id                    a member of an object
    $.finding.remote_cidrs[0]                an item of a list, counted from 0
    $.finding.resources[*].arn               the same of every item: a flat list, without gaps
    $.finding.detail['Availability Zone']    a name with spaces or signs

A value that starts with `$.` is a path, and stands for what lies there: any JSON value, or null
where there is nothing. `{$.path}` inside a text inserts it as text: nothing for null, lists with
commas, at most 1,024 characters. For the characters themselves write `{{$.` and, at the start of
a text, `$$.`. What is inserted is never read as a path again.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from chalicelib.errors import Invalid
from chalicelib.finding import ATTRIBUTES, DERIVED, FIELDS, Finding, Indicator, Resource

LONGEST_INSERTION = 1_024
LONGEST_PATH = 512


class _Every(Enum):
    """Stand for `[*]`."""

    EVERY = "[*]"


EVERY: Final = _Every.EVERY
Part: TypeAlias = str | int | Literal[_Every.EVERY]

TOKEN = re.compile(
    r"\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|\[(?P<index>0|[1-9][0-9]{0,3})\]"
    r"|(?P<every>\[\*\])"
    r"|\['(?P<quoted>[^'\[\]{}]{1,128})'\]"
)
INSERTION = re.compile(r"(?P<escape>\{\{(?=\$\.))|\{(?P<path>\$\.[^{}]*)\}|(?P<open>\{\$\.)")


@dataclass(frozen=True, slots=True)
class Path:
    """Hold the parts of a path: names, indices and EVERY."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "$" + "".join(_written(part) for part in self.parts)


def _written(part: Part) -> str:
    if part is EVERY:
        return "[*]"
    if isinstance(part, int):
        return f"[{part}]"
    plain = TOKEN.fullmatch(f".{part}")
    return f".{part}" if plain else f"['{part}']"


# --- reading --------------------------------------------------------------------------------------


def is_path(value: Any) -> bool:
    """Say whether a playbook's value stands for what lies at a path."""
    return isinstance(value, str) and value.startswith("$.")


@lru_cache(maxsize=1_024)
def parse(text: str) -> Path:
    """Return the path that a text writes. Raise Invalid, with the position."""
    if not is_path(text):
        raise Invalid(f"{_short(text)} is no path: a path starts with $. and a name")
    if len(text) > LONGEST_PATH:
        raise Invalid(f"{_short(text)} is longer than {LONGEST_PATH} characters")
    parts: list[Part] = []
    at = 1
    while at < len(text):
        token = TOKEN.match(text, at)
        if token is None:
            wanted = ".name, ['name'], [0] or [*]"
            raise Invalid(f"{_short(text)} is no path: at character {at + 1} write {wanted}")
        parts.append(_part(token))
        at = token.end()
    return Path(tuple(parts))


def _part(token: re.Match[str]) -> Part:
    if token["every"]:
        return EVERY
    if token["index"]:
        return int(token["index"])
    return token["name"] or token["quoted"]


@lru_cache(maxsize=1_024)
def pieces(text: str) -> tuple[str | Path, ...]:
    """Return the literal texts and the inserted paths of a text. Raise Invalid."""
    text = text[1:] if text.startswith("$$.") else text
    found: list[str | Path] = []
    at = 0
    for match in INSERTION.finditer(text):
        if match["open"]:
            raise Invalid(f"{_short(text[match.start() :])} has no end: write {{$.path}}")
        found.append(text[at : match.start()])
        found.append("{" if match["escape"] else parse(match["path"]))
        at = match.end()
    return tuple(piece for piece in (*found, text[at:]) if piece != "")


def paths_of(value: Any) -> Iterator[Path]:
    """Yield every path in a playbook's value, whole or inserted. Raise Invalid."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from paths_of(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from paths_of(each)
    elif is_path(value):
        yield parse(value)
    elif isinstance(value, str):
        yield from (piece for piece in pieces(value) if isinstance(piece, Path))


# --- resolving ------------------------------------------------------------------------------------


def resolve(path: Path, document: Any) -> Any:
    """Return what lies at the path; None where there is nothing, or something else on the way."""
    return _at(document, path.parts)


def _at(node: Any, parts: tuple[Part, ...]) -> Any:
    for index, part in enumerate(parts):
        if part is EVERY:
            return _each(node, parts[index + 1 :])
        node = _child(node, part)
    return node


def _each(node: Any, rest: tuple[Part, ...]) -> list[Any] | None:
    if not isinstance(node, list | tuple):
        return None
    found = [each for each in (_at(item, rest) for item in node) if each is not None]
    return [item for each in found for item in each] if EVERY in rest else found


def _child(node: Any, part: str | int) -> Any:
    if isinstance(part, str):
        return node.get(part) if isinstance(node, Mapping) else None
    inside = isinstance(node, list | tuple) and part < len(node)
    return node[part] if inside else None


def resolve_value(value: Any, document: Any) -> Any:
    """Return a playbook's value with every path in it resolved. Raise Invalid for a wrong path."""
    if isinstance(value, Mapping):
        return {name: resolve_value(each, document) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [resolve_value(each, document) for each in value]
    if is_path(value):
        return resolve(parse(value), document)
    if not isinstance(value, str):
        return value
    return "".join(
        piece if isinstance(piece, str) else as_text(resolve(piece, document))
        for piece in pieces(value)
    )


def as_text(value: Any) -> str:
    """Return a value as it is inserted into a text, at most LONGEST_INSERTION characters."""
    text = _unbounded(value)
    return text if len(text) <= LONGEST_INSERTION else text[: LONGEST_INSERTION - 1] + "…"


def _unbounded(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(_unbounded(each) for each in value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


# --- checking -------------------------------------------------------------------------------------


class Kind(Enum):
    """Say of a value that it is a single one, or that anything may lie beneath it."""

    ONE = "a single value"
    ANY = "anything"


@dataclass(frozen=True, slots=True)
class Many:
    """Say of a value that it is a list, and of what."""

    of: Tree


@dataclass(frozen=True, slots=True)
class Absent:
    """Say why a name that exists elsewhere is not known here."""

    reason: str


Tree: TypeAlias = "Kind | Many | Absent | Mapping[str, Tree]"

SINGLE = frozenset({"str", "float", "int", "bool", "str | None"})
RESOURCE: Tree = {field.name: Kind.ONE for field in fields(Resource)} | {
    "attributes": dict.fromkeys(frozenset[str]().union(*ATTRIBUTES.values()), Kind.ANY)
}
FINDING: Mapping[str, Tree] = {
    **dict.fromkeys(FIELDS, Kind.ANY),
    **dict.fromkeys(DERIVED, Many(Kind.ONE)),
    **{field.name: Kind.ONE for field in fields(Finding) if field.type in SINGLE},
    "direction": Kind.ONE,
    "resource": RESOURCE,
    "resources": Many(RESOURCE),
    "indicators": Many({field.name: Kind.ONE for field in fields(Indicator)}),
    "detail": Kind.ANY,
}
NO_ITEM = Absent("is known only in a step with for_each")


def roots(steps: Mapping[str, Tree], item: Tree = NO_ITEM) -> Mapping[str, Tree]:
    """Return what a step may refer to: the finding, earlier steps' facts, the item, itself."""
    remediation = {"id": Kind.ONE, "playbook": Kind.ONE}
    return {"finding": FINDING, "steps": steps, "item": item, "remediation": remediation}


def check(path: Path, known: Tree) -> str | None:
    """Say what is wrong with a path and what would be right; None where nothing is."""
    try:
        follow(path, known)
    except Invalid as wrong:
        return str(wrong)
    return None


def follow(path: Path, known: Tree) -> Tree:
    """Return what lies at the path. Raise Invalid, saying what would be right."""
    node, many = known, False
    for index, part in enumerate(path.parts):
        node = step_into(node, part, str(Path(path.parts[:index])))
        many = many or part is EVERY
        if isinstance(node, Absent):
            raise Invalid(f"{Path(path.parts[: index + 1])} {node.reason}")
    return Many(node) if many else node


def step_into(node: Tree, part: Part, at: str) -> Tree:
    """Return what lies one part further, `at` being the way so far. Raise Invalid."""
    if node is Kind.ANY:
        return Kind.ANY
    if isinstance(part, str):
        return _named(node, part, at)
    if isinstance(node, Many):
        return node.of
    raise Invalid(f"{at} is no list: leave out {_written(part)}")


def _named(node: Tree, name: str, at: str) -> Tree:
    if isinstance(node, Many):
        raise Invalid(f"{at} is a list: write {at}[*]{_written(name)} or {at}[0]{_written(name)}")
    if not isinstance(node, Mapping):
        raise Invalid(f"{at} is a single value, nothing lies beneath it: write {at}")
    if name not in node:
        known = (each for each, below in node.items() if not isinstance(below, Absent))
        raise Invalid(f"{at} has no {_short(name)}: {suggest(name, known)}")
    return node[name]


def suggest(name: str, known: Iterable[str]) -> str:
    """Say which known names are near, or which there are."""
    names = sorted(known)
    near = difflib.get_close_matches(name[:128], names, n=2)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there is {', '.join(names)}" if names else "there is none here"


def _short(text: str) -> str:
    return f"'{text}'" if len(text) <= 60 else f"'{text[:60]}…'"
