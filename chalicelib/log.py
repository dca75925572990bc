"""One JSON line per invocation, for CloudWatch Logs."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any


@cache
def log() -> Any:
    """Return the logger; structlog is imported when the first line is written."""
    import structlog

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    return structlog.get_logger("firebreak")


def silence() -> None:
    """Write no lines: a replay shows what happened itself."""
    import structlog

    log()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
