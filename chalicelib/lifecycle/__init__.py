"""A remediation from phase to phase: its plan sealed, asked about, taken back, closed.

heads         its head, changed with a record; the right to work on it as a whole
passes        the plan sealed, a person asked, a step parked
answering     what a person decided, handed to the machine that waits for it
turning_back  how a roll-back begins
taking_back   the undo pass
foreseeing    what a roll-back would come to now
conclusion    how it ended, from its records alone
later         what is to be done later with what stands
starting      the execution, under the remediation's id
closing       the end: nothing half-way left, its gate told, people told
"""

from __future__ import annotations

from chalicelib.lifecycle.answering import resend, said_of
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
from chalicelib.lifecycle.foreseeing import foresee
from chalicelib.lifecycle.heads import DONE_WITH, head_of, move
from chalicelib.lifecycle.passes import ask, park, planned, seal
from chalicelib.lifecycle.starting import start
from chalicelib.lifecycle.taking_back import begin_asked, undo
from chalicelib.lifecycle.turning_back import (
    concerns,
    execution_status,
    start_execution,
    start_undo,
    take_up,
)

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
    "begin_asked",
    "close",
    "concerns",
    "execution_status",
    "foresee",
    "head_of",
    "move",
    "park",
    "planned",
    "resend",
    "said_of",
    "seal",
    "start",
    "start_execution",
    "start_undo",
    "take_up",
    "undo",
]
