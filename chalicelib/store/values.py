"""What is stored of a remediation: its head, its steps, its effects and their holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.effect import JSON

PHASES = ("plan", "wait", "apply", "undo", "closed")
HALT = ("CONTROL", "HALT")


@dataclass(frozen=True, slots=True)
class Remediation:
    """Hold one playbook's work on one target.

    phase: which pass may write (the fence). status: `open`, then how it was closed. plan: the hash
    of the plan that was shown, once there is one; plans: how many were made before. decision: what
    a person said of it. undo: what a roll-back was told and how each change fared. finding_parts:
    how many items the finding lies in. kind: of the resource. due: what is to be done later, and
    when (seconds since 1970). machine_version: of the playbook's state machine that it runs on, 0
    where none was published.
    """

    id: str
    playbook: Mapping[str, JSON]
    finding_parts: int
    finding_id: str
    account: str
    region: str
    partition: str
    target: str
    gate: str
    generation: int
    mode: str
    why: str
    created_at: str
    phase: str = "apply"
    status: str = "open"
    plan: Mapping[str, JSON] = field(default_factory=dict)
    plans: int = 0
    token: str = ""
    waits_until: int = 0
    decision: Mapping[str, JSON] = field(default_factory=dict)
    started: bool = False
    reason: str = ""
    undo: Mapping[str, JSON] = field(default_factory=dict)
    severity: float = 0.0
    kind: str = ""
    due: Mapping[str, int] = field(default_factory=dict)
    machine_version: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True)
class StepResult:
    """Hold how one step (or one item of it) ended in one pass."""

    step: str
    index: int
    action: str
    status: str
    reason: str = ""
    facts: Mapping[str, JSON] = field(default_factory=dict)
    items: tuple[Mapping[str, JSON], ...] = ()  # of a plan: what would be done


@dataclass(frozen=True, slots=True)
class Effect:
    """Hold one effect of a step: intended, made, taken back.

    key: the state-key with account and region. n: which of that key in the step. seq: the number of
    the audit record of its intent, which orders effects. state: `intent`, `done`, `failed`,
    `undoing`, `undone`. call: what was called, None where live state was right already. undone_in:
    the number of the roll-back that took it back.
    """

    kind: str
    key: str
    step: str
    index: int
    n: int
    seq: int
    state: str
    action: str
    probe: Mapping[str, JSON] | None = None
    order: str = "equal"
    settles: int = 0
    before: JSON = None
    want: JSON = None
    after: JSON = None
    do: Mapping[str, JSON] | None = None
    undo: Mapping[str, JSON] | None = None
    final: str | None = None
    not_before: float = 0.0
    call: Mapping[str, JSON] | None = None
    verified: bool = False
    result: str = ""
    waypoint: bool = False
    account: str = ""
    region: str = ""
    params: Mapping[str, JSON] = field(default_factory=dict)
    undone_in: int = 0

    @property
    def sk(self) -> str:
        """Return the sort key: the same for the same effect of a retried step."""
        return f"EFFECT#{self.step}#{self.index}#{short_hash(self.key)}#{self.n}"

    @property
    def wisher(self) -> str:
        """Return under which name this effect's step wishes on a hold."""
        return f"{self.step}#{self.index}"


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold what several remediations want of one state-key, and the way back to before them all.

    wishes: by `remediation/step#index`, each {want, order, do, by}. `by` and undo_by name action,
    parameters, account and region that the call is made with. standing: what Firebreak last saw
    there after acting. lock: which wish is being worked on, until `locked_until`.
    """

    key: str
    baseline: JSON = None
    undo: Mapping[str, JSON] | None = None
    standing: JSON = None
    wishes: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    lock: str = ""
    locked_until: int = 0
    version: int = 0
    undo_by: Mapping[str, JSON] = field(default_factory=dict)


def short_hash(text: str) -> str:
    """Return 24 hex digits that stand for a text of any length."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
