"""The errors Firebreak raises; the class names are what Step Functions retries and catches.

FirebreakError
├── Invalid                something a person wrote is wrong; carries every problem found
│   ├── InvalidPattern     an event pattern that EventBridge would refuse
│   ├── InvalidPlaybook    playbooks that cannot be loaded
│   └── InvalidSettings    the environment or the command line
├── Rejected               an event that cannot be read or may not be believed: path and reason
├── Outcome                ends one step with a named status; never retried
│   ├── NotApplicable      there is nothing to act on (already gone, required value missing)
│   ├── Refused            acting would be wrong here; carries a code, such as needs_standby
│   └── Failed             the step was tried and failed for good: denied, invalid, not verified
├── NotDecided             a person's decision that is not taken; carries HTTP's status
├── PlanChanged            apply would do something else than the plan that was shown
├── Parked                 the step waits beside itself in the machine until it is woken
│   └── Halted             the kill switch is on
├── Transient              worth trying again, by Step Functions
│   ├── Busy               a lease or a hold is somebody else's for now
│   └── Fenced             this worker lost its lease, or the remediation moved to another phase
├── StepFailed             told to Step Functions once a failed step is on record
└── Corrupt                a stored item is not what Firebreak wrote
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


class FirebreakError(Exception):
    """Base of everything Firebreak raises on purpose."""


@dataclass(frozen=True, order=True)
class Problem:
    """Say what is wrong in which file, at which path, and what would be right."""

    file: str
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}: {self.path}" if self.path else self.file
        return f"{where}: {self.message}"


class Invalid(FirebreakError):
    """Something a person wrote is wrong."""


class InvalidPattern(Invalid):
    """An event pattern that EventBridge would refuse.

    `path` is the dotted place in the pattern, `reason` what is wrong there and what would be right.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


class InvalidPlaybook(Invalid):
    """One or more playbooks cannot be loaded; `problems` lists every one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InvalidSettings(Invalid):
    """The environment or the command line does not say what is needed."""


class Rejected(FirebreakError):
    """An event that cannot be read or may not be believed; it is kept, and someone is told."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


class Outcome(FirebreakError):
    """End a step with a named status; the text says why."""

    status = "failed"


class NotApplicable(Outcome):
    """There is nothing to act on: the resource is gone, or a required value is missing."""

    status = "not_applicable"


class Refused(Outcome):
    """Acting would be wrong here; `code` names the situation for playbooks and people."""

    status = "refused"

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class Failed(Outcome):
    """The step was tried and failed for good."""


class NotDecided(FirebreakError):
    """A decision that is not taken; nothing was changed.

    status: HTTP's. code: names the situation. first: the decision that was taken before it.
    """

    def __init__(
        self, status: int, code: str, reason: str, first: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.first = dict(first or {})


class PlanChanged(FirebreakError):
    """Apply would do something else than the plan that was shown."""


class Parked(FirebreakError):
    """The step waits beside itself in the state machine until it is woken."""


class Halted(Parked):
    """The kill switch is on: nothing is changed until `firebreak resume`."""


class Transient(FirebreakError):
    """A passing fault: worth trying again."""


class Busy(Transient):
    """A lease or a hold belongs to somebody else for now."""


class Fenced(Transient):
    """The worker lost its lease, or the remediation moved to another phase."""


class StepFailed(FirebreakError):
    """A step failed, and its failure is on record."""


class Corrupt(FirebreakError):
    """A stored item is not what Firebreak wrote."""
