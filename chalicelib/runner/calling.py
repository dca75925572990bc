"""Making a call: an edit is resolved when it is made; a passing fault is told from a final one."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.effect import JSON, REGISTRY, Call, Edit, canonical_text
from chalicelib.errors import Failed, FirebreakError, Transient
from chalicelib.table import ConditionFailed

if TYPE_CHECKING:
    from chalicelib.runner.reading import LiveReader

STALE_ATTEMPTS = 8
LONGEST = 8_000  # characters of a parameter that a record shows; a rule group has two million
PASSING = frozenset(
    "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException "
    "TooManyRequestsException RequestLimitExceeded BandwidthLimitExceeded SlowDown "
    "PriorRequestNotComplete TransactionInProgressException ProvisionedThroughputExceededException "
    "EC2ThrottledException RequestTimeout RequestTimeoutException InternalError InternalFailure "
    "InternalServerError InternalServiceError ServiceUnavailable ServiceUnavailableException "
    "ServiceException ServiceFailureException Unavailable ConcurrentModification "
    "ConcurrentModificationException OperationAborted TransactionConflictException KMSThrottling "
    "KMSThrottlingException ExpiredToken ExpiredTokenException RequestExpired".split()
)
PASSING_REASONS = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
)
LOST = (  # the answer did not arrive, or not whole; whether the call took effect is not known
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
)

# What one thing may fail with and hold up no other: AWS, others at work, records that are damaged.
PROBLEMS = (
    FirebreakError,
    BotoCoreError,
    ClientError,
    ConditionFailed,
    KeyError,
    TypeError,
    ValueError,
)


def sort_error(error: ClientError | BotoCoreError) -> FirebreakError:
    """Return Transient for what may pass by itself, Failed for what will not."""
    passing = _passing(error) if isinstance(error, ClientError) else isinstance(error, LOST)
    return (Transient if passing else Failed)(f"{type(error).__name__}: {error}")


def _passing(error: ClientError) -> bool:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    reasons = {each.get("Code") for each in error.response.get("CancellationReasons", ())}
    return code in PASSING or status >= 500 or status == 429 or bool(reasons & PASSING_REASONS)


def resolve(do: Call | Edit, reader: LiveReader) -> Call | None:
    """Return the call an effect comes to now; None where the document is as wanted already.

    Raise Failed where this version of Firebreak does not know the edit of a record.
    """
    if isinstance(do, Call):
        return do
    if do.editor not in REGISTRY.editors:
        raise Failed(f"edit {do.editor} is not known to this version of Firebreak")
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
    stale = _stale(do)
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


def _stale(do: Call | Edit) -> tuple[str, ...]:
    editor = REGISTRY.editors.get(do.editor) if isinstance(do, Edit) else None
    return editor.stale if editor else ()


def send(call: Call, reader: LiveReader) -> None:
    """Send one call that writes, once."""
    client = reader.access.client(reader.place, call.service, writes=True)
    getattr(client, call.operation)(**call.params)


def described(call: Call) -> dict[str, JSON]:
    """Return a call as records show it: long parameters by their length and hash."""
    document = call.document()
    params = {name: shown(value) for name, value in document["params"].items()}
    return document | {"params": params}


def shown(value: JSON, longest: int = LONGEST) -> JSON:
    """Return a value as records show it: a long one by its length and hash."""
    text = canonical_text(value)
    if len(text) <= longest:
        return value
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return {"characters": len(text), "sha256": digest}
