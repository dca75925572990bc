"""What a person asks for, read strictly: a decision, the plan that it is about, and why."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from chalicelib.errors import NotDecided, Rejected
from chalicelib.fields import Fields, each_once

DECISIONS = ("approved", "denied")
KNOWN = ("decision", "plan", "reason")
LARGEST = 8_192  # bytes of a body
LONGEST = 500  # characters of a reason
HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold what is decided: `approved` or `denied`, of the plan with this hash, and why."""

    decision: str
    plan: str
    reason: str


def read(body: bytes) -> Asked:
    """Return what a request's body asks for. Raise NotDecided where it is not exactly that."""
    try:
        return _read(Fields(_parsed(body), "body"))
    except Rejected as wrong:
        raise NotDecided(400, "invalid", str(wrong)) from wrong


def _read(fields: Fields) -> Asked:
    if not isinstance(fields.value, dict):
        fields.reject("has to be an object")
    for name in sorted(set(fields.value) - set(KNOWN)):
        Fields(None, f"body.{name:.40}").reject(f"is not known here; known are {', '.join(KNOWN)}")
    decision, plan = fields.identifier("decision"), fields.identifier("plan")
    if decision not in DECISIONS:
        fields.child("decision").reject(f"has to be {' or '.join(DECISIONS)}")
    if not HASH.fullmatch(plan):
        fields.child("plan").reject("is no plan's hash: 64 hexadecimal digits, lower case")
    return Asked(decision, plan, fields.identifier("reason", "", max_length=LONGEST).strip())


def _parsed(body: bytes) -> Any:
    at = Fields(None, "body")
    if len(body) > LARGEST:
        at.reject(f"is longer than {LARGEST} bytes")
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=each_once)
    except (ValueError, RecursionError):
        return at.reject("is no JSON in UTF-8 in which each key stands once")
