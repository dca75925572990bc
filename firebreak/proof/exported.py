"""An audit trail in a file: records, and seals beside them, as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from chalicelib.audit import Record
from chalicelib.errors import InvalidSettings
from chalicelib.fields import each_once
from chalicelib.outside.seals import Seal
from chalicelib.outside.vault import chain_name
from firebreak import render
from firebreak.proof.sealed import Found
from firebreak.proof.trail import Chain, chain_of

SEAL = "seal"  # the one member of a line that holds a seal


def record_line(record: Record) -> str:
    """Return a record as one line of ASCII JSON, whatever it holds."""
    return json.dumps(asdict(record), sort_keys=True, separators=(",", ":"))


def seal_line(seal: Seal) -> str:
    """Return a seal as one line of ASCII JSON."""
    return json.dumps({SEAL: asdict(seal)}, sort_keys=True, separators=(",", ":"))


def read(file: Path) -> tuple[list[Chain], list[Found]]:
    """Return the chains of a file and what it has as seals. Raise InvalidSettings."""
    records: list[Record] = []
    seals: list[Found] = []
    for number, text in enumerate(lines(file), 1):
        parsed = _parsed(file, number, text) if text.strip() else None
        if isinstance(parsed, Record):
            records.append(parsed)
        elif parsed:
            seals.append(parsed)
    return list(_chains(records)), seals


def _chains(records: list[Record]) -> Iterator[Chain]:
    ordered = sorted(records, key=lambda record: (record.chain, record.seq))
    for name, each in groupby(ordered, key=lambda record: record.chain):
        yield chain_of(name, each)


def lines(file: Path) -> list[str]:
    """Return the lines of a text file. Raise InvalidSettings where it is none."""
    try:
        return file.read_text("utf-8").split("\n")
    except UnicodeDecodeError as wrong:
        raise InvalidSettings(f"{file}: not UTF-8 text: {wrong.reason}") from wrong


def _parsed(file: Path, number: int, text: str) -> Record | Found:
    try:
        said = json.loads(text, object_pairs_hook=each_once)
        if isinstance(said, dict) and set(said) == {SEAL}:
            return Found(f"{file}:{number}", None, json.dumps(said[SEAL]))
        record = Record(**said)
        chain_name(record.chain)
    except (ValueError, TypeError, RecursionError) as wrong:
        why = render.shown(str(wrong), 200)
        raise InvalidSettings(f"{file}:{number}: no audit record: {why}") from wrong
    if type(record.seq) is not int:
        raise InvalidSettings(f"{file}:{number}: seq is to be a whole number")
    return record
