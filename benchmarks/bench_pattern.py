"""Measure how the time to match one event grows with the patterns that have nothing to do with it.

    python -m benchmarks.bench_pattern

Every pattern asks for fields that the event has, with values that it has not; one more pattern
matches. Times are set against those of 10 patterns in the same run, for a `PatternSet` and for a
loop over every `EventPattern`; only the ratios mean something on another machine.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from typing import Any

from chalicelib.pattern import EventPattern, PatternSet

SIZES = (10, 100, 1_000, 10_000)
SECONDS = 0.5

EVENT = {
    "version": "0",
    "source": "aws.guardduty",
    "detail-type": "GuardDuty Finding",
    "account": "111122223333",
    "detail": {
        "type": "Backdoor:EC2/C&CActivity.B!DNS",
        "severity": 8,
        "resource": {
            "instanceDetails": {
                "networkInterfaces": [{"privateIpAddress": f"10.0.0.{i}"} for i in range(8)],
                "tags": [{"key": f"key-{i}", "value": f"value-{i}"} for i in range(20)],
            }
        },
    },
}
MATCHING = {"source": ["aws.guardduty"], "detail": {"severity": [{"numeric": [">=", 7]}]}}


def unrelated(i: int) -> dict[str, Any]:
    """Make the i-th pattern, of a kind that goes round."""
    tags = {"resource": {"instanceDetails": {"tags": {"key": [f"other-{i}"], "value": ["x"]}}}}
    kinds: list[dict[str, Any]] = [
        {"source": [f"my.service-{i}"], "detail": {"severity": [{"numeric": [">", 0]}]}},
        {"detail": {"type": [{"prefix": f"Trojan{i}:"}], "severity": [{"exists": True}]}},
        {"detail": {"type": [{"suffix": f".{i}!DNS"}]}},
        {"detail": {"type": [{"wildcard": f"Recon{i}:*/*"}, {"equals-ignore-case": f"recon{i}"}]}},
        {"detail": tags},
        {"$or": [{"account": [f"{i:012}"]}, {"detail-type": [f"Something Else {i}"]}]},
    ]
    return kinds[i % len(kinds)]


def seconds(run: Callable[[], object]) -> float:
    """Return the best time of a call, over about as long as `SECONDS`."""
    timer = timeit.Timer(run)
    once = timer.timeit(1)
    number = max(1, int(SECONDS / 5 / max(once, 1e-9)))
    return min(timer.repeat(5, number)) / number


def measure(size: int) -> tuple[float, float]:
    """Return the seconds that an event takes in a set and in a loop of `size` patterns and one."""
    written = {str(i): unrelated(i) for i in range(size)} | {"it": MATCHING}
    patterns = {name: EventPattern(pattern) for name, pattern in written.items()}
    together = PatternSet(patterns)

    def loop() -> set[str]:
        return {name for name, pattern in patterns.items() if pattern.matches(EVENT)}

    assert together.matching(EVENT) == loop() == {"it"}
    return seconds(lambda: together.matching(EVENT)), seconds(loop)


def main() -> None:
    """Print the table."""
    print(f"{'patterns':>8}  {'set':>10} {'to 10':>7}  {'loop':>10} {'to 10':>7}  {'loop/set':>8}")
    base: tuple[float, float] | None = None
    for size in SIZES:
        times = measure(size)
        base = base or times
        cells = [f"{t * 1e6:>8,.0f}µs {t / b:>6.1f}x" for t, b in zip(times, base, strict=True)]
        print(f"{size:>8,}  {'  '.join(cells)}  {times[1] / times[0]:>7,.0f}x")


if __name__ == "__main__":
    main()
