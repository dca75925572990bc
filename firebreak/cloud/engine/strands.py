"""Count the threads of an execution that can still move: waiting for it needs no polling."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


class Stopped(BaseException):
    """Unwind a strand of an execution that was stopped, past every handler of ordinary errors."""


class Activity:
    """The strands (threads) of one execution that are neither parked nor waiting for others.

    Whoever wakes a strand counts it as moving before it is woken, so the count never shows
    a stillness that is only a gap between two threads.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._moving = 0

    def resume(self, strands: int = 1) -> None:
        """Count strands as moving: new ones, or ones about to be woken."""
        with self._condition:
            self._moving += strands

    def pause(self) -> None:
        """Count the calling strand as still: it has ended, or waits to be woken."""
        with self._condition:
            self._moving -= 1
            if self._moving == 0:
                self._condition.notify_all()

    def wait_until_still(self, timeout: float | None) -> bool:
        """Return True once nothing moves, False when the time is up."""
        with self._condition:
            return self._condition.wait_for(lambda: self._moving == 0, timeout)


class Parking:
    """A place where one strand waits until it is released, with a value, at most once."""

    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._waiting = False
        self._released = False
        self._value: object = None

    @property
    def released(self) -> bool:
        """Say whether a value was handed in already."""
        return self._released

    def release(self, value: object) -> bool:
        """Hand a value to the strand; return False when another value was first."""
        with self._lock:
            if self._released:
                return False
            self._released = True
            self._value = value
            if self._waiting:
                self._activity.resume()
        self._event.set()
        return True

    def wait(self) -> object:
        """Stand still until released, and return the value."""
        with self._lock:
            if self._released:
                return self._value
            self._waiting = True
            self._activity.pause()
        self._event.wait()
        return self._value


class Fork:
    """Run branches in threads; go on when all have ended, or when the first one has failed."""

    def __init__(self, activity: Activity, branches: Sequence[Callable[[], bool]]) -> None:
        self._activity = activity
        self._branches = branches
        self._parking = Parking(activity)
        self._lock = threading.Lock()
        self._left = len(branches)
        self.threads: list[threading.Thread] = []

    def join(self) -> None:
        """Start the branches (each returns False when it failed) and wait."""
        if not self._branches:
            return
        self._activity.resume(len(self._branches))
        for branch in self._branches:
            thread = threading.Thread(target=self._run, args=(branch,), daemon=True)
            self.threads.append(thread)
            thread.start()
        self._parking.wait()

    def _run(self, branch: Callable[[], bool]) -> None:
        succeeded = False
        try:
            succeeded = branch()
        except Stopped:
            succeeded = True
        finally:
            with self._lock:
                self._left -= 1
                last = self._left == 0
            if last or not succeeded:
                self._parking.release(None)
            self._activity.pause()
