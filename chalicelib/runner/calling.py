"""Making a call: an edit is resolved when it is made, and a passing fault is told from a final one."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)

from chalicelib.effect import REGISTRY, Call, Edit, canonical_text
from chalicelib.errors import Failed, FirebreakError, Transient

if TYPE_CHECKING:
    from chalicelib.runner.reading import LiveReader

STALE_ATTEMPTS = 8
PASSING = frozenset(
    "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException "
    "TooManyRequestsException RequestLimitExceeded BandwidthLimitExceeded SlowDown "
    "PriorRequestNotComplete TransactionInProgressException ProvisionedThroughputExceededException "
    "EC2ThrottledException RequestTimeout RequestTimeoutException InternalError InternalFailure "
    "InternalServerError InternalServiceError ServiceUnavailable ServiceUnavailableException "
    "ServiceException ServiceFailureException Unavailable ConcurrentModification "
    "ConcurrentModificationException OperationAborted".split()
)


def sort_error(error: ClientError | BotoCoreError) -> FirebreakError:
    """Return Transient for what may pass by itself, Failed for what will not."""
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        passing = code in PASSING or status >= 500 or status == 429
    else:
        passing = isinstance(error, ConnectionError | HTTPClientError | ReadTimeoutError)
    return (Transient if passing else Failed)(f"{type(error).__name__}: {error}")


def resolve(do: Call | Edit, reader: LiveReader) -> Call | None:
    """Return the call an effect comes to now; None where the document is as wanted already."""
    if isinstance(do, Call):
        return do
    editor = REGISTRY.editors[do.editor]
    before, token = editor.read(reader, **do.at)
    after = editor.change(before, **do.args)
    if canonical_text(before) == canonical_text(after):
        return None
    return editor.write(before, after, token, **do.at)


def perform(do: Call | Edit, reader: LiveReader) -> Call | None:
    """Make a call, or resolve an edit and make its call; read again where it turns out stale.

    Return what was called. Raise botocore's ClientError, or Transient while others keep writing.
    """
    stale = REGISTRY.editors[do.editor].stale if isinstance(do, Edit) else ()
    for attempt in range(STALE_ATTEMPTS):
        call = resolve(do, reader)
        if call is None:
            return None
        try:
            send(call, reader)
        except ClientError as error:
            if error.response["Error"]["Code"] not in stale:
                raise
            reader.clock.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311  # jitter
            continue
        return call
    raise Transient(f"{do}: others write the same document")


def send(call: Call, reader: LiveReader) -> None:
    """Send one call that writes, once."""
    client = reader.access.client(reader.place, call.service, writes=True)
    getattr(client, call.operation)(**call.params)
