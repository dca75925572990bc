"""One JSON line per invocation, for CloudWatch Logs."""

from __future__ import annotations

import logging
import time
from functools import cache
from types import TracebackType
from typing import Any, Self

WHY = 2_000  # characters of an error that a line holds


@cache
def log() -> Any:
    """Return the logger; structlog is imported when the first line is written."""
    import structlog

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    return structlog.get_logger("firebreak")


def note(name: str, value: str) -> None:
    """Say something more on this invocation's line, under a name that holds a list."""
    import structlog

    held = structlog.contextvars.get_contextvars().get(name, ())
    structlog.contextvars.bind_contextvars(**{name: (*held, value)})


class Line:
    """Write one line about an invocation when it ends, however it ends.

    `told` takes what is known only then. outcomes: the errors that are answers, not failures.
    """

    def __init__(
        self,
        done: str,
        failed: str,
        outcomes: tuple[type[Exception], ...] = (),
        **about: Any,
    ) -> None:
        self.told: dict[str, Any] = {}
        self._done, self._failed, self._outcomes = done, failed, outcomes
        self._about = about

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        seconds = round(time.monotonic() - self._began, 3)
        about = {**self._about, **self.told, "seconds": seconds}
        if error is None:
            log().info(self._done, **about)
        else:
            write = log().warning if isinstance(error, self._outcomes) else log().error
            write(self._failed, **about, outcome=type(error).__name__, why=str(error)[:WHY])
        _forget()


def _forget() -> None:
    """Leave nothing that was noted to the next invocation."""
    import structlog

    structlog.contextvars.clear_contextvars()


def silence() -> None:
    """Write no lines: a replay shows what happened itself."""
    import structlog

    log()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
