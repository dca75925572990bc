"""One module per event source; each turns a raw event into findings.

To add a source, add a module with two functions: `recognises(event)` says whether the event is of
this source, `read(event)` returns a Reading or raises Rejected with the path and the reason.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

from chalicelib.errors import Rejected
from chalicelib.finding import Finding


@dataclass(frozen=True, slots=True)
class Reading:
    """Hold the event as EventBridge delivers it, which playbooks match, and what it says."""

    envelope: Mapping[str, Any]
    findings: tuple[Finding, ...]


class Source(Protocol):
    """Describe what a module in this folder offers."""

    def recognises(self, event: Mapping[str, Any]) -> bool:
        """Say whether the event is of this source."""

    def read(self, event: Mapping[str, Any]) -> Reading:
        """Return what the event says. Raise Rejected where it cannot be read."""


@cache
def sources() -> Mapping[str, Source]:
    """Return the modules of this folder by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: cast(Source, import_module(f"{__name__}.{name}")) for name in names}


# Records of other AWS services that are often mistaken for ours: a key they have, and their name.
FOREIGN = (
    ("invokingEvent", "an AWS Config custom-rule invocation; a compliance change is needed"),
    ("ProductArn", "a Security Hub finding (ASFF), which is not supported"),
    ("class_uid", "an OCSF record, which is not supported"),
)


def read(event: Any) -> Reading:
    """Return what an event of any source says. Raise Rejected with path and reason."""
    if not isinstance(event, Mapping):
        raise Rejected("$", f"an event is a JSON object, not {type(event).__name__}")
    for source in sources().values():
        if source.recognises(event):
            return source.read(event)
    raise Rejected("$", f"this is {_name(event)}")


def _name(event: Mapping[str, Any]) -> str:
    for key, name in FOREIGN:
        if key in event:
            return name
    source, kind = event.get("source"), event.get("detail-type")
    if isinstance(source, str) and isinstance(kind, str):
        return f"'{kind[:80]}' of source '{source[:80]}', which no source reads"
    return f"no event of a known source ({', '.join(sources())})"
