"""What an action yields: the effects it wants, as data to be planned, recorded and taken back.

Functions that must be found again from a record (probes, editors, fixtures) are registered under
`module.function`, so that an undo needs nothing but the record.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

FIXTURE_TAG = "firebreak:fixture"  # on what is Firebreak's own, with which of them it is
JSON = Any  # None, bool, int, float, str, list, dict; sets and tuples are made canonical


class Reader(Protocol):
    """Read AWS for an action, in the account and region it acts in.

    `finding` is the finding's document, `remediation`, `playbook` and `step` say on whose behalf,
    `topic_arn` where messages go. In a plan, `look` answers what earlier steps of the same plan
    want, and a read that would hold a placeholder is not sent.
    """

    @property
    def account(self) -> str:
        """Return the account that is acted in."""

    @property
    def region(self) -> str:
        """Return the region that is acted in."""

    @property
    def partition(self) -> str:
        """Return the partition, such as `aws`."""

    @property
    def finding(self) -> Mapping[str, Any]:
        """Return the finding's document."""

    @property
    def remediation(self) -> str:
        """Return the remediation's id."""

    @property
    def playbook(self) -> str:
        """Return the playbook's name."""

    @property
    def step(self) -> str:
        """Return the step's name."""

    @property
    def topic_arn(self) -> str:
        """Return the topic that messages go to."""

    @property
    def stage(self) -> str:
        """Return the stage's name."""

    @property
    def own_networks(self) -> tuple[str, ...]:
        """Return the public networks of one's own, which are never blocked."""

    @property
    def responders(self) -> tuple[str, ...]:
        """Return the ARN patterns of what is never contained."""

    def now(self) -> str:
        """Return this moment, UTC, `2026-11-21T10:00:00Z`; in a plan a placeholder."""

    def read(self, service: str, operation: str, /, **params: JSON) -> dict[str, Any]:
        """Return the response of one read-only API call. Raise botocore's ClientError."""

    def pages(
        self, service: str, operation: str, key: str, /, **params: JSON
    ) -> list[dict[str, Any]]:
        """Return the items under `key` from every page of a read-only API call."""

    def look(self, probe: Probe) -> JSON:
        """Return what a probe reads now; in a plan, what the plan's earlier steps make of it."""


class Call:
    """Name one AWS API call: boto3 client name, method name, parameters."""

    __slots__ = ("operation", "params", "service")

    def __init__(self, service: str, operation: str, /, **params: JSON) -> None:
        self.service = service
        self.operation = operation
        self.params: Mapping[str, JSON] = params

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and self.document() == other.document()

    def __hash__(self) -> int:
        return hash(canonical_text(self.document()))

    def __repr__(self) -> str:
        return f"{self.service}.{self.operation}({canonical_text(self.params)})"

    def document(self) -> dict[str, JSON]:
        """Return the call as JSON values."""
        return {
            "service": self.service,
            "operation": self.operation,
            "params": canonical(self.params),
        }


@dataclass(frozen=True, slots=True)
class Edit:
    """Name one change of a document that others write too; it is resolved to a call when made.

    `editor` is the registered pure function, `at` says which document, `args` what to change.
    """

    editor: str
    at: Mapping[str, JSON]
    args: Mapping[str, JSON]

    def document(self) -> dict[str, JSON]:
        """Return the edit as JSON values."""
        return {"editor": self.editor, "at": canonical(self.at), "args": canonical(self.args)}


@dataclass(frozen=True, slots=True)
class Probe:
    """Name one read of one element of AWS, under a key that names its meaning.

    order: how live state satisfies a wish, a name in ORDERS. settles: seconds within which a
    change may not show yet (EC2 and IAM are eventually consistent). scope: `region` or `account`.
    """

    name: str
    args: Mapping[str, JSON]
    key: str
    order: str = "equal"
    settles: int = 0
    scope: str = "region"

    def document(self) -> dict[str, JSON]:
        """Return the probe as JSON values."""
        return {"name": self.name, "args": canonical(self.args)}


@dataclass(frozen=True, slots=True)
class Change:
    """Ensure that a probe shows `want`: `do` where it does not, `undo` to take it back.

    Exactly one of undo and final: `final` says why this cannot be taken back. `undo` must hold all
    it needs as of now, or be an Edit. not_undone_before: seconds after `do` within which undoing
    would undo the protection itself (a stolen session that still lives). waypoint: only a way to a
    later change of the same element, never left standing.
    """

    probe: Probe
    want: JSON
    do: Call | Edit
    undo: Call | Edit | None = None
    final: str | None = None
    not_undone_before: int = 0
    waypoint: bool = False

    def __post_init__(self) -> None:
        if (self.undo is None) == (self.final is None):
            raise TypeError(f"{self.probe.key}: a change has either undo or final")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Make something to keep (snapshot, image, dump); the probe shows it once it is there."""

    probe: Probe
    do: Call


@dataclass(frozen=True, slots=True)
class Message:
    """Tell somebody; at least once, known by its deduplication id."""

    key: str
    do: Call


@dataclass(frozen=True, slots=True)
class Fixture:
    """Ask for a thing of Firebreak's own (quarantine group, rule group), made where need be."""

    name: str
    args: Mapping[str, JSON]
    key: str
    scope: str = "region"


@dataclass(frozen=True, slots=True)
class FixtureState:
    """Say what a fixture is now: its value (None: not there) and the calls that make it right.

    Calls that hold a placeholder for the value are made after the fixture was read again.
    """

    value: JSON
    calls: tuple[Call, ...] = ()


Effect = Change | Evidence | Message | Fixture
Effects = Generator[Effect, Any, dict[str, JSON]]


# --- placeholders ---------------------------------------------------------------------------------

OPEN, CLOSE = "\ue000", "\ue001"  # private use: stripped from everything a finding says


def placeholder(name: str) -> str:
    """Return a stand-in for a value that a plan cannot know yet."""
    return f"{OPEN}{name}{CLOSE}"


def holds_placeholder(value: JSON) -> bool:
    """Say whether a placeholder stands anywhere in a JSON value, keys included."""
    if isinstance(value, str):
        return OPEN in value
    if isinstance(value, Mapping):
        return any(holds_placeholder(k) or holds_placeholder(v) for k, v in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return any(holds_placeholder(each) for each in value)
    return False


def strip_placeholders(value: JSON) -> JSON:
    """Return the value without the characters that mark placeholders."""
    if isinstance(value, str):
        return value.replace(OPEN, "").replace(CLOSE, "")
    if isinstance(value, Mapping):
        return {strip_placeholders(k): strip_placeholders(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [strip_placeholders(each) for each in value]
    return value


# --- canonical values -----------------------------------------------------------------------------


def canonical(value: JSON) -> JSON:
    """Return plain JSON values: sets as sorted lists, tuples as lists, keys as text."""
    if isinstance(value, Mapping):
        return {str(key): canonical(each) for key, each in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((canonical(each) for each in value), key=canonical_text)
    if isinstance(value, list | tuple):
        return [canonical(each) for each in value]
    return value


def canonical_text(value: JSON) -> str:
    """Return the one text of a JSON value: sorted keys, no spaces."""
    return json.dumps(canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


# --- how live state satisfies a wish --------------------------------------------------------------


def _at_least(live: JSON, want: JSON) -> bool:
    return live is not None and live >= want


ORDERS: Mapping[str, Callable[[JSON, JSON], bool]] = {
    "equal": lambda live, want: canonical_text(live) == canonical_text(want),
    "at_least": _at_least,
}


def satisfies(order: str, live: JSON, want: JSON) -> bool:
    """Say whether live state fulfils a wish under a named order."""
    return ORDERS[order](canonical(live), canonical(want))


# --- registered functions -------------------------------------------------------------------------

ProbeFunction = Callable[..., JSON]
FixtureFunction = Callable[..., FixtureState]


@dataclass(frozen=True, slots=True)
class Editor:
    """Hold how one document is read, changed and written.

    read(aws, **at) → (content, token); change(content, **args) → content, pure;
    write(before, after, token, **at) → Call. stale: error codes that mean: read again.
    """

    read: Callable[..., tuple[JSON, JSON]]
    change: Callable[..., JSON]
    write: Callable[..., Call]
    stale: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registry:
    """Hold the functions that records refer to by name."""

    probes: dict[str, ProbeFunction] = field(default_factory=dict)
    editors: dict[str, Editor] = field(default_factory=dict)
    fixtures: dict[str, FixtureFunction] = field(default_factory=dict)


REGISTRY = Registry()


Registered = TypeVar("Registered")


def _register(table: dict[str, Registered], function: Callable[..., Any], entry: Registered) -> str:
    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
    if name in table:
        raise TypeError(f"{name} is registered twice")
    table[name] = entry
    return name


def probe(
    key: str, *, order: str = "equal", settles: int = 0, scope: str = "region"
) -> Callable[[ProbeFunction], Callable[..., Probe]]:
    """Register a probe: `function(aws, **args)` reads one element; the result makes Probes of it.

    `key` is a format string over the arguments. The function returns canonical JSON (None where
    the element is absent) and raises NotApplicable where what would hold it no longer exists.
    """
    if order not in ORDERS:
        raise TypeError(f"order {order!r} is none of {', '.join(ORDERS)}")

    def register(function: ProbeFunction) -> Callable[..., Probe]:
        name = _register(REGISTRY.probes, function, function)

        def make(**args: JSON) -> Probe:
            return Probe(name, args, key.format(**args), order, settles, scope)

        PROBES[name] = make
        return make

    return register


PROBES: dict[str, Callable[..., Probe]] = {}


def editor(
    *,
    read: Callable[..., tuple[JSON, JSON]],
    write: Callable[..., Call],
    stale: tuple[str, ...] = (),
) -> Callable[[Callable[..., JSON]], Callable[..., Edit]]:
    """Register a pure change of a shared document; the result makes Edits: `f(at={…}, **args)`."""

    def register(change: Callable[..., JSON]) -> Callable[..., Edit]:
        name = _register(REGISTRY.editors, change, Editor(read, change, write, stale))

        def make(*, at: Mapping[str, JSON], **args: JSON) -> Edit:
            return Edit(name, at, args)

        return make

    return register


def fixture(
    key: str, *, scope: str = "region"
) -> Callable[[FixtureFunction], Callable[..., Fixture]]:
    """Register a fixture: `function(aws, **args)` reads it and says what makes it right."""

    def register(function: FixtureFunction) -> Callable[..., Fixture]:
        name = _register(REGISTRY.fixtures, function, function)

        def make(**args: JSON) -> Fixture:
            return Fixture(name, args, key.format(**args), scope)

        return make

    return register


def from_document(document: Mapping[str, JSON]) -> Call | Edit:
    """Return the call or edit that a record holds."""
    if "editor" in document:
        return Edit(document["editor"], document["at"], document["args"])
    return Call(document["service"], document["operation"], **document["params"])


def probe_from_document(document: Mapping[str, JSON]) -> Probe:
    """Return the probe that a record holds."""
    return PROBES[document["name"]](**document["args"])
