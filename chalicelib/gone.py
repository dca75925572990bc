"""Take AWS's own "it does not exist" for what it is, and every other error for an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from chalicelib.errors import NotApplicable


def is_code(error: ClientError, *codes: str) -> bool:
    """Say whether AWS answered with one of the error codes."""
    return error.response["Error"]["Code"] in codes


@contextmanager
def gone(what: str, *codes: str) -> Iterator[None]:
    """Raise NotApplicable where a read within fails with one of the error codes."""
    try:
        yield
    except ClientError as error:
        if is_code(error, *codes):
            raise NotApplicable(f"{what} does not exist (any more)") from error
        raise
