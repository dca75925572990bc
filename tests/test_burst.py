"""A burst of events while calls fail, small enough for every run of the tests."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks import bench_burst
from benchmarks.bench_burst import Burst

EVENTS = 240


@pytest.fixture(scope="module")
def burst() -> Burst:
    """Give what came of a burst in which some calls fail, and the tables are down for a while."""
    return bench_burst.run(EVENTS, seed=7, trace=False)


def test_the_burst_is_one(burst: Burst) -> None:
    """It has every kind of event, calls failed in every way, and events waited to be retried."""
    kinds = {"started", "duplicate", "exempt", "no_playbook", "rejected"}

    assert kinds == set(burst.wanted.values())
    assert EVENTS == len(burst.wanted)
    assert {"before", "after", "outage"} == set(burst.faults)
    assert burst.retried


def test_every_event_is_decided_once(burst: Burst) -> None:
    """None is lost, none is decided twice, and each is decided as is right."""
    assert {} == burst.wrong()
    assert set(burst.wanted) == set(burst.decided)
    assert 0 == burst.dead


def test_every_target_has_one_execution(burst: Burst) -> None:
    """As many remediations are admitted, and executions started, as there are targets."""
    targets = Counter(burst.wanted.values())["started"]

    assert targets == burst.admitted
    assert targets == len(burst.executions) == len(set(burst.executions))


def test_an_event_late_in_the_burst_makes_no_more_calls(burst: Burst) -> None:
    """Calls and what is read of the tables do not grow with what is stored already."""
    first, last = burst.windows[bench_burst.SECOND], burst.windows[-1]

    assert last.each("calls") < first.each("calls") * 1.25
    assert last.each("read") < first.each("read") * 1.25
