"""The shape of a playbook, as JSON Schema, with the parameters of the actions composed in.

`chalicelib/playbook.schema.json` is what `write` makes of it; editors complete and check playbooks
by it. Problems of shape are found with the same schema, without the part about actions: what is
wrong with a parameter is said better where the action is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalicelib import durations
from chalicelib.actions import Action
from chalicelib.playbook.values import CONTINUE, KEEP, MODES, ROLL_BACK, STOP

FILE = Path(__file__).resolve().parents[1] / "playbook.schema.json"
Schema = dict[str, Any]

NAME = "^[a-z][a-z0-9_]{0,49}$"
STEP_NAME = "^[a-z][a-z0-9_]{0,39}$"
EVENT = r"^[a-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){1,3}\.json$"
MOST = 1_000  # remediations that a limit counts, which an item has to hold
PATH = r"^\$\."
HAS_PATH = r"\{\$\."


def object_of(description: str, required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    """Return the shape of an object that has these members and no others."""
    return {
        "type": "object",
        "description": description,
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _list(description: str, items: Schema, least: int = 1) -> Schema:
    return {"type": "array", "description": description, "minItems": least, "items": items}


def _duration(description: str, **more: Any) -> Schema:
    wanted = f"{description}: {durations.WANTED}"
    return {"type": "string", "pattern": durations.GRAMMAR, "description": wanted, **more}


def _pattern(description: str) -> Schema:
    return {"type": "object", "description": description}


def _path(description: str) -> Schema:
    return _text(description, pattern=PATH)


GUARDRAILS = object_of(
    "what bounds the playbook",
    mode={
        "enum": list(MODES),
        "default": MODES[0],
        "description": "observe: plan and record; approve: wait for a person; enforce: act",
    },
    cooldown=_duration("how long repeats are left alone once handled", default="1h"),
    limit=object_of(
        "past so many remediations in so long, a person is asked",
        ("count", "per"),
        count={
            "type": "integer",
            "minimum": 1,
            "maximum": MOST,
            "description": f"a whole number, 1 to {MOST:,}",
        },
        per=_duration("the time in which they are counted"),
    ),
    exempt_tags={
        "type": "object",
        "description": "a resource with one of these tags waits for a person; *: any value",
        "minProperties": 1,
        "additionalProperties": _text("the value of the tag", maxLength=256),
    },
    review_after=_duration("when a person is asked whether it is still needed"),
    expires_after=_duration("when it is taken back unasked; blocks of addresses and domains only"),
    approve_within=_duration("how long a person has to approve", default="4h"),
)
DECISIONS = (
    "remediated",
    "planned",
    "awaiting_approval",
    "duplicate",
    "exempt",
    "no_playbook",
    "rejected",
    "failed",
)
STATUSES = ("done", "skipped", "not_applicable", "refused", "failed", "planned")
EXAMPLE = object_of(
    "a recorded event and what is to come of it",
    ("event", "expect"),
    event=_text("a file under tests/events, such as guardduty/low_severity.json", pattern=EVENT),
    expect=object_of(
        "what is to come of the event",
        ("decision",),
        decision={
            "enum": list(DECISIONS),
            "description": "what replay is to report; no_playbook where it does not match",
        },
        steps={
            "type": "object",
            "description": "step → the status it is to end with",
            "additionalProperties": {"enum": list(STATUSES), "description": "a step's status"},
        },
    ),
)
STEP = object_of(
    "a step: an action and what it is given",
    ("name", "action"),
    name=_text(
        "the step's name: lower-case letters, digits and _, at most 40, a letter first",
        pattern=STEP_NAME,
    ),
    action=_text("the name of an action, such as isolate_instance"),
    **{"with": {"type": "object", "description": "the parameters of the action"}},
    when=_pattern(
        "event pattern over finding, steps and item; where it fails, the step is skipped"
    ),
    for_each=_path("path of the list for whose items the step runs, each being $.item"),
    on_error={
        "enum": [STOP, CONTINUE],
        "description": "stop: a failure ends the playbook; continue: it is passed over, and shown",
    },
    accept_irreversible={
        "type": "boolean",
        "description": "true: its author knows that this step cannot be taken back",
    },
)
PARALLEL = object_of(
    "steps that run at the same time",
    ("parallel",),
    parallel=_list("at least one step", {"$ref": "#/$defs/step"}),
)
PLAYBOOK = object_of(
    "a playbook of Firebreak",
    ("name", "title", "match", "target", "steps", "examples"),
    name=_text(
        "the name of the file: lower-case letters, digits and _, at most 50, a letter first",
        pattern=NAME,
    ),
    title=_text("one line for people", minLength=1, maxLength=120),
    description=_text("what it does and when", maxLength=4_000),
    match=_pattern("event pattern of EventBridge: the events it is for"),
    target=_path("path of what is contained, such as $.finding.resource"),
    guardrails=GUARDRAILS,
    steps=_list(
        "at least one step",
        {
            "if": {"type": "object", "required": ["parallel"]},
            "then": {"$ref": "#/$defs/parallel"},
            "else": {"$ref": "#/$defs/step"},
        },
    ),
    on_failure={
        "enum": [KEEP, ROLL_BACK],
        "default": KEEP,
        "description": "what becomes of the steps taken when one fails",
    },
    on_failure_reason=_text("why rolling back is right here", minLength=10, maxLength=1_000),
    examples=_list("an event that matches and one that does not", EXAMPLE),
)


def schema(actions: Mapping[str, Action]) -> Schema:
    """Return the schema of a playbook that may use these actions."""
    step = STEP | {"allOf": [_rule(action) for action in actions.values()]}
    if actions:
        named = [{"const": each.name, "description": each.summary} for each in actions.values()]
        action = {"description": STEP["properties"]["action"]["description"], "oneOf": named}
        step["properties"] = STEP["properties"] | {"action": action}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Firebreak playbook",
        **PLAYBOOK,
        "$defs": {"step": step, "parallel": PARALLEL},
    }


def _rule(action: Action) -> Schema:
    values = {name: _or_path(parameter) for name, parameter in action.params.items()}
    then: Schema = {"properties": {"with": object_of(action.summary, action.required, **values)}}
    if action.required:
        then["required"] = ["with"]
    if action.final:
        reason = f"true; {action.final}"
        then["properties"]["accept_irreversible"] = {"const": True, "description": reason}
        then["required"] = [*then.get("required", []), "accept_irreversible"]
    return {"if": {"properties": {"action": {"const": action.name}}}, "then": then}


def _or_path(parameter: Mapping[str, Any]) -> Schema:
    about = {key: parameter[key] for key in ("description", "default") if key in parameter}
    inserted = [{"type": "string", "pattern": HAS_PATH}] if takes_text(parameter) else []
    path = {"type": "string", "pattern": PATH, "description": "a path, $.…"}
    return about | {"anyOf": [dict(parameter), path, *inserted]}


def takes_text(parameter: Mapping[str, Any]) -> bool:
    """Say whether a text with paths inserted can be a value of the parameter."""
    kinds = parameter.get("type", "string")
    return "string" in ([kinds] if isinstance(kinds, str) else kinds) and "enum" not in parameter


def is_duration(value: str) -> bool:
    """Say whether a text has the shape of a duration."""
    return re.search(durations.GRAMMAR, value) is not None


def is_event(value: str) -> bool:
    """Say whether a text has the shape of an example's path."""
    return re.search(EVENT, value) is not None


def text(actions: Mapping[str, Action]) -> str:
    """Return what the schema's file has to say."""
    return json.dumps(schema(actions), indent=2, ensure_ascii=False) + "\n"


def is_current(path: Path, actions: Mapping[str, Action]) -> bool:
    """Say whether the schema's file is what the actions make of it."""
    return path.is_file() and path.read_text(encoding="utf-8") == text(actions)


def write(path: Path, actions: Mapping[str, Action]) -> None:
    """Write the schema's file."""
    path.write_text(text(actions), encoding="utf-8")
