"""Count what AWS would bill of what happens in an embedded AWS.

Counted: invocations, requests by kind, DynamoDB's request units by the sizes of the items, state
transitions from the histories of executions, bytes of the log lines that functions write.

Assumed, since the embedded AWS is not as slow as AWS, nor this machine as slow as a small function:

- An invocation takes what Firebreak's own code takes of the processor here, times the share that
  a function of its memory has of one, and so many seconds a call to AWS (CALL, TABLE_CALL), and
  what it waits by the stage's clock.
- Every function that an event invokes is started cold for it, COLD seconds each.
- Each record of the audit trail is an invocation of keep_audit of its own.
- Of KMS, the most there can be: one request for each table in an invocation that uses it, though
  DynamoDB keeps a table's key for five minutes for each caller; two for each message of the topic.
- Every invocation is a trace, which sampling makes fewer of.
"""

from __future__ import annotations

import contextlib
import contextvars
import io
import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.prices import PRICES
from benchmarks.request_units import Units, stored
from chalicelib.settings import API
from firebreak.cloud.calls import CallInfo
from firebreak.cloud.lambdas import Function
from firebreak.stage import Stage

CALL, TABLE_CALL, COLD = 0.2, 0.015, 2.0  # seconds
# MB of memory of a function that has one processor:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
WHOLE_PROCESSOR = 1_769
RECORD_BYTES = 700  # that Lambda itself logs of an invocation: its start, its end and its report
EVENT_BYTES = 26  # that CloudWatch Logs adds to each line
CHUNK = 64 * 1_024  # bytes that EventBridge and SNS count as one request
MEMORY = "lambda_memory_size"
CONFIG = json.loads((Path(__file__).parents[1] / ".chalice/config.json").read_text("utf-8"))


def memory(function: str) -> int:
    """Return the megabytes that a function is given, by the nearest place that says so."""
    stage = CONFIG["stages"]["dev"]
    places = (stage["lambda_functions"].get(function, {}), stage, CONFIG)
    return next(int(each[MEMORY]) for each in places if MEMORY in each)


@dataclass
class Usage:
    """Hold what was used: what is billed by its price's name, and what it was found from."""

    billed: Counter[str] = field(default_factory=Counter)
    invocations: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0  # of functions, as assumed
    measured: float = 0.0  # of functions, on this machine
    stored: int = 0  # bytes that came into the tables
    kept: int = 0  # bytes that came into the audit bucket

    def dollars(self) -> float:
        """Return what it costs."""
        return sum(PRICES[name].of(quantity) for name, quantity in self.billed.items())

    def times(self, factor: float) -> Usage:
        """Return so many times this."""
        many = Usage(seconds=self.seconds * factor, measured=self.measured * factor)
        many.stored, many.kept = round(self.stored * factor), round(self.kept * factor)
        for name in ("billed", "invocations", "calls"):
            scaled = {key: value * factor for key, value in getattr(self, name).items()}
            setattr(many, name, Counter(scaled))
        return many

    def plus(self, other: Usage) -> Usage:
        """Return the sum of both."""
        return Usage(
            self.billed + other.billed,
            self.invocations + other.invocations,
            self.calls + other.calls,
            self.seconds + other.seconds,
            self.measured + other.measured,
            self.stored + other.stored,
            self.kept + other.kept,
        )


# --- the meter ------------------------------------------------------------------------------------


@dataclass
class Frame:
    """Hold one invocation while it runs: what its calls took, and the tables it used."""

    function: str
    called: float = 0.0
    seconds: float = 0.0
    tables: set[str] = field(default_factory=set)


frame: contextvars.ContextVar[Frame | None] = contextvars.ContextVar("frame", default=None)


class Meter:
    """Stand around the invocations and calls of a stage, and count."""

    def __init__(self, stage: Stage, usage: Usage) -> None:
        self._stage, self._usage = stage, usage
        self._units = Units(stage, usage.billed)
        self._calls: Any = stage.cloud.gate  # the one place that every call passes
        self._call, self._effect = self._calls.call, self._calls._effect  # noqa: SLF001
        self._invoke = Function.invoke

    def invoke(self, function: Function, event: Any) -> Any:
        """Invoke a function, and count it."""
        mine = Frame(function.name.removeprefix(f"firebreak-{self._stage.settings.stage}") or API)
        mine.function = mine.function.removeprefix("-")
        token = frame.set(mine)
        began, processor = time.perf_counter(), time.thread_time()
        try:
            return self._invoke(function, event)
        finally:
            frame.reset(token)
            own = time.thread_time() - processor - mine.called
            with self._calls.lock:  # branches of an execution end side by side
                self._usage.measured += time.perf_counter() - began
                self._count(mine, own)

    def _count(self, mine: Frame, own: float) -> None:
        size = memory(mine.function)
        seconds = mine.seconds + max(0.0, own) * max(1.0, WHOLE_PROCESSOR / size)
        self._usage.invocations[mine.function] += 1
        self._spend(mine.function, seconds)
        billed = self._usage.billed
        billed["lambda_requests"] += 1
        billed["traces"] += 1
        billed["kms_requests"] += len(mine.tables)
        billed["api_requests"] += mine.function == API

    def _spend(self, function: str, seconds: float) -> None:
        self._usage.seconds += seconds
        self._usage.billed["lambda_gb_seconds"] += seconds * memory(function) / 1_024

    def call(self, client: Any, operation: str, params: Any) -> Any:
        """Make a call, and take what it takes of the processor from its invocation's own."""
        mine, began = frame.get(), time.thread_time()
        try:
            return self._call(client, operation, params)
        finally:
            if mine is not None:
                mine.called += time.thread_time() - began

    def effect(self, info: CallInfo, principal: Any, act: Any) -> Any:
        """Let a call take effect, and count what of it is billed."""
        mine = frame.get()
        if mine is None or info.function is None:
            return self._effect(info, principal, act)
        self._usage.calls[info.service] += 1
        mine.seconds += TABLE_CALL if info.service == "dynamodb" else CALL
        self._requests(info)
        written = self._units.before(info) if info.service == "dynamodb" else []
        mine.tables |= _tables(info)
        response = None
        try:
            response = self._effect(info, principal, act)
        finally:
            if info.service == "dynamodb":
                self._units.after(info, written, response)
        return response

    def _requests(self, info: CallInfo) -> None:
        for name, quantity in _billed(info):
            self._usage.billed[name] += quantity
        if (info.service, info.operation) == ("s3", "PutObject"):
            self._usage.kept += len(info.params["Body"])

    def finish(self, slept: float, lines: str, cold: set[str]) -> None:
        """Count what is known at the end: waits, log lines, cold starts."""
        self._spend("run_step", slept)
        for function in cold:
            self._spend(function, COLD)
        own = len(lines.encode()) + EVENT_BYTES * lines.count("\n")
        told = own + RECORD_BYTES * self._usage.billed["lambda_requests"]
        self._usage.billed["log_gb"] += told / 1e9


def _tables(info: CallInfo) -> set[str]:
    if info.service != "dynamodb":
        return set()
    if info.operation == "BatchGetItem":
        return set(info.params["RequestItems"])
    if info.operation == "TransactWriteItems":
        writes = [next(iter(each.values())) for each in info.params["TransactItems"]]
        return {each["TableName"] for each in writes}
    return {info.params["TableName"]}


def _billed(info: CallInfo) -> Iterator[tuple[str, float]]:
    """Yield what a call is billed as, but for tables."""
    if info.service == "sns" and info.operation == "Publish":
        yield "sns_publishes", math.ceil(len(str(info.params["Message"]).encode()) / CHUNK)
        yield "sns_emails", 1
        yield "kms_requests", 2
    elif info.service == "sqs":
        yield "sqs_requests", 1
    elif info.service == "events" and info.operation == "PutEvents":
        sizes = [len(entry["Detail"].encode()) for entry in info.params["Entries"]]
        yield "custom_events", sum(math.ceil(size / CHUNK) for size in sizes)
    elif info.service == "kms":
        yield "kms_signatures" if info.operation in {"Sign", "Verify"} else "kms_requests", 1
    elif info.service == "s3":
        writes = info.operation.startswith(("Put", "List"))
        yield "s3_puts" if writes else "s3_gets", 1


@contextlib.contextmanager
def metered(stage: Stage) -> Iterator[Usage]:
    """Give what is used while the block runs; it is whole when the block has ended."""
    usage = Usage()
    meter, calls = Meter(stage, usage), stage.cloud.gate
    clock: Any = stage.desk.clock
    slept, before, ran = sum(clock.slept), stored(stage), set(stage.cloud.executions)
    invoke, lines = Function.invoke, io.StringIO()

    def invoked(function: Function, event: Any) -> Any:
        return meter.invoke(function, event)

    calls.call, calls._effect = meter.call, meter.effect  # type: ignore[method-assign]  # noqa: SLF001
    Function.invoke = invoked  # type: ignore[method-assign]
    try:
        with contextlib.redirect_stdout(lines):
            yield usage
    finally:
        del calls.call, calls._effect  # noqa: SLF001
        Function.invoke = invoke  # type: ignore[method-assign]
    meter.finish(sum(clock.slept) - slept, lines.getvalue(), set(usage.invocations))
    usage.stored = stored(stage) - before
    for arn in set(stage.cloud.executions) - ran:
        usage.billed["transitions"] += transitions(stage, arn)


def transitions(stage: Stage, execution: str) -> int:
    """Return the state transitions of an execution: its start, states entered, tasks again."""
    client = stage.cloud.session().client("stepfunctions")
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution)
    types = Counter(event["type"] for page in pages for event in page["events"])
    entered = sum(count for name, count in types.items() if name.endswith("StateEntered"))
    return 1 + entered + max(0, types["TaskScheduled"] - types["TaskStateEntered"])
