"""The events in files and folders, as they are replayed: read, parted, and moved to an account."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.errors import InvalidSettings
from chalicelib.sources import guardduty

SUFFIXES = (".json", ".jsonl")
ACCOUNT_KEYS = ("accountId", "AccountId", "awsAccountId")
LARGEST = 16 * 2**20  # bytes of one file; an event has at most one megabyte


@dataclass(frozen=True, slots=True)
class EventFile:
    """Hold one event: the file it is from (with the line), its value, or why it is none."""

    name: str
    value: Any = None
    unreadable: str = ""


def events(paths: Iterable[Path]) -> list[EventFile]:
    """Return the events of files and folders, in order. Raise InvalidSettings for no such path."""
    found: list[EventFile] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
            files = [p for p in inside if p.name != "MANIFEST.jsonl"]
            if not files:
                raise InvalidSettings(f"{path}: no .json or .jsonl file in this folder")
            found.extend(event for file in files for event in _of_file(file))
        elif path.is_file():
            found.extend(_of_file(path))
        else:
            raise InvalidSettings(f"{path}: no such file or folder")
    return found


def _of_file(path: Path) -> Iterator[EventFile]:
    name = str(path)
    if path.stat().st_size > LARGEST:
        yield EventFile(name, unreadable=f"the file is larger than {LARGEST >> 20} MB")
        return
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        yield EventFile(name, unreadable=f"not UTF-8 text: {wrong.reason} at byte {wrong.start}")
        return
    if not text.strip():
        yield EventFile(name, unreadable="the file is empty")
    elif path.suffix == ".jsonl":
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield from _of_text(f"{name}:{number}", line)
    else:
        yield from _of_text(name, text)


def _of_text(name: str, text: str) -> Iterator[EventFile]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as wrong:
        yield EventFile(name, value=text, unreadable=f"not JSON: {wrong}")
        return
    yield from parted(name, value)


def parted(name: str, value: Any) -> Iterator[EventFile]:
    """Return the events in a value: a list's items, the findings of an API response, itself."""
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from parted(f"{name}[{number}]", each)
    elif isinstance(value, Mapping):
        several = list(guardduty.split(value))
        for number, each in enumerate(several):
            yield EventFile(name if len(several) == 1 else f"{name}[{number}]", each)
    else:
        yield EventFile(name, value)


def moved(value: Any, account: str) -> Any:
    """Return an event as if it had come from another account: its ids and ARNs name that one."""
    if not isinstance(value, Mapping):
        return value
    text = json.dumps(value)
    for old in _accounts(value):
        text = re.sub(rf"(?<![0-9A-Za-z]){re.escape(old)}(?![0-9A-Za-z])", account, text)
    return _stamped(json.loads(text), account)


def _accounts(value: Mapping[str, Any]) -> set[str]:
    """Return the account ids that an event names in the fields for it."""
    detail = value.get("detail")
    places = [value, detail if isinstance(detail, Mapping) else {}]
    named = [place.get(key) for place in places for key in (*ACCOUNT_KEYS, "account")]
    return {
        each
        for each in named
        if isinstance(each, str) and re.fullmatch(r"[0-9A-Za-z_-]{3,20}", each)
    }


def _stamped(value: dict[str, Any], account: str) -> dict[str, Any]:
    """Return an event whose envelope and detail both name the account."""
    detail = value.get("detail")
    if isinstance(detail, dict):
        return value | {"account": account, "detail": _named(detail, account)}
    return _named(value, account) if "firewall_name" not in value else value


def _named(detail: dict[str, Any], account: str) -> dict[str, Any]:
    present = [key for key in ACCOUNT_KEYS if key in detail]
    api_form = "AccountId" if "Resource" in detail else "accountId"
    return detail | dict.fromkeys(present or [api_form], account)
