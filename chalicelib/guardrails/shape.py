"""The shape of guardrails.yaml, as JSON Schema, and everything that can be wrong with such a file.

`chalicelib/guardrails.schema.json` is what `write` makes of it; editors complete and check by it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chalicelib import durations
from chalicelib.errors import Invalid, InvalidPlaybook, Problem
from chalicelib.finding import ATTRIBUTES
from chalicelib.guardrails.configuration import MEMBERS
from chalicelib.guardrails.limits import LARGEST
from chalicelib.paths import suggest
from chalicelib.playbook import reading
from chalicelib.playbook.schema import Schema, object_of
from chalicelib.playbook.values import MODES
from chalicelib.text import one_line

SCHEMA_FILE = Path(__file__).resolve().parents[1] / "guardrails.schema.json"
Found = Iterator[tuple[str, str]]

ACCOUNT = "^[0-9]{12}$"
UNIT = "^ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}$"  # Organizations API reference, OrganizationalUnit
RESOURCE = r"^arn:[a-z*-]+:[a-z0-9*-]+:[a-z0-9*-]*:([0-9*?]{1,12})?:\S+$"
PRINCIPAL = r"^(arn:[a-z*-]+:iam::[0-9*?]{1,12}:(user|role|\*)/\S+|[A-Za-z0-9+=,.@_*?-]{1,64})$"


def _listed(description: str, pattern: str, each: str) -> Schema:
    items = {"type": "string", "pattern": pattern, "maxLength": 300, "description": each}
    return {"type": "array", "description": description, "uniqueItems": True, "items": items}


def _modes(description: str) -> Schema:
    mode = {"enum": list(MODES), "description": "observe, approve or enforce"}
    return {"type": "object", "description": description, "additionalProperties": mode}


def _duration() -> Schema:
    about = f"the time in which they are counted: {durations.WANTED}"
    return {"type": "string", "pattern": durations.GRAMMAR, "description": about}


def _number(largest: int, description: str) -> Schema:
    bounds = {"type": "integer", "minimum": 1, "maximum": largest}
    return {**bounds, "description": f"{description}: a whole number, 1 to {largest:,}"}


def _limit(description: str) -> Schema:
    count = _number(LARGEST, "how many go by themselves")
    return object_of(description, ("count", "per"), count=count, per=_duration())


SHARE = object_of(
    "a share of the instances of a VPC",
    ("percent", "of", "per"),
    percent=_number(100, "how many of a hundred"),
    of={"enum": ["vpc"], "description": "vpc: the running instances of the VPC"},
    per=_duration(),
)
SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Firebreak guardrails",
    **object_of(
        "the guardrails that hold for every playbook",
        exempt=object_of(
            "what is left alone outright",
            accounts=_listed("account ids", ACCOUNT, "a 12-digit account id, in quotes"),
            resources=_listed(
                "ARN patterns of resources",
                RESOURCE,
                "an ARN, * and ? allowed, such as arn:aws:ec2:*:*:instance/i-0abc",
            ),
            principals=_listed(
                "users and roles that respond to incidents",
                PRINCIPAL,
                "the ARN of a user or role, or the name of a role, * and ? allowed",
            ),
        ),
        modes=object_of(
            "modes in place of the playbooks' own",
            accounts=_modes("account id → mode"),
            organizational_units=_modes("id of an organizational unit → mode"),
        ),
        limits=object_of(
            "past them, remediations wait for a person until one re-arms them",
            total=_limit("of all remediations"),
            account=_limit("of each account"),
            kind={
                "type": "object",
                "description": "kind of resource → limit",
                "additionalProperties": _limit("of each resource of the kind"),
            },
            share=object_of("of a fleet", instance=SHARE),
        ),
    ),
}


def text() -> str:
    """Return what the schema's file has to say."""
    return json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"


def problems(path: Path) -> list[Problem]:
    """Return everything that is wrong with a file: where, what, and what is right."""
    try:
        document = reading.read(path, MEMBERS)
    except InvalidPlaybook as invalid:
        return list(invalid.problems)
    found = {*_shape(document), *_meaning(document)}
    return sorted(
        Problem(str(path), one_line(where, 500), one_line(what, 1_000)) for where, what in found
    )


def _shape(document: Mapping[str, Any]) -> Found:
    from jsonschema import Draft202012Validator

    from chalicelib.playbook.explain import explain

    for error in Draft202012Validator(SCHEMA).iter_errors(document):
        yield from explain(error)


def _meaning(document: Mapping[str, Any]) -> Found:
    """Yield what is wrong though its shape is right; what has none is passed over, being said."""
    exempt, modes = (_mapping(document.get(name)) for name in ("exempt", "modes"))
    yield from _keys(modes)
    for account in _mapping(modes.get("accounts")):
        if account in _texts(exempt.get("accounts")):
            yield f"modes.accounts.{account:.60}", "is exempt already: write one or the other"
    for name in ("resources", "principals"):
        for index, pattern in enumerate(_texts(exempt.get(name))):
            if not pattern.rpartition(":")[2].rpartition("/")[2].strip("*?"):
                most = "write what is meant" if name == "resources" else "name them"
                where = f"exempt.{name}[{index}]"
                yield where, f"is {pattern:.60}, which would exempt all of them: {most}"
    yield from _limits(_mapping(document.get("limits")))


def _keys(modes: Mapping[str, Any]) -> Found:
    wanted = {
        "accounts": (ACCOUNT, "a 12-digit account id"),
        "organizational_units": (
            UNIT,
            "the id of an organizational unit, such as ou-ab12-cdef3456",
        ),
    }
    for name, (pattern, right) in wanted.items():
        for key in _mapping(modes.get(name)):
            if not re.search(pattern, key):
                yield f"modes.{name}.{key:.60}", f"is not {right}"


def _limits(limits: Mapping[str, Any]) -> Found:
    kinds = _mapping(limits.get("kind"))
    for kind in sorted(set(kinds) - set(ATTRIBUTES)):
        yield f"limits.kind.{kind:.60}", f"is no kind of resource: {suggest(kind, ATTRIBUTES)}"
    places = {f"kind.{kind}": each for kind, each in kinds.items()}
    places |= {name: limits.get(name) for name in ("total", "account")}
    places |= {f"share.{kind}": each for kind, each in _mapping(limits.get("share")).items()}
    for place, each in places.items():
        per = _mapping(each).get("per")
        if isinstance(per, str) and (why := _window(per)):
            yield f"limits.{place}.per", why


def _window(per: str) -> str:
    """Say what is wrong with a window; a shape that is wrong is said already."""
    if not re.search(durations.GRAMMAR, per):
        return ""
    try:
        if durations.seconds(per) == 0:
            return f"is {per}, but has to be more than nothing: {durations.WANTED}"
    except Invalid as wrong:
        return str(wrong)
    return ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
