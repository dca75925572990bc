"""A remediation from phase to phase: its plan sealed, asked about, taken back, closed.

heads         its head, changed with a record; the right to work on it as a whole
passes        the plan sealed, a person asked, a step parked
taking_back   the undo pass
conclusion    how it ended, from its records alone
closing       the end: nothing half-way left, its gate told, people told
"""

from __future__ import annotations

from chalicelib.lifecycle.closing import close
from chalicelib.lifecycle.conclusion import (
    CONTAINED,
    DENIED,
    EXPIRED,
    FAILED,
    NOTHING,
    PARTLY,
    PARTLY_ROLLED_BACK,
    PLANNED,
    ROLLED_BACK,
)
from chalicelib.lifecycle.heads import DONE_WITH, head_of, move
from chalicelib.lifecycle.passes import ask, park, seal
from chalicelib.lifecycle.taking_back import start_undo, undo

__all__ = [
    "CONTAINED",
    "DENIED",
    "DONE_WITH",
    "EXPIRED",
    "FAILED",
    "NOTHING",
    "PARTLY",
    "PARTLY_ROLLED_BACK",
    "PLANNED",
    "ROLLED_BACK",
    "ask",
    "close",
    "head_of",
    "move",
    "park",
    "seal",
    "start_undo",
    "undo",
]
