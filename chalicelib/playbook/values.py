"""The values a playbook is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from chalicelib import paths
from chalicelib.effect import canonical_text

OBSERVE, APPROVE, ENFORCE = MODES = ("observe", "approve", "enforce")
STOP, CONTINUE = "stop", "continue"
KEEP, ROLL_BACK = "keep", "roll_back"
HOUR = 3_600
INDICATORS = frozenset(
    "indicators remote_addresses remote_cidrs remote_domains remote_ports local_ports "
    "detail".split()
)


@dataclass(frozen=True, slots=True)
class Step:
    """Hold one step: an action and what it is given.

    params: literals, paths and texts with paths inserted. when: an event pattern over the finding,
    earlier steps' facts and the item. for_each: the path of the list whose items it runs for.
    on_error: `stop`, or `continue` where a failure is passed over.
    """

    name: str
    action: str
    params: Mapping[str, Any] = field(default_factory=dict)
    when: Mapping[str, Any] | None = None
    for_each: str | None = None
    on_error: str = STOP
    accept_irreversible: bool = False


@dataclass(frozen=True, slots=True)
class Parallel:
    """Hold steps that run at the same time."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """Hold how many remediations of a playbook may be admitted in how many seconds."""

    count: int
    per: int


@dataclass(frozen=True, slots=True)
class Guardrails:
    """Hold what bounds a playbook; durations in seconds.

    mode: `observe` plans and records, `approve` waits for a person, `enforce` acts. cooldown: how
    long repeats of what was handled are left alone. review_after: when a person is asked whether
    the containment is still needed. expires_after: when it is taken back unasked.
    """

    mode: str = OBSERVE
    cooldown: int = HOUR
    limit: Limit | None = None
    exempt_tags: Mapping[str, str] = field(default_factory=dict)
    review_after: int | None = None
    expires_after: int | None = None
    approve_within: int = 4 * HOUR


@dataclass(frozen=True, slots=True)
class Example:
    """Hold a recorded event, by its path under tests/events, and what is to come of it.

    decision: what replay reports, `no_playbook` where the event does not match. steps: the status
    that steps are to end with.
    """

    event: str
    decision: str
    steps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Playbook:
    """Hold one playbook; `match` is an event pattern, `target` the path of what is contained."""

    name: str
    title: str
    match: Mapping[str, Any]
    target: str
    steps: tuple[Step | Parallel, ...]
    guardrails: Guardrails = Guardrails()
    description: str = ""
    on_failure: str = KEEP
    on_failure_reason: str | None = None
    examples: tuple[Example, ...] = ()

    def all_steps(self) -> tuple[Step, ...]:
        """Return every step, in the order they are written."""
        return tuple(
            step
            for entry in self.steps
            for step in (entry.steps if isinstance(entry, Parallel) else (entry,))
        )

    def step(self, name: str) -> Step:
        """Return the step of this name. Raise KeyError where there is none."""
        return {step.name: step for step in self.all_steps()}[name]

    @cached_property
    def indicators(self) -> tuple[str, ...]:
        """Return the paths of what the steps act upon besides the target, sorted.

        These are the whole values below INDICATORS; what a text merely mentions does not count.
        """
        values = [(step.params, step.for_each) for step in self.all_steps()]
        return tuple(sorted({path for path in _whole_paths(values) if _is_indicator(path)}))

    @cached_property
    def version(self) -> str:
        """Return a hash of the playbook's content."""
        return hashlib.sha256(canonical_text(asdict(self)).encode()).hexdigest()[:16]


def _whole_paths(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _whole_paths(each)
    elif paths.is_path(value):
        yield value


def _is_indicator(path: str) -> bool:
    root, *rest = paths.parse(path).parts
    return root == "finding" and bool(rest) and rest[0] in INDICATORS
