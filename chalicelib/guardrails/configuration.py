"""The guardrails of the security account: guardrails.yaml, as it is read at run time.

A file that cannot be read lowers everything to asking: then nothing is done unasked that it would
have held back, and no finding is lost, as it would be if the function did not start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from chalicelib import durations
from chalicelib.errors import Invalid, InvalidPlaybook
from chalicelib.playbook import Limit, reading
from chalicelib.playbook.values import MODES
from chalicelib.settings import Settings

FILE = Path(__file__).resolve().parents[2] / "guardrails.yaml"  # the same place in Lambda
MEMBERS = "exempt, modes and limits"


@dataclass(frozen=True, slots=True)
class Share:
    """Hold which part of a fleet, in percent, may be acted upon in how many seconds."""

    percent: int
    of: str
    per: int


@dataclass(frozen=True, slots=True)
class Configuration:
    """Hold the guardrails that hold for every playbook.

    accounts, resources, principals: what is exempt; ids, and ARN patterns. account_modes and
    unit_modes: the mode of an account, and of an organisational unit. total, account (each), kinds
    (each of a kind of resource): limits. shares: of a fleet, by kind. hash: of the file's content.
    unread: why the file could not be read; everything waits for a person then.
    """

    accounts: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    account_modes: Mapping[str, str] = field(default_factory=dict)
    unit_modes: Mapping[str, str] = field(default_factory=dict)
    total: Limit | None = None
    account: Limit | None = None
    kinds: Mapping[str, Limit] = field(default_factory=dict)
    shares: Mapping[str, Share] = field(default_factory=dict)
    hash: str = ""
    unread: str = ""


def configured(settings: Settings) -> Configuration:
    """Return the configuration of a stage; read again only where the file has changed."""
    path = Path(settings.guardrails) if settings.guardrails else FILE
    try:
        stat = path.stat()
    except OSError as wrong:
        return Configuration(unread=f"{path.name} cannot be read: {wrong.strerror}")
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, _size: int) -> Configuration:
    try:
        stored = reading.read(path, MEMBERS)
        return from_document(stored, _hash(reading.text_of(path)))
    except InvalidPlaybook as invalid:
        said = "; ".join(problem.message for problem in invalid.problems)
        return Configuration(unread=f"{path.name} cannot be read: {said:.300}")
    except (AttributeError, Invalid, KeyError, TypeError, ValueError) as wrong:
        said = f"{wrong!s:.300} (firebreak guardrails lint says where)"
        return Configuration(unread=f"{path.name} is not valid: {said}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def from_document(stored: Mapping[str, Any], content: str = "") -> Configuration:
    """Return the configuration that a file's JSON values say.

    Raise AttributeError, Invalid, KeyError, TypeError or ValueError for anything else: what the
    shape would refuse is refused here too, though less clearly.
    """
    known = _only(stored, "exempt", "modes", "limits")
    exempt = _only(known.get("exempt", {}), "accounts", "resources", "principals")
    modes = _only(known.get("modes", {}), "accounts", "organizational_units")
    limits = _only(known.get("limits", {}), "total", "account", "kind", "share")
    return Configuration(
        accounts=_texts(exempt.get("accounts", [])),
        resources=_texts(exempt.get("resources", [])),
        principals=_texts(exempt.get("principals", [])),
        account_modes=_modes(modes.get("accounts", {})),
        unit_modes=_modes(modes.get("organizational_units", {})),
        total=_limit(limits["total"]) if "total" in limits else None,
        account=_limit(limits["account"]) if "account" in limits else None,
        kinds={kind: _limit(each) for kind, each in limits.get("kind", {}).items()},
        shares={kind: _share(each) for kind, each in limits.get("share", {}).items()},
        hash=content,
    )


def _only(stored: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    if unknown := sorted(set(stored.keys()) - set(names)):
        raise ValueError(f"{unknown[0]!r:.60} is not known: write {', '.join(names)}")
    return stored


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r:.60} is no list")
    return tuple(map(_text, value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is no text: write it in quotes")
    return value


def _modes(stored: Mapping[str, Any]) -> dict[str, str]:
    for mode in stored.values():
        if mode not in MODES:
            raise ValueError(f"{mode!r:.60} is no mode: write {', '.join(MODES)}")
    return dict(stored)


def _limit(stored: Mapping[str, Any]) -> Limit:
    _only(stored, "count", "per")
    return Limit(_above(stored["count"]), _above(durations.seconds(stored["per"])))


def _share(stored: Mapping[str, Any]) -> Share:
    _only(stored, "percent", "of", "per")
    per = _above(durations.seconds(stored["per"]))
    return Share(_above(stored["percent"]), _text(stored["of"]), per)


def _above(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r:.60} is to be a whole number, 1 or more")
    return value
