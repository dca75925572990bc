"""The time, in the one form that records and conditions compare."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """Tell the time and wait; a test puts a subclass in its place."""

    def seconds(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def now(self) -> str:
        """Return this moment, UTC, as `2026-11-21T10:00:00.123Z`."""
        return text(self.seconds())


def text(seconds: float) -> str:
    """Return a moment in seconds since 1970 as ISO 8601, UTC, milliseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
