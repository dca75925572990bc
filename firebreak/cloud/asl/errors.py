"""Retriers and catchers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from firebreak.cloud.asl.fields import CATCHER, RETRIER, unknown, whole
from firebreak.cloud.asl.paths import reference_problem

# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
NAMES = frozenset(
    {
        "States.ALL",
        "States.BranchFailed",
        "States.DataLimitExceeded",
        "States.ExceedToleratedFailureThreshold",
        "States.HeartbeatTimeout",
        "States.Http.Socket",
        "States.IntrinsicFailure",
        "States.ItemReaderFailed",
        "States.NoChoiceMatched",
        "States.ParameterPathFailure",
        "States.Permissions",
        "States.QueryEvaluationError",
        "States.ResultPathMatchFailure",
        "States.ResultWriterFailed",
        "States.Runtime",
        "States.TaskFailed",
        "States.Timeout",
    }
)


def problems(state: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield what is wrong with a state's Retry and Catch."""
    for name in ("Retry", "Catch"):
        rules = state.get(name, [])
        if not isinstance(rules, list):
            yield f"{place}/{name}: must be an array"
            continue
        for index, rule in enumerate(rules):
            where = f"{place}/{name}/{index}"
            if not isinstance(rule, Mapping):
                yield f"{where}: must be an object"
                continue
            yield from _error_equals(rule, where, last=index == len(rules) - 1)
            yield from (_retrier if name == "Retry" else _catcher)(rule, where)


def _error_equals(rule: Mapping[str, Any], place: str, *, last: bool) -> Iterator[str]:
    names = rule.get("ErrorEquals")
    where = f"{place}/ErrorEquals"
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        yield f"{where}: must be a non-empty array of error names"
        return
    if "States.ALL" in names and (len(names) > 1 or not last):
        yield f"{where}: States.ALL must be alone, and in the last of the array"
    for name in names:
        if name.startswith("States.") and name not in NAMES:
            yield f"{where}: {name!r} is no error name; other names do not begin with 'States.'"


def _retrier(rule: Mapping[str, Any], place: str) -> Iterator[str]:
    yield from unknown(rule, RETRIER, place)
    if not whole(rule.get("IntervalSeconds", 1), 1, 99_999_999):
        yield f"{place}/IntervalSeconds: must be a whole number from 1 to 99999999"
    if not whole(rule.get("MaxAttempts", 3), 0, 99_999_999):
        yield f"{place}/MaxAttempts: must be a whole number from 0 to 99999999"
    rate = rule.get("BackoffRate", 2.0)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or rate < 1:
        yield f"{place}/BackoffRate: must be a number of at least 1.0"
    longest = rule.get("MaxDelaySeconds")
    if longest is not None and not whole(longest, rule.get("IntervalSeconds", 1) + 1, 31_622_399):
        yield f"{place}/MaxDelaySeconds: must be more than IntervalSeconds, less than 31622400"
    if rule.get("JitterStrategy", "NONE") not in ("FULL", "NONE"):
        yield f"{place}/JitterStrategy: must be FULL or NONE"


def _catcher(rule: Mapping[str, Any], place: str) -> Iterator[str]:
    yield from unknown(rule, CATCHER, place)
    if not isinstance(rule.get("Next"), str):
        yield f"{place}/Next: a catcher names the next state"
    path = rule.get("ResultPath")
    problem = reference_problem(path) if path is not None else None
    if problem is not None:
        yield f"{place}/ResultPath: {problem}"
