"""The door by which HTTP requests enter: who asks, for what, and the way every call goes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.endpoint import convert_to_response_dict
from botocore.exceptions import ClientError
from moto.core.botocore_stubber import MockRawResponse
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

from firebreak.cloud import dispatch
from firebreak.cloud.authorization import XML_SERVICES
from firebreak.cloud.calls import Asked, Calls, Refusal
from firebreak.cloud.gateway import Gateway, place_of
from firebreak.cloud.identity import Identities, Invocation
from firebreak.cloud.keys import secret_of
from firebreak.cloud.serving.answers import Answer, Fault, refused
from firebreak.cloud.serving.requests import NotUnderstood, Understood, service_of, understand
from firebreak.cloud.signatures import HttpRequest, Scope, Unsigned, scope, signer


@dataclass
class Door:
    """Answers requests as the services of a world."""

    calls: Calls
    identities: Identities
    invocation_of: Callable[[str], Invocation | None]
    gateway: Gateway
    region: str

    def answer(self, request: HttpRequest) -> Answer:
        """Answer one request; refuse it where its signature, key or policies do not admit it."""
        place = place_of(request.url, self.region)
        if place is not None:
            status, body = self.gateway.answer(place, request)
            return Answer(status, body.encode(), {"content-type": "application/json"})
        try:
            asked = scope(request)
        except Unsigned as wrong:
            return refused(Fault("MissingAuthenticationToken", str(wrong), 403), "", "json")
        try:
            key = signer(request, asked.region, asked.service, partial(secret_of, self.identities))
        except Unsigned as wrong:
            return _unsigned(request, asked, str(wrong))
        principal = self.identities.of_key(key)
        try:
            understood = understand(request, asked, principal.account)
        except NotUnderstood as none:
            return refused(_UNKNOWN, none.service, none.protocol)
        return self._carry_out(understood, key)

    def _carry_out(self, understood: Understood, key: str) -> Answer:
        exchange = Exchange(understood)
        asked = Asked(
            understood.service,
            understood.operation,
            understood.params,
            understood.region,
            self.invocation_of(key),
        )
        try:
            self.calls.carry_out(asked, self.identities.of_key(key), exchange.effect)
        except Refusal as refusal:
            fault = Fault(refusal.code, refusal.message, refusal.status)
            return refused(fault, understood.service, understood.protocol)
        except ClientError as error:
            return exchange.answered or _injected(error, understood)
        except Exception as error:  # noqa: BLE001 - what the embedded AWS cannot do is told
            fault = Fault("InternalFailure", f"{type(error).__name__}: {error}", 500)
            return refused(fault, understood.service, understood.protocol)
        return exchange.corrected()


class Exchange:
    """A request handed to moto, and what it answered."""

    def __init__(self, asked: Understood) -> None:
        self.answered: Answer | None = None
        self._asked = asked
        self._response: Any = None
        self._before: Any = None

    def effect(self) -> Any:
        """Let moto carry the request out; return its response as a client would see it."""
        status, headers, body = dispatch.process_request(None, self._asked.prepared)
        told = {name: str(value) for name, value in headers.items()}
        raw = body.encode() if isinstance(body, str) else bytes(body)
        self.answered = Answer(status, raw, told)
        self._response = self._parsed(self.answered)
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            raise ClientError(self._response, self._asked.operation)
        self._before = copy.copy(self._response)
        return self._response

    def corrected(self) -> Answer:
        """Return the answer, written anew where a follow-up put it right."""
        answered = self.answered or Answer(500)
        if self._response == self._before:
            return answered
        model = get_service_model(self._asked.service).operation_model(self._asked.operation)
        kind: Any = get_serializer_class(self._asked.service, self._asked.protocol)
        told = {name: v for name, v in self._response.items() if name != "ResponseMetadata"}
        body = kind(model).serialize(told)["body"]
        return Answer(answered.status, body.encode(), answered.headers)

    def _parsed(self, answer: Answer) -> Any:
        client = self._asked.client
        model = client.meta.service_model.operation_model(self._asked.operation)
        headers, raw = HTTPHeaders(), MockRawResponse(answer.body)
        for name, value in answer.headers.items():
            headers[name] = value
        response: Any = AWSResponse(self._asked.prepared.url, answer.status, headers, raw)
        given = convert_to_response_dict(response, model)
        return client._response_parser.parse(given, model.output_shape)


_UNKNOWN = Fault("UnknownOperationException", "No operation is asked for like this.", 404)


def _injected(error: ClientError, understood: Understood) -> Answer:
    told: Any = error.response
    status = int(told.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    fault = Fault(told["Error"]["Code"], told["Error"].get("Message", ""), status)
    return refused(fault, understood.service, understood.protocol)


def _unsigned(request: HttpRequest, asked: Scope, message: str) -> Answer:
    """Refuse a request whose signature or key is wrong, in the words of its service.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
    """
    service = service_of(request, asked)
    mismatch = "signature" in message
    if service == "ec2":
        return refused(Fault("AuthFailure", message, 401), service, "ec2")
    if service == "s3":
        code = "SignatureDoesNotMatch" if mismatch else "InvalidAccessKeyId"
        return refused(Fault(code, message, 403), service, "rest-xml")
    if service in XML_SERVICES or service == "sns":
        code = "SignatureDoesNotMatch" if mismatch else "InvalidClientTokenId"
        return refused(Fault(code, message, 403), service, "query")
    code = "InvalidSignatureException" if mismatch else "UnrecognizedClientException"
    return refused(Fault(code, message, 403), service, "json")
