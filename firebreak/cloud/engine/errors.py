"""Which errors a Retry or Catch matches, as AWS has it.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
    ErrorEqualsDecl,
)

from firebreak.cloud.patching import Patch

# Nothing catches or retries these; States.DataLimitExceeded must be named to be caught.
NEVER_MATCHED = "States.Runtime"
NO_WILDCARD_MATCHES = frozenset({"States.DataLimitExceeded"})


def patches() -> list[Patch]:
    """Return the corrected matching, and error names that may come out of a branch."""
    return [
        Patch(ErrorEqualsDecl, "_eval_body", _eval_error_equals),
        Patch(CustomErrorName, "__init__", _name_error),
    ]


def matches(expected: Iterable[str | None], error: str | None) -> bool:
    """Say whether the names of an ErrorEquals match an error."""
    if error == NEVER_MATCHED:
        return False
    names = set(expected)
    if error in names:
        return True
    if error in NO_WILDCARD_MATCHES:
        return False
    return "States.ALL" in names or ("States.TaskFailed" in names and error != "States.Timeout")


def _eval_error_equals(decl: Any, env: Any) -> None:
    error = env.stack.pop()
    name = error.error_name if error is not None else None
    env.stack.append(matches((each.error_name for each in decl.error_names), name))


def _name_error(self: Any, error_name: str | None) -> None:
    """Name an error of a branch, whatever its name: moto refuses `States.` here and breaks."""
    self.error_name = error_name
