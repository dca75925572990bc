"""A burst of events while AWS is failing: every one decided once, at the same price to the end.

    python -m benchmarks.bench_burst [--events 10000] [--seed 1]

The events go in by the door (EventBridge, on_event, Lambda's retries, the retry queue), admission
is the real code against the real tables. Of the events 30 % are findings delivered again, 5 % are
malformed; of the calls that Firebreak makes 1 % fail, half of them after they took effect; in the
middle the tables are down for 1 % of the events. The state machine only ends: what is measured is
admission. Figures are ratios of the last thousand events to the second: Firebreak's own time (of
the processor, in the thread that functions run in; what the embedded AWS takes is measured apart),
the calls made and the characters read from the tables per event. The memory that is still held of
what chalicelib allocated is that of the third thousand and of the last but one, since tracing it
takes time.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import random
import time
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import intake, log
from chalicelib.playbook import Playbook, from_document
from firebreak import retry_queue
from firebreak.cloud import Cloud
from firebreak.cloud.calls import CallInfo
from firebreak.stage import Stage, staged

ROOT = Path(__file__).resolve().parents[1]
FINDING = json.loads((ROOT / "tests/events/guardduty/crypto_currency_ec2.json").read_text("utf-8"))
HOME, MEMBER = "111122223333", "222233334444"
DUPLICATES, MALFORMED, ARCHIVED, QUIET = 0.30, 0.05, 0.05, 0.05  # of the events
FAILING, OUTAGE = 0.01, 0.01  # of the calls; of the events
WINDOW = 1_000
SECOND, THIRD = 1, 2
ENDS = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
Event = dict[str, Any]


def light() -> Playbook:
    """Return a playbook that contains every finding of some severity, up to a limit."""
    notify = {"name": "tell", "action": "notify", "with": {"subject": "A burst", "text": "x"}}
    return from_document(
        {
            "name": "burst",
            "title": "A burst",
            "match": {"source": ["aws.guardduty"], "detail": {"severity": [{"numeric": [">", 1]}]}},
            "target": "$.finding.resource",
            "guardrails": {"mode": "enforce", "limit": {"count": 50, "per": "1h"}},
            "steps": [notify],
        }
    )


# --- the events -----------------------------------------------------------------------------------


def events(count: int, chance: random.Random) -> Iterator[tuple[str, Event]]:
    """Give events, each with the decision that is right for it."""
    admitted: list[int] = []
    for number in range(count):
        draw = chance.random()
        if draw < MALFORMED:
            yield "rejected", malformed(number, chance)
        elif draw < MALFORMED + DUPLICATES and admitted:
            yield "duplicate", finding(number, chance.choice(admitted))
        elif draw < MALFORMED + DUPLICATES + ARCHIVED:
            yield "exempt", archived(number)
        elif draw < MALFORMED + DUPLICATES + ARCHIVED + QUIET:
            yield "no_playbook", quiet(number)
        else:
            admitted.append(number)
            yield "started", finding(number, number)


def finding(number: int, of: int) -> Event:
    """Return an event about an instance of its own."""
    event: Event = copy.deepcopy(FINDING)
    event["id"], event["account"] = f"event-{number}", MEMBER
    event["detail"] |= {"accountId": MEMBER, "id": f"finding-{of}"}
    event["detail"]["resource"]["instanceDetails"]["instanceId"] = f"i-{of:017x}"
    return event


def archived(number: int) -> Event:
    """Return an event about a finding that is suppressed in GuardDuty."""
    event = finding(number, number)
    event["detail"]["service"]["archived"] = True
    return event


def quiet(number: int) -> Event:
    """Return an event that no playbook matches."""
    event = finding(number, number)
    event["detail"]["severity"] = 1
    return event


def malformed(number: int, chance: random.Random) -> Event:
    """Return an event that cannot be read, or may not be believed."""
    event = finding(number, number)
    ways: list[Callable[[], Any]] = [
        lambda: event.update(detail={"number": number}),
        lambda: event["detail"].pop("type"),
        lambda: event.update(account="999900009999"),
        lambda: event["detail"].update(resource=[]),
    ]
    chance.choice(ways)()
    return event


# --- what is measured -----------------------------------------------------------------------------


@dataclass
class Window:
    """Hold what some events took: seconds of the processor, calls, characters read, memory held."""

    events: int = 0
    seconds: float = 0.0
    aws_seconds: float = 0.0
    calls: int = 0
    read: int = 0
    held: int = 0

    @property
    def own(self) -> float:
        """Return Firebreak's own milliseconds per event."""
        return (self.seconds - self.aws_seconds) * 1_000 / self.events

    def each(self, name: str) -> float:
        """Return a figure per event."""
        return float(getattr(self, name)) / self.events


@dataclass
class Burst:
    """Hold what came of a burst."""

    wanted: dict[str, str] = field(default_factory=dict)
    decided: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    windows: list[Window] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    retried: int = 0
    dead: int = 0
    executions: list[str] = field(default_factory=list)
    admitted: int = 0

    def wrong(self) -> dict[str, list[str]]:
        """Return the events that were not decided exactly once, or not as is right.

        A copy may find its first delivery admitted and not started yet, and starts it: then one of
        the two says `duplicate` and the other `started`, in either order.
        """
        both = {"started", "duplicate"}
        return {
            event: self.decided[event]
            for event, right in self.wanted.items()
            if len(self.decided[event]) != 1
            or not (self.decided[event][0] == right or {self.decided[event][0], right} == both)
        }


class Faults:
    """Let some of the calls that functions make fail, the same ones for the same seed."""

    def __init__(self, burst: Burst, chance: random.Random) -> None:
        self._burst, self._chance = burst, chance
        self.tables_down = False

    def __call__(self, info: CallInfo) -> None:
        """Raise what AWS raises, before a call or after it took effect."""
        if info.function is None or (info.phase == "after" and info.code):
            return
        if self.tables_down and info.service == "dynamodb" and info.phase == "before":
            self._fail(info, "InternalServerError", "outage")
        if self._chance.random() < FAILING / 2:
            before = info.phase == "before"
            self._fail(info, "ThrottlingException" if before else "InternalServerError", info.phase)

    def _fail(self, info: CallInfo, code: str, kind: str) -> None:
        self._burst.faults[kind] += 1
        raise ClientError({"Error": {"Code": code, "Message": "burst"}}, info.operation)


@contextmanager
def noting(burst: Burst) -> Iterator[None]:
    """Note what intake decides of each event, whoever hands it over."""
    handle = intake.handle

    def noted(desk: Any, playbooks: Any, event: Any, request: str) -> Any:
        handled = handle(desk, playbooks, event, request)
        burst.decided[event["id"]] += [each.decision for each in handled.decisions]
        return handled

    intake.handle = noted
    try:
        yield
    finally:
        intake.handle = handle


@contextmanager
def metered(stage: Stage) -> Iterator[Callable[[], Window]]:
    """Give a function that returns what was used since it was last called."""
    calls: Any = stage.cloud.gate  # the one place that every call passes
    effect, window = calls._effect, [Window()]  # noqa: SLF001

    def timed(info: CallInfo, principal: Any, act: Any) -> Any:
        began = time.thread_time()
        try:
            response = effect(info, principal, act)
        finally:
            window[0].aws_seconds += time.thread_time() - began
        if info.function is not None:
            window[0].calls += 1
            if info.service == "dynamodb":
                window[0].read += len(str(response))
        return response

    def turned() -> Window:
        window.append(Window())
        return window.pop(0)

    calls._effect = timed  # noqa: SLF001
    try:
        yield turned
    finally:
        calls._effect = effect  # noqa: SLF001


def held() -> int:
    """Return how many bytes of what chalicelib allocated since tracing began are still held."""
    only = [tracemalloc.Filter(inclusive=True, filename_pattern=str(ROOT / "chalicelib/*"))]
    statistics = tracemalloc.take_snapshot().filter_traces(only).statistics("filename")
    return sum(each.size for each in statistics)


# --- the burst ------------------------------------------------------------------------------------


def run(count: int, seed: int = 1, *, trace: bool = True) -> Burst:
    """Send a burst through the door, drain the retry queue, and return what came of it.

    trace: measure memory too, in the first window and the last, which slows both.
    """
    burst, chance = Burst(), random.Random(seed)  # noqa: S311  # the same events each time
    playbooks: Mapping[str, Playbook] = {"burst": light()}
    with Cloud(HOME) as cloud, staged(cloud, playbooks, {}, machines=False) as stage:
        cloud.create_state_machine(f"firebreak-{stage.settings.stage}-burst", ENDS)
        mapped = stage.provide_queues()
        faults = Faults(burst, random.Random(seed + 1))  # noqa: S311
        with noting(burst), metered(stage) as turned:
            cloud.inject = faults
            send(stage, list(events(count, chance)), burst, faults, turned, trace=trace)
            burst.retried = len(cloud.failed_deliveries)
            retry_queue.drain(mapped, stage.desk.clock)
            cloud.inject = None
        gather(stage, burst)
    gc.unfreeze()
    return burst


def send(
    stage: Stage,
    sent: list[tuple[str, Event]],
    burst: Burst,
    faults: Faults,
    turned: Callable[[], Window],
    *,
    trace: bool,
) -> None:
    """Send the events in windows, and measure each window; trace memory in two of them."""
    size = min(WINDOW, max(1, len(sent) // 5))
    starts = range(0, len(sent), size)
    down = range(len(sent) // 2, len(sent) // 2 + max(1, int(len(sent) * OUTAGE)))
    turned()
    for at in starts:
        traced = trace and at in (starts[THIRD], starts[-2])
        if traced:
            tracemalloc.start()
        began = time.thread_time()
        for number, (right, event) in enumerate(sent[at : at + size], at):
            faults.tables_down = number in down
            burst.wanted[event["id"]] = right
            stage.cloud.emit(event, account=HOME)
        window = turned()
        window.seconds, window.events = time.thread_time() - began, len(sent[at : at + size])
        forget_calls(stage)
        if traced:
            window.held = held()
            tracemalloc.stop()
        burst.windows.append(window)


def forget_calls(stage: Stage) -> None:
    """Drop the calls and answers that the embedded AWS keeps, which AWS keeps in no process.

    What else it holds, the tables above all, is no business of the garbage collector's.
    """
    for arn in stage.cloud.executions[-20:]:
        stage.cloud.wait(arn)
    stage.cloud.calls.clear()
    stage.answers.clear()
    gc.collect()
    gc.freeze()


def gather(stage: Stage, burst: Burst) -> None:
    """Read what there is at the end: executions, records of admission, dead letters."""
    burst.executions = [arn.rpartition(":")[2] for arn in stage.cloud.executions]
    client = stage.cloud.session().client("dynamodb")
    pages = client.get_paginator("scan").paginate(TableName=stage.settings.audit_table)
    for page in pages:
        kinds = [json.loads(raw["record"]["S"])["kind"] for raw in page["Items"]]
        burst.admitted += kinds.count("admitted")
    answer = (
        stage.cloud.session()
        .client("sqs")
        .get_queue_attributes(
            QueueUrl=stage.settings.queue_url(stage.settings.dead_letters),
            AttributeNames=["ApproximateNumberOfMessages"],
        )
    )
    burst.dead = int(answer["Attributes"]["ApproximateNumberOfMessages"])


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    log.silence()
    began = time.perf_counter()
    burst = run(told.events, told.seed)
    show(burst, time.perf_counter() - began)


def show(burst: Burst, seconds: float) -> None:
    """Print what came of a burst."""
    right = Counter(burst.wanted.values())
    decided = Counter(each for found in burst.decided.values() for each in found)
    print(f"{len(burst.wanted)} events in {seconds:.0f} s")
    print("to be decided  ", dict(sorted(right.items())))
    print("decided        ", dict(sorted(decided.items())))
    print(
        f"failed calls    {dict(burst.faults)}; events that went to the retry queue {burst.retried}"
    )
    print(f"not decided exactly once, or not as is right: {len(burst.wrong())}")
    unique = len(set(burst.executions))
    print(f"targets {right['started']}, admitted {burst.admitted}, executions {unique}")
    print(f"dead letters {burst.dead}")
    first, last = burst.windows[SECOND], burst.windows[-1]
    one, other = burst.windows[THIRD], burst.windows[-2]
    rows = [
        ("Firebreak's own ms per event", first.own, last.own),
        ("calls per event", first.each("calls"), last.each("calls")),
        ("characters read of the tables per event", first.each("read"), last.each("read")),
        ("kilobytes still held", one.held / 1_000, other.held / 1_000),
        (
            "the embedded AWS's ms per event",
            first.each("aws_seconds") * 1_000,
            last.each("aws_seconds") * 1_000,
        ),
    ]
    print(f"{'':42} {'early':>10} {'late':>10} {'ratio':>7}   (of {first.events} events)")
    for name, before, after in rows:
        print(f"{name:42} {before:10.1f} {after:10.1f} {after / before if before else 0:6.2f}x")


if __name__ == "__main__":
    main()
