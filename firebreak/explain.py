"""Why a playbook matches an event: each part of its pattern beside the value that fulfils it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.pattern import EventPattern
from chalicelib.playbook import Playbook
from chalicelib.sources import Reading
from firebreak import render


def matches(playbooks: Mapping[str, Playbook], reading: Reading) -> Iterator[str]:
    """Yield which playbooks match an event, and why."""
    for playbook in playbooks.values():
        if EventPattern(playbook.match).matches(reading.envelope):
            yield render.heading(f"\nPlaybook {playbook.name} matches: {playbook.title}")
            for path, wanted, value in reasons(playbook.match, reading.envelope):
                yield f"  {path} = {render.shown(value, 60)}   fulfils {render.shown(wanted, 70)}"


def reasons(
    pattern: Mapping[str, Any], event: Any, path: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Yield (path, the one alternative that is fulfilled, the event's value) for each field."""
    for name, wanted in pattern.items():
        here = f"{path}.{name}" if path else name
        if name == "$or" and isinstance(wanted, list):
            for each in wanted:
                if EventPattern(each).matches(event):
                    yield from reasons(each, event, path)
                    break
        elif isinstance(wanted, Mapping):
            inside = event.get(name) if isinstance(event, Mapping) else None
            yield from reasons(wanted, inside, here)
        else:
            value = event.get(name) if isinstance(event, Mapping) else None
            yield here, _fulfilled(wanted, value), json.dumps(value, ensure_ascii=False)


def _fulfilled(wanted: Any, value: Any) -> str:
    for each in wanted:
        if EventPattern({"x": [each]}).matches({"x": value}):
            return json.dumps(each, ensure_ascii=False)
    return json.dumps(wanted, ensure_ascii=False)
