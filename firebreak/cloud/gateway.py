"""API Gateway in front of functions: who asks is verified, allowed, and told to the function.

A request is let through as AWS would: its signature is verified against the secret of the key that
it names, the caller's policies must allow execute-api:Invoke, and the function must admit the API.
https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session

from firebreak.cloud.admission import function_admits
from firebreak.cloud.functions import uploaded_function
from firebreak.cloud.identity import Identities, Principal
from firebreak.cloud.keys import secret_of
from firebreak.cloud.lambdas import Result
from firebreak.cloud.patching import Patch
from firebreak.cloud.rest_apis import Place, Route, account_of, event, method_arn, route
from firebreak.cloud.roles import principal_may
from firebreak.cloud.signatures import HttpRequest, Unsigned, signer

SERVICE = "execute-api"
STAGE = "api"  # of the API, as Chalice names it
_SEND = URLLib3Session.send  # the original, taken before any world replaces it
_HOST = re.compile(r"([a-z0-9]+)\.execute-api\.([a-z0-9-]+)\.amazonaws\.com")
_BY_PATH = re.compile(r"/_aws/execute-api/([a-z0-9]+)(/.*)")  # where there is one host for all
_BELOW_STAGE = re.compile(r"/([^/]+)(/.*)?")
_NO_METHOD = "Missing Authentication Token"


@dataclass(frozen=True)
class Raw:
    """The body of an answer, as botocore reads it."""

    text: str

    def stream(self) -> Iterator[bytes]:
        """Yield the body's bytes."""
        yield self.text.encode()


class Gateway:
    """Every API of a world, reached by HTTP: in this process, or where the world is served."""

    def __init__(self, identities: Identities, invoke: Callable[[str, Any], Result]) -> None:
        self._identities, self._invoke = identities, invoke

    def patches(self) -> list[Patch]:
        """Return the patch that leads requests to this world's APIs here."""
        gateway = self

        def send(session: URLLib3Session, request: Any) -> Any:
            return gateway.send(session, request)

        return [Patch(URLLib3Session, "send", send)]

    def add(self, session: Any, name: str, app: Any, function_name: str) -> str:
        """Make an API of a Chalice app's routes as `chalice deploy` does; return its URL."""
        client, functions = session.client("apigateway"), session.client("lambda")
        api = client.create_rest_api(name=name)["id"]
        arn = functions.get_function(FunctionName=function_name)["Configuration"]["FunctionArn"]
        region, account = arn.split(":")[3:5]
        for path, methods in app.routes.items():
            resource = _resource(client, api, path)
            for method in methods:
                _method(
                    client, {"restApiId": api, "resourceId": resource, "httpMethod": method}, arn
                )
        client.create_deployment(restApiId=api, stageName=STAGE)
        functions.add_permission(
            FunctionName=function_name,
            StatementId=f"api-{api}",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{region}:{account}:{api}/*",
        )
        return f"https://{api}.execute-api.{region}.amazonaws.com/{STAGE}"

    def send(self, session: URLLib3Session, request: Any) -> Any:
        """Answer a request to an API of this world; every other goes where it would have gone."""
        place = place_of(request.url, "")
        if place is None or account_of(place) is None:
            return _SEND(session, request)
        body = request.body or b""
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        came = HttpRequest(
            request.method,
            request.url,
            headers,
            body if isinstance(body, bytes) else str(body).encode(),
        )
        status, answer = self.answer(place, came)
        told: Any = {"content-type": "application/json"}
        return AWSResponse(request.url, status, told, Raw(answer))

    def answer(self, place: Place, request: HttpRequest) -> tuple[int, str]:
        """Return the status and the body with which an API answers."""
        found = route(place, request.method)
        if found is None:
            return 403, json.dumps({"message": _NO_METHOD})
        try:
            identity = self._authorized(found, request)
        except Unsigned as wrong:
            return 403, json.dumps({"message": str(wrong)})
        except PermissionError as refused:
            return 403, json.dumps({"Message": str(refused)})
        arn = method_arn(found, request.method)
        uploaded = uploaded_function(found.function_arn)
        if uploaded is None or not function_admits(uploaded, "apigateway.amazonaws.com", arn):
            return 500, json.dumps({"message": "Internal server error"})
        told = event(found, request, urlsplit(request.url).query, identity)
        result = self._invoke(found.function_arn, told)
        if result.failed or "statusCode" not in result.value:
            return 502, json.dumps({"message": "Internal server error"})
        return int(result.value["statusCode"]), str(result.value["body"])

    def _authorized(self, found: Route, request: HttpRequest) -> dict[str, str]:
        """Return who asks. Raise Unsigned or PermissionError where a method does not admit it."""
        if found.authorization == "NONE":
            return {}
        if found.authorization != "AWS_IAM":
            raise Unsigned("Unauthorized")
        secrets = partial(secret_of, self._identities)
        key = signer(request, found.place.region, SERVICE, secrets)
        principal = self._identities.of_key(key)
        resource = method_arn(found, request.method)
        allowed = principal_may(principal, "execute-api:Invoke", resource)
        if not allowed or principal.inactive or principal.account != found.account:
            raise PermissionError(
                f"User: {principal.arn} is not authorized to perform: execute-api:Invoke "
                f"on resource: {resource}"
            )
        return _identity(principal)


def place_of(url: str, region: str) -> Place | None:
    """Return the API that a URL is of, by its host or by its path; None where it is none's."""
    parts = urlsplit(url)
    host, by_path = _HOST.fullmatch(parts.netloc), _BY_PATH.fullmatch(parts.path)
    if host:
        api, where, path = host[1], host[2], parts.path
    elif by_path:
        api, where, path = by_path[1], region, by_path[2]
    else:
        return None
    below = _BELOW_STAGE.fullmatch(path)
    return Place(api, where, below[1], below[2] or "/") if below else None


def _resource(client: Any, api: str, path: str) -> str:
    """Return the id of the resource of a path, made with those above it where it is not there."""
    known = {each["path"]: each["id"] for each in client.get_resources(restApiId=api)["items"]}
    if path in known or path == "/":
        return str(known[path])
    above, _, part = path.rpartition("/")
    parent = _resource(client, api, above or "/")
    return str(client.create_resource(restApiId=api, parentId=parent, pathPart=part)["id"])


def _method(client: Any, at: dict[str, str], function_arn: str) -> None:
    region = function_arn.split(":")[3]
    client.put_method(**at, authorizationType="AWS_IAM")
    client.put_integration(
        **at,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/"
        f"{function_arn}/invocations",
    )


def _identity(principal: Principal) -> dict[str, str]:
    """Return who called, as API Gateway tells it.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
    """
    return {
        "accountId": principal.account,
        "accessKey": principal.access_key,
        "caller": _unique_id(principal),
        "userArn": principal.arn,
    }


def _unique_id(principal: Principal) -> str:
    from moto.iam.models import iam_backends

    backend = iam_backends[principal.account]["aws"]
    if principal.role_arn:
        return f"{backend.get_role_by_arn(principal.role_arn).id}:{principal.session_name}"
    ids = {user.arn: str(user.id) for user in backend.users.values()}
    return ids.get(principal.arn, principal.account)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
