"""A bench for the runner: throw-away actions on SSM parameters, driven through the machine's door.

A parameter is an element that is read, written and removed in one call each, and costs nothing to
make. LAG holds what the next reads of one show instead of the truth, as AWS does for a while.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import actions as registry
from chalicelib import audit, effect, lifecycle, machine, store
from chalicelib.actions import action, actions
from chalicelib.audit import Entry
from chalicelib.effect import Call, Change, Effects, Evidence, FixtureState, Message, Probe
from chalicelib.errors import NotApplicable, Refused, StepFailed
from chalicelib.finding import Finding, Resource, document
from chalicelib.table import Item, Put
from firebreak import roles
from firebreak.cloud import CallInfo, Cloud, ProcessKilled
from firebreak.stage import Stage, staged
from tests.worlds import DESK

ACCOUNT, REGION = "222233334444", "us-east-1"
GONE = "GONE"  # the value of a parameter that counts as no longer existing
WRITES = ("PutParameter", "DeleteParameter", "Publish")
TEXT = {"type": "string", "pattern": "^[a-z/-]{1,40}$", "description": "a plain name"}
ANYTHING: dict[str, Any] = {"default": None, "description": "anything"}
SSM = ("ssm:GetParameter", "ssm:PutParameter", "ssm:DeleteParameter")
LAG: dict[str, list[Any]] = {}
MADE = SimpleNamespace()  # the makers of probes, edits and fixtures, while they are registered

FINDING = Finding(
    id="0123456789abcdef0123456789abcdef",
    source="aws.guardduty",
    type="CryptoCurrency:EC2/BitcoinTool.B",
    title="An instance talks to a mining pool",
    severity=8.0,
    account=ACCOUNT,
    region=REGION,
    resource=Resource("instance", "i-0123456789abcdef0"),
)


# --- elements -------------------------------------------------------------------------------------


def read(aws: Any, name: str) -> str | None:
    """Read a parameter as an action would."""
    if LAG.get(name):
        shown = LAG[name].pop(0)
        return None if shown is None else str(shown)
    try:
        found = str(aws.read("ssm", "get_parameter", Name=name)["Parameter"]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        return None
    if found == GONE:
        raise NotApplicable(f"{name} does not exist (any more)")
    return found


def value(aws: Any, *, name: str) -> Any:
    """Return a parameter's value."""
    return read(aws, name)


def level(aws: Any, *, name: str) -> Any:
    """Return a parameter's value as a number, of which more is stronger."""
    found = read(aws, name)
    return None if found is None else int(found)


def entry(aws: Any, *, name: str, element: str) -> Any:
    """Return whether a document that others write too holds an element."""
    return element in json.loads(read(aws, name) or "[]") or None


def add(content: Any, *, element: str) -> Any:
    """Return the document with an element. Raise Refused where it is full."""
    if "full" in content:
        raise Refused("full", "there is no room")
    return content if element in content else [*content, element]


def remove(content: Any, *, element: str) -> Any:
    """Return the document without an element."""
    return [each for each in content if each != element]


def _document(aws: Any, name: str) -> tuple[Any, Any]:
    return json.loads(read(aws, name) or "[]"), None


def _write(before: Any, after: Any, token: Any, name: str) -> Call:
    return put(name, json.dumps(after))


def own(aws: Any, *, name: str) -> FixtureState:
    """Say what makes a parameter of Firebreak's own right: two parts, one after the other."""
    found = read(aws, name)
    if found is None:
        return FixtureState(None, (put(name, "half"), put(effect.placeholder("whole"), "whole")))
    if found == "half":
        return FixtureState(name, (put(name, "whole"),))
    if found != "whole":
        raise Refused("fixture_differs", f"{name} is {found}")
    return FixtureState(name)


def put(name: str, value: Any) -> Call:
    """Return the call that sets a parameter."""
    return Call("ssm", "put_parameter", Name=name, Value=str(value), Type="String", Overwrite=True)


def delete(name: str) -> Call:
    """Return the call that removes a parameter."""
    return Call("ssm", "delete_parameter", Name=name)


def back(name: str, before: Any) -> Call:
    """Return the call that sets a parameter to what it was."""
    return delete(name) if before is None else put(name, before)


def change(aws: Any, name: str, want: Any, probe: Probe | None = None, **more: Any) -> Change:
    """Return the change of a parameter, with its way back."""
    probe = probe or MADE.value(name=name)
    return Change(probe, want=want, do=put(name, want), undo=back(name, aws.look(probe)), **more)


# --- actions --------------------------------------------------------------------------------------


def set_value(aws: Any, name: str, want: Any) -> Effects:
    """Set a parameter."""
    shown = yield change(aws, name, want)
    return {"name": name, "shown": shown}


def set_late(aws: Any, name: str, want: Any) -> Effects:
    """Set a parameter of a service that shows a change only after a while."""
    shown = yield change(aws, name, want, MADE.late(name=name))
    return {"shown": shown}


def raise_level(aws: Any, name: str, want: Any) -> Effects:
    """Raise a parameter to a level at least."""
    yield change(aws, name, want, MADE.level(name=name))
    return {}


def add_entry(aws: Any, name: str, element: str) -> Effects:
    """Add an element to a document that others write too."""
    what = {"at": {"name": name}, "element": element}
    yield Change(
        MADE.entry(name=name, element=element),
        want=True,
        do=MADE.add(**what),
        undo=MADE.remove(**what),
    )
    return {}


def several(aws: Any, name: str) -> Effects:
    """Do some of everything: a change, evidence, a message."""
    shown = yield change(aws, f"{name}/a", "shut")
    kept = yield Evidence(MADE.value(name=f"{name}/kept"), do=put(f"{name}/kept", "copy"))
    yield Message(f"tell:{name}", do=put(f"{name}/told", "yes"))
    return {"shown": shown, "kept": kept}


def by_way_of(aws: Any, name: str, way: Any, end: Any) -> Effects:
    """Change a parameter by way of another value, which must not stay."""
    probe = MADE.value(name=name)
    undo = back(name, aws.look(probe))
    yield Change(probe, want=way, do=put(name, way), undo=undo, waypoint=True)
    shown = yield Change(probe, want=end, do=put(name, end), undo=undo)
    return {"shown": shown}


def use_own(aws: Any, name: str) -> Effects:
    """Set a parameter to the name of Firebreak's own."""
    own = yield MADE.own(name=f"{name}/own")
    again = yield MADE.own(name=f"{name}/own")
    yield change(aws, f"{name}/a", own)
    return {"own": [own, again]}


PARAMS: Mapping[str, Any] = {"name": TEXT, "want": ANYTHING}
ACTIONS: tuple[tuple[Callable[..., Effects], Mapping[str, Any]], ...] = (
    (set_value, PARAMS),
    (set_late, PARAMS),
    (raise_level, PARAMS),
    (add_entry, {"name": TEXT, "element": TEXT}),
    (several, {"name": TEXT}),
    (use_own, {"name": TEXT}),
    (by_way_of, {"name": TEXT, "way": ANYTHING, "end": ANYTHING}),
)


def register(run: Callable[..., Effects], params: Mapping[str, Any] = PARAMS, **more: Any) -> str:
    """Register a function as an action until the test ends; return its name."""
    action(params=params, permissions=(*SSM, "sns:Publish"), **more)(run)
    actions.cache_clear()
    return run.__name__


@contextmanager
def throw_away() -> Iterator[None]:
    """Register the bench's probes, edits, fixtures and actions for the length of a `with`."""
    tables: list[dict[str, Any]] = [
        effect.REGISTRY.probes,
        effect.REGISTRY.editors,
        effect.REGISTRY.fixtures,
        effect.PROBES,
        registry._REGISTERED,
    ]
    actions()
    before = [dict(table) for table in tables]
    edit = effect.editor(read=_document, write=_write, stale=("ParameterLimitExceeded",))
    MADE.value = effect.probe("test:value:{name}")(value)
    MADE.level = effect.probe("test:level:{name}", order="at_least")(level)
    MADE.entry = effect.probe("test:entry:{name}:{element}")(entry)
    MADE.late = effect.probe("test:late:{name}", settles=10)(lambda aws, *, name: read(aws, name))
    MADE.add, MADE.remove = edit(add), edit(remove)
    MADE.own = effect.fixture("test:own:{name}")(own)
    try:
        for run, params in ACTIONS:
            register(run, params)
        roles.member_texts.cache_clear()
        yield
    finally:
        for table, saved in zip(tables, before, strict=True):
            table.clear()
            table.update(saved)
        actions.cache_clear()
        roles.member_texts.cache_clear()
        LAG.clear()


# --- the bench ------------------------------------------------------------------------------------


@dataclass
class Bench:
    """Hold a stage, and drive remediations on it one request at a time."""

    stage: Stage
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def cloud(self) -> Cloud:
        """Return the embedded AWS."""
        return self.stage.cloud

    @property
    def desk(self) -> Any:
        """Return the desk that the functions work with."""
        return self.stage.desk

    # --- AWS ---

    @property
    def ssm(self) -> Any:
        """Return an administrator's client in the account acted in."""
        return self.cloud.session(ACCOUNT).client("ssm")

    def set(self, name: str, to: Any) -> None:
        """Set a parameter, as somebody else would."""
        self.ssm.put_parameter(Name=name, Value=str(to), Type="String", Overwrite=True)

    def get(self, name: str) -> str | None:
        """Return a parameter's value."""
        try:
            return str(self.ssm.get_parameter(Name=name)["Parameter"]["Value"])
        except self.ssm.exceptions.ParameterNotFound:
            return None

    def everything(self) -> dict[str, str]:
        """Return every parameter's value."""
        pages = self.ssm.get_paginator("describe_parameters").paginate()
        names = sorted(each["Name"] for page in pages for each in page["Parameters"])
        return {name: str(self.get(name)) for name in names}

    def written(self, since: int = 0) -> list[str]:
        """Return the calls that write which Firebreak tried, as `operation name value`."""
        return [said(call) for call in self.cloud.calls[since:] if writes(call)]

    @contextmanager
    def injecting(self, hook: Callable[[CallInfo], None]) -> Iterator[None]:
        """Consult a hook before and after each call for the length of a `with`."""
        self.cloud.inject = hook
        try:
            yield
        finally:
            self.cloud.inject = None

    # --- remediations ---

    def admit(self, *steps: Mapping[str, Any], **fields: Any) -> str:
        """Record a remediation of a playbook with these steps; return its id."""
        identity = f"{next(self.numbers):024x}"
        finding = fields.pop("finding", FINDING)
        playbook = {
            "name": "test",
            "title": "A test",
            "match": {"source": ["aws.guardduty"]},
            "target": "$.finding.resource",
            "guardrails": {"mode": fields.get("mode", "enforce"), "cooldown": "1h"},
            "steps": [_step(number, step) for number, step in enumerate(steps)],
        }
        head = store.Remediation(
            id=identity,
            playbook=playbook | fields.pop("playbook", {}),
            finding_parts=store.put_finding(self.desk.tables, identity, document(finding)),
            finding_id=finding.id,
            account=finding.account,
            region=finding.region,
            partition=finding.partition,
            target=finding.resource.id,
            gate=f"gate-{identity}",
            generation=1,
            **{"mode": "enforce", "why": "", "created_at": "2026-11-21T00:00:00.000Z", **fields},
        )
        entry = Entry(identity, "admitted", {}, {})
        self.desk.tables.commit(entry, lambda _seq: [Put(store.meta_item(head))])
        return identity

    def ask(self, identity: str, do: str, request: str = "", **more: Any) -> dict[str, Any]:
        """Ask `run_step` as the state machine would, under a new request id."""
        event = {"do": do, "remediation": identity, **more}
        return machine.handle(self.desk, event, request or f"request-{next(self.numbers)}", 300.0)

    def step(self, identity: str, name: str = "step", phase: str = "apply", **more: Any) -> str:
        """Run a step as the state machine would; return its status, `stopped` where it stops."""
        try:
            return str(self.ask(identity, "step", step=name, **{"pass": phase}, **more)["status"])
        except StepFailed:
            return "stopped"

    def apply(self, run: str, **params: Any) -> str:
        """Apply one action in a remediation of its own; return its id."""
        identity = self.admit({"action": run, "with": params})
        self.step(identity)
        return identity

    def undo(self, identity: str, **told: Any) -> dict[str, str]:
        """Take back what can be; return how each element fared, by its name."""
        lifecycle.move(self.desk, identity, "told", lambda head: _told(head, told), {})
        while self.ask(identity, "undo")["more"]:
            pass
        return {name_of(row["key"]): row["result"] for row in self.rows(identity)}

    def rows(self, identity: str) -> list[dict[str, Any]]:
        """Return how each element fared that was taken back."""
        return [dict(row) for row in self.head(identity).undo["results"]]

    def later(self, seconds: float = 3_600.0) -> None:
        """Let time pass, so that leases and locks run out."""
        self.desk.clock.sleep(seconds)

    # --- records ---

    def head(self, identity: str) -> store.Remediation:
        """Return a remediation's head."""
        return lifecycle.head_of(self.desk, identity)

    def result(self, identity: str, phase: str = "apply", step: str = "step") -> Any:
        """Return how a step ended in a pass, None where it has not."""
        name = store.pass_name(self.head(identity), phase)
        found = store.results(self.desk.tables, identity, name)
        return next((each for each in found if each.step == step), None)

    def effects(self, identity: str) -> list[store.Effect]:
        """Return the recorded effects in order."""
        return store.effects(self.desk.tables, identity)

    def states(self, identity: str) -> dict[str, str]:
        """Return the state of each effect, by the name of its element and its number."""
        return {f"{name_of(e.key)}#{e.n}": e.state for e in self.effects(identity)}

    def hold(self, name: str, kind: str = "value") -> store.Hold | None:
        """Return the hold on a parameter."""
        key = f"{ACCOUNT}/{REGION}/test:{kind}:{name}"
        (item,) = self.desk.tables.get(store.hold_key(key))
        return store.load(store.Hold, item) if item else None

    def kinds(self, identity: str) -> list[str]:
        """Return the kinds of a remediation's audit records in order; the chain must hold."""
        records = self.desk.tables.records(identity)
        assert audit.verify(records).valid
        return [record.kind for record in records]

    def halt(self, reason: str = "drill") -> None:
        """Turn the kill switch on."""
        self.desk.tables.put(Item(*store.HALT, {"halted": True, "reason": reason}))

    def ending(self, identity: str) -> dict[str, Any]:
        """Return all that a run left, but for numbers that differ between runs."""
        made = self.effects(identity)
        names = "kind key n state before want after do undo verified result".split()
        return {
            "effects": sorted(json.dumps([getattr(e, n) for n in names]) for e in made),
            "results": [
                (r.step, r.index, r.status, r.reason, json.dumps(r.facts))
                for r in store.results(self.desk.tables, identity, "apply")
            ],
            "locks": [hold.lock for hold in self._holds(made)],
            "status": self.head(identity).status,
        }

    def foreseen(self, identity: str) -> bool:
        """Say whether what is about to be called stands on record as intended."""
        if any(each.state in ("intent", "undoing") for each in self.effects(identity)):
            return True
        return bool(self.desk.tables.head(identity).kind == "fixture")

    def _holds(self, made: list[store.Effect]) -> list[store.Hold]:
        keys = [store.hold_key(each.key) for each in made if each.kind == "change"]
        found = self.desk.tables.get(*keys) if keys else []
        return [store.load(store.Hold, item) for item in found if item]


def _step(number: int, step: Mapping[str, Any]) -> dict[str, Any]:
    if "parallel" in step:
        return {"parallel": [_step(0, each) for each in step["parallel"]]}
    return {"name": "step" if number == 0 else f"step-{number}", "on_error": "stop", **step}


def _told(head: store.Remediation, told: Mapping[str, Any]) -> store.Remediation:
    from dataclasses import replace

    number = int(head.undo.get("number", 0)) + 1
    return replace(head, undo={**told, "results": [], "number": number})


def name_of(key: str) -> str:
    """Return the parameter that a state-key is about."""
    return key.split(":", 2)[-1]


def key_of(name: str, kind: str = "value") -> str:
    """Return the state-key of a parameter."""
    return f"{ACCOUNT}/{REGION}/test:{kind}:{name}"


def writes(call: CallInfo) -> bool:
    """Say whether a call is one of Firebreak's that changes an element."""
    return call.operation in WRITES and not call.caller.endswith(":root")


def commits(kind: str) -> Callable[[CallInfo], bool]:
    """Return what says whether a call has just written a record of a kind."""

    def about(call: CallInfo) -> bool:
        if call.operation != "TransactWriteItems" or call.phase != "after":
            return False
        record = json.loads(call.params["TransactItems"][-1]["Put"]["Item"]["record"]["S"])
        return bool(record["kind"] == kind)

    return about


def wrote(call: CallInfo) -> bool:
    """Say whether a call has just changed an element."""
    return call.phase == "after" and writes(call)


def changed(call: CallInfo) -> bool:
    """Say whether a call has just written, to the table or an element.

    Killed after a read, a process leaves what it left after the write before.
    """
    return call.phase == "after" and call.operation in (*WRITES, "PutItem", "TransactWriteItems")


def said(call: CallInfo) -> str:
    """Return a call in a few words."""
    shown = call.params.get("Value")
    words = (call.operation, call.params.get("Name"), *([shown] if shown else []))
    return " ".join(str(word) for word in words)


@contextmanager
def running() -> Iterator[Bench]:
    """Give a bench in a fresh embedded AWS."""
    with throw_away(), Cloud() as cloud, staged(cloud, {}, trusted=DESK) as stage:
        stage.admit_account(ACCOUNT)
        yield Bench(stage)


# --- faults ---------------------------------------------------------------------------------------


@dataclass
class Fault:
    """Raise an error at the n-th moment before or after an AWS call, and count what took effect."""

    at: int
    error: Callable[[CallInfo], BaseException] = lambda _call: ProcessKilled()
    about: Callable[[CallInfo], bool] = lambda _call: True
    watched: Callable[[], bool] = lambda: True
    seen: int = 0
    raised: CallInfo | None = None
    effective: Counter[str] = field(default_factory=Counter)
    unforeseen: list[str] = field(default_factory=list)
    watching: bool = False

    def __call__(self, call: CallInfo) -> None:
        """Look at one moment around one call; what `watched` itself calls is not looked at."""
        if self.watching:
            return
        if writes(call):
            self._watch(call)
        if not self.about(call):
            return
        self.seen += 1
        if self.seen == self.at + 1:
            self.raised = call
            raise self.error(call)

    def _watch(self, call: CallInfo) -> None:
        if call.phase == "after":
            self.effective[said(call)] += 1
            return
        self.watching = True
        if not self.watched():
            self.unforeseen.append(said(call))
        self.watching = False


def refused(code: str, status: int = 400) -> Callable[[CallInfo], BaseException]:
    """Return what makes the service's own error of a code."""

    def make(call: CallInfo) -> BaseException:
        response: Any = {
            "Error": {"Code": code, "Message": "injected"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        return ClientError(response, call.operation)

    return make
