"""Many runs from one prepared world, each in a process of its own that is a copy of it."""

from __future__ import annotations

import gc
import multiprocessing
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

FORK = multiprocessing.get_context("fork")
SECONDS = 300.0  # after which a run that says nothing is taken for stuck
Job = TypeVar("Job")
Found = TypeVar("Found")


class Died(Exception):
    """A run ended without an answer; says why."""


def one(work: Callable[[], Found]) -> Found:
    """Return what some work comes to in a copy of this process."""
    ((_, found),) = each(lambda _job: work(), [None], 1)
    if isinstance(found, Died):
        raise found
    return found


def each(
    work: Callable[[Job], Found], jobs: Iterable[Job], at_once: int
) -> Iterator[tuple[Job, Found | Died]]:
    """Do each job in a copy of this process as it is now; yield what they come to as they end."""
    gc.collect()
    gc.freeze()
    left, under_way = iter(jobs), dict[Connection, tuple[Job, BaseProcess]]()
    while True:
        while len(under_way) < at_once and (job := next(left, _NONE)) is not _NONE:
            under_way |= [_begun(work, job)]
        if not under_way:
            return
        ready = wait(list(under_way), SECONDS)
        for answers in ready or list(under_way):
            job, process = under_way.pop(answers)
            yield job, _answer(answers, process)


_NONE: Any = object()


def _begun(work: Callable[[Job], Found], job: Job) -> tuple[Connection, tuple[Job, BaseProcess]]:
    answers, ours = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_work, args=(work, job, ours), daemon=True)
    process.start()
    ours.close()
    return answers, (job, process)


def _work(work: Callable[[Job], Found], job: Job, answers: Connection) -> None:
    try:
        answers.send(work(job))
    except BaseException:  # noqa: BLE001 - whatever ends a run is what it came to
        answers.send(Died(traceback.format_exc()))


def _answer(answers: Connection, process: BaseProcess) -> Any:
    try:
        return answers.recv() if answers.poll() else Died(f"no answer within {SECONDS:.0f} s")
    except EOFError:
        return Died("the process ended without an answer")
    finally:
        process.kill()
        process.join()
        answers.close()
