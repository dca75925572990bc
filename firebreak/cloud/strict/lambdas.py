"""Lambda: how large the event of an invocation may be."""

from __future__ import annotations

from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_BYTES = {"RequestResponse": 6_291_456, "Event": 1_048_576}


@CORRECTIONS.refuses("Invoke")
def size_of_event(info: CallInfo, principal: Principal) -> None:
    """Refuse an event of more than 6 MB, or of more than 1 MB when nobody waits for the answer."""
    payload = info.params.get("Payload", b"")
    size = len(payload.encode() if isinstance(payload, str) else payload)
    limit = MAX_BYTES.get(str(info.params.get("InvocationType", "RequestResponse")), size)
    if size > limit:
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        raise Refusal("RequestTooLargeException", message, 413)
