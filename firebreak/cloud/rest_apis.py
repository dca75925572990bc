"""REST APIs as API Gateway keeps them: which method a request is for, what its function is told."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from firebreak.cloud.signatures import HttpRequest

_FUNCTION = re.compile(r".*:lambda:path/2015-03-31/functions/(arn:aws:lambda:[^/]+)/invocations")
_VARIABLE = re.compile(r"\{(\w+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes: an API, its stage, and the path below the stage."""

    api: str
    region: str
    stage: str
    path: str


@dataclass(frozen=True, slots=True)
class Route:
    """A method of a deployed API, and the function behind it."""

    place: Place
    account: str
    resource: str
    resource_id: str
    variables: Mapping[str, str]
    authorization: str
    function_arn: str


def account_of(place: Place) -> str | None:
    """Return the account whose API it is; None where there is none of that id."""
    from moto.apigateway.models import apigateway_backends

    for account, regions in list(apigateway_backends.items()):
        backend = dict(regions).get(place.region)
        if backend is not None and place.api in backend.apis:
            return account
    return None


def route(place: Place, method: str) -> Route | None:
    """Return the deployed method that a request is for; None where there is none.

    A resource without variables goes before one with them, as API Gateway chooses.
    """
    from moto.apigateway.models import apigateway_backends

    account = account_of(place)
    if account is None:
        return None
    api = apigateway_backends[account][place.region].apis[place.api]
    if place.stage not in api.stages:
        return None
    found = [each for each in _matching(place, account, api, method) if each.function_arn]
    return min(found, key=lambda each: len(each.variables), default=None)


def _matching(place: Place, account: str, api: Any, method: str) -> Iterator[Route]:
    for resource in api.resources.values():
        path = resource.get_path()
        match = _pattern(path).fullmatch(place.path)
        asked = resource.resource_methods.get(method) or resource.resource_methods.get("ANY")
        if match and asked is not None:
            variables = {name: unquote(value) for name, value in match.groupdict().items()}
            integration = asked.method_integration
            function = _FUNCTION.fullmatch(str(integration.uri)) if integration else None
            yield Route(
                place,
                account,
                path,
                resource.id,
                variables,
                str(asked.authorization_type or "NONE"),
                function[1] if function else "",
            )


def _pattern(path: str) -> re.Pattern[str]:
    """Return what matches a resource's path: `{name}` is one segment, `{name+}` the rest."""
    parts = [
        _VARIABLE.sub(lambda v: f"(?P<{v[1]}>{'.+' if v[2] else '[^/]+'})", part)
        if _VARIABLE.fullmatch(part)
        else re.escape(part)
        for part in path.split("/")
    ]
    return re.compile("/".join(parts) + "/?")


def event(route: Route, request: HttpRequest, query: str, identity: Mapping[str, Any]) -> Any:
    """Return what the function of a proxy integration is invoked with.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    headers = {name: value for name, value in request.headers.items() if name != "authorization"}
    asked = parse_qsl(query, keep_blank_values=True)
    many = {name: [v for n, v in asked if n == name] for name, _ in asked}
    return {
        "resource": route.resource,
        "path": route.place.path,
        "httpMethod": request.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(asked) or None,
        "multiValueQueryStringParameters": many or None,
        "pathParameters": dict(route.variables) or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": route.account,
            "apiId": route.place.api,
            "httpMethod": request.method,
            "identity": {"sourceIp": "127.0.0.1", **identity},
            "path": f"/{route.place.stage}{route.place.path}",
            "protocol": "HTTP/1.1",
            "requestId": str(uuid.uuid4()),
            "resourceId": route.resource_id,
            "resourcePath": route.resource,
            "stage": route.place.stage,
        },
        "body": request.body.decode("utf-8", "replace") or None,
        "isBase64Encoded": False,
    }


def method_arn(route: Route, method: str) -> str:
    """Return the ARN that a caller must be allowed to invoke."""
    place = route.place
    path = quote(place.path.lstrip("/"), safe="/~%")
    return (
        f"arn:aws:execute-api:{place.region}:{route.account}:{place.api}/"
        f"{place.stage}/{method}/{path}"
    )
