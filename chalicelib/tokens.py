"""Task tokens: a machine that waits is told to go on or to stop, any number of times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chalicelib.gone import is_code

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk

DEAD = ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")  # nobody waits for such a token


def succeed(desk: Desk, token: str, output: str = "{}") -> bool:
    """Let whoever waits for a token go on; return False where nobody does any more."""
    try:
        desk.access.home("stepfunctions").send_task_success(taskToken=token, output=output)
    except ClientError as error:
        return _dead(error)
    return True


def fail(desk: Desk, token: str, error: str, cause: str) -> bool:
    """Let whoever waits for a token stop with an error; return False where nobody waits."""
    try:
        desk.access.home("stepfunctions").send_task_failure(
            taskToken=token, error=error, cause=cause
        )
    except ClientError as refused:
        return _dead(refused)
    return True


def _dead(error: ClientError) -> bool:
    """Return False where the token is dead. Raise the error for every other reason."""
    if is_code(error, *DEAD):
        return False
    raise error
