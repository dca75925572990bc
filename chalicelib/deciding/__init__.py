"""A person approves or denies what waits, by the hash of the plan that they were shown.

people      who a person is: whom AWS authenticated, never what a request says of itself
involved    whom a finding is about, who therefore does not decide
asked       what a person asks for, read strictly
recording   the decision on record, once; then handed to the machine that waits for it
"""

from __future__ import annotations

from chalicelib.deciding.recording import decide

__all__ = ["decide"]
