"""What goes back over HTTP: an answer of a service, or its refusal in the service's protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

REQUEST_ID = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Answer:
    """A response as it goes over the wire."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """An error of a service: its code, what it says, its HTTP status."""

    code: str
    message: str
    status: int = 400


def refused(fault: Fault, service: str, protocol: str) -> Answer:
    """Return an error as the protocol of a service says it.

    https://smithy.io/2.0/aws/protocols/index.html
    """
    return _S3(fault) if service == "s3" else _PROTOCOLS[protocol](fault)


def _query(fault: Fault) -> Answer:
    return _xml(
        fault,
        f"<ErrorResponse><Error><Type>Sender</Type>{_told(fault)}</Error>"
        f"<RequestId>{REQUEST_ID}</RequestId></ErrorResponse>",
    )


def _ec2(fault: Fault) -> Answer:
    return _xml(
        fault,
        f"<Response><Errors><Error>{_told(fault)}</Error></Errors>"
        f"<RequestID>{REQUEST_ID}</RequestID></Response>",
    )


def _S3(fault: Fault) -> Answer:  # noqa: N802 - the service's name
    return _xml(fault, f"<Error>{_told(fault)}<RequestId>{REQUEST_ID}</RequestId></Error>")


def _told(fault: Fault) -> str:
    return f"<Code>{escape(fault.code)}</Code><Message>{escape(fault.message)}</Message>"


def _xml(fault: Fault, text: str) -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()
    return Answer(fault.status, body, {"content-type": "text/xml"})


def _json(fault: Fault) -> Answer:
    body = json.dumps({"__type": fault.code, "message": fault.message}).encode()
    headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": fault.code}
    return Answer(fault.status, body, headers)


_PROTOCOLS: Mapping[str, Callable[[Fault], Answer]] = {
    "ec2": _ec2,
    "json": _json,
    "query": _query,
    "rest-json": _json,
    "rest-xml": _query,
}
