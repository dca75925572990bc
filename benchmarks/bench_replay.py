"""Time replays: one command, and events per second, as ratios to work measured in the same run.

    python -m benchmarks.bench_replay

The baseline of the command is importing what it imports; that of the events is a bare world: an
embedded AWS with a stage in it, started and left, with no event.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from chalicelib import log
from firebreak.event_files import events
from firebreak.replay import Options, load_playbooks, replay_one, world

ROOT = Path(__file__).resolve().parents[1]
EVENTS = ROOT / "tests" / "events"
MINER = EVENTS / "guardduty" / "crypto_currency_ec2.json"
RUNS = 5


def seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """Return the median of the wall-clock seconds of several runs, after one that warms up."""
    work()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def process(*arguments: str) -> Callable[[], object]:
    """Return work that is a whole process."""
    return lambda: subprocess.run(  # noqa: S603  # our own interpreter, our own code
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        check=True,
    )


def main() -> None:
    """Measure, and print a table."""
    log.silence()
    known = load_playbooks(None)
    (miner,) = events([MINER])
    (quiet,) = events([EVENTS / "guardduty" / "low_severity.json"])
    options = Options()

    def bare() -> None:
        with world(known, options):
            pass

    imports = seconds(
        process("-c", "import firebreak.replay, moto.ec2.models, moto.stepfunctions.models")
    )
    command = seconds(process("-m", "firebreak.cli", "replay", str(MINER)))
    folder_began = time.perf_counter()
    process("-m", "firebreak.cli", "replay", str(EVENTS))()
    folder = time.perf_counter() - folder_began
    count = len(events([EVENTS]))
    baseline = seconds(bare)
    rows = [
        ("imports alone", imports, imports),
        ("replay of one finding, command to prompt", command, imports),
        ("a bare world, warm", baseline, baseline),
        (
            "an event that matches nothing, warm",
            seconds(lambda: replay_one(quiet, known, options)),
            baseline,
        ),
        (
            "an instance contained in seven steps, warm",
            seconds(lambda: replay_one(miner, known, options)),
            baseline,
        ),
    ]
    for name, value, base in rows:
        print(f"{name:48} {value:7.2f} s  {value / base:6.1f} x")
    print(f"{f'a folder of {count} events':48} {folder:7.2f} s  {count / folder:6.1f} per s")


if __name__ == "__main__":
    main()
