"""Read an HTTP request as AWS does: which service, which operation, with which parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from botocore.exceptions import UnknownServiceError
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol, normalize_request
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

from firebreak.cloud.clients import administrators
from firebreak.cloud.signatures import HttpRequest, Scope

# Services that do not sign under the name they have in AWS's SDKs.
_SIGNED_AS = {
    "access-analyzer": "accessanalyzer",
    "email": "ses",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
_ELB_V2 = "2015-12-01"


@dataclass(frozen=True)
class Understood:
    """A request that was read, and what botocore and moto know of its operation."""

    service: str
    operation: str
    protocol: str
    params: Mapping[str, Any]
    region: str
    client: Any
    prepared: AWSPreparedRequest


class NotUnderstood(Exception):
    """No operation of the service is asked for like this."""

    def __init__(self, service: str, protocol: str) -> None:
        super().__init__(service)
        self.service = service
        self.protocol = protocol


def understand(request: HttpRequest, scope: Scope, account: str) -> Understood:
    """Return the operation a request asks for. Raise NotUnderstood where there is none."""
    service = service_of(request, scope)
    try:
        client = administrators(account, scope.region, service)
    except UnknownServiceError:
        raise NotUnderstood(service, "json") from None
    prepared = _at_aws(request, client.meta.endpoint_url)
    plain = normalize_request(prepared)
    model = get_service_model(service)
    protocol = determine_request_protocol(model, plain.content_type)
    try:
        operation, labels = get_service_router(service).match(plain)
    except NotFound:
        raise NotUnderstood(service, protocol) from None
    params = _params(plain, operation, protocol, labels)
    return Understood(service, operation.name, protocol, params, scope.region, client, prepared)


def service_of(request: HttpRequest, scope: Scope) -> str:
    """Return the SDKs' name of the service that a request is for."""
    path = urlsplit(request.url).path
    if scope.service == "elasticloadbalancing":
        version = parse_qs(request.body.decode("latin-1")).get("Version", [""])[0]
        return "elbv2" if version == _ELB_V2 else "elb"
    if scope.service == "s3" and path.startswith("/v20180820/"):
        return "s3control"
    if scope.service == "apigateway" and path.startswith("/v2/"):
        return "apigatewayv2"
    if scope.service == "ses" and path.startswith("/v2/"):
        return "sesv2"
    return _SIGNED_AS.get(scope.service, scope.service)


def _at_aws(request: HttpRequest, endpoint: str) -> AWSPreparedRequest:
    """Return the request as it would have gone to the service's own endpoint."""
    asked = urlsplit(request.url)
    query = f"?{asked.query}" if asked.query else ""
    headers = HTTPHeaders()
    for name, value in request.headers.items():
        headers[name] = urlsplit(endpoint).netloc if name == "host" else value
    url = f"{endpoint}{asked.path or '/'}{query}"
    return AWSPreparedRequest(request.method, url, headers, request.body, stream_output=False)


def _params(
    plain: Request, operation: Any, protocol: str, labels: dict[str, Any]
) -> Mapping[str, Any]:
    parsed = PROTOCOL_PARSERS[protocol](operation).parse(
        {
            "method": plain.method,
            "values": plain.values,
            "headers": plain.headers,
            "body": plain.data,
            "url_path": plain.path,
            "url_params": labels,
        }
    )
    return {name: value for name, value in (parsed or {}).items() if value is not None}
