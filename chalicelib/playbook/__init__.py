"""What a playbook is, how it is read from its file, and how it is kept with a remediation.

    values     Playbook, Step, Parallel, Guardrails, Limit, Example
    written    a playbook as JSON values, and back
    reading    a file → JSON values, of a YAML without surprises
    schema     the shape of a playbook, as JSON Schema; playbook.schema.json is made from it
    draft      a file as it is checked
    explain    what JSON Schema finds wrong, in words
    checks     everything that can be wrong with a playbook, all of it at once
    steps      the same of its steps

A playbook is validated when it is linted and packaged, not when a function starts: `load` reads,
`problems` checks, and only the latter needs jsonschema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from chalicelib.actions import Action, actions
from chalicelib.errors import Corrupt, InvalidPlaybook, Problem
from chalicelib.playbook import reading
from chalicelib.playbook.values import (
    Example,
    Guardrails,
    Limit,
    Parallel,
    Playbook,
    Step,
)
from chalicelib.playbook.written import document, from_document

__all__ = [
    "FOLDER",
    "Example",
    "Guardrails",
    "Limit",
    "Parallel",
    "Playbook",
    "Step",
    "document",
    "from_document",
    "load",
    "problems",
]

FOLDER = Path(__file__).resolve().parents[2] / "playbooks"  # the same place in Lambda
Registry = Mapping[str, Action]


def load(
    folder: Path = FOLDER, *, validate: bool = False, registry: Registry | None = None
) -> Mapping[str, Playbook]:
    """Return the playbooks of a folder by name.

    Raise InvalidPlaybook with every problem of every file: all there are under `validate`, else
    those that keep a playbook from being read.
    """
    known = actions() if registry is None else registry
    found = {}
    wrong = problems([folder], registry=known) if validate else []
    for path in () if wrong else reading.files(folder):
        try:
            found[path.stem] = _from_file(path, known)
        except InvalidPlaybook as invalid:
            wrong.extend(invalid.problems)
    if wrong:
        raise InvalidPlaybook(wrong)
    return found


def _from_file(path: Path, known: Registry) -> Playbook:
    passed_over = [name for name, action in known.items() if not action.contains]
    try:
        playbook = from_document(reading.read(path), passed_over)
    except Corrupt as wrong:
        raise InvalidPlaybook([Problem(str(path), "", str(wrong))]) from wrong
    if playbook.name != path.stem:
        message = f"is {playbook.name!r:.60}, but has to be the name of the file: {path.stem}"
        raise InvalidPlaybook([Problem(str(path), "name", message)])
    return playbook


def problems(
    places: Iterable[Path], events: Path | None = None, *, registry: Registry | None = None
) -> list[Problem]:
    """Return everything that is wrong with the playbooks in these files and folders.

    events: the folder that examples are in; tests/events beside a playbook's folder if not given.
    """
    from chalicelib.playbook import checks  # needs jsonschema, which Lambda does without

    known = actions() if registry is None else registry
    return checks.problems(places, events, known)
