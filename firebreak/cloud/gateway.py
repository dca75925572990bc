"""A REST API of API Gateway whose methods ask for IAM's authorization, in front of a function.

A request is let through as AWS would: its signature is verified against the secret of the key that
it names, the caller's policies must allow execute-api:Invoke, and the function is told who called.
https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session

from firebreak.cloud.identity import SECRET, Identities, Principal, administrator_key
from firebreak.cloud.lambdas import Result
from firebreak.cloud.patching import Patch
from firebreak.cloud.policy import Decision, Request, evaluate
from firebreak.cloud.signatures import HttpRequest, Secret, Unsigned, signer

SERVICE = "execute-api"
STAGE = "api"  # of the API, as Chalice names it
_SEND = URLLib3Session.send  # the original, taken before any world replaces it


@dataclass(frozen=True)
class Api:
    """A Chalice app's routes under a host of their own, and the function that answers them."""

    id: str
    app: Any
    function_arn: str


@dataclass(frozen=True)
class Raw:
    """The body of an answer, as botocore reads it."""

    text: str

    def stream(self) -> Iterator[bytes]:
        """Yield the body's bytes."""
        yield self.text.encode()


class Gateway:
    """Every API of a world, reached by HTTP as botocore sends it."""

    def __init__(
        self,
        identities: Identities,
        invoke: Callable[[str, Any], Result],
        account: str,
        region: str,
    ) -> None:
        self._identities, self._invoke = identities, invoke
        self._account, self._region = account, region
        self._apis: dict[str, Api] = {}

    def patches(self) -> list[Patch]:
        """Return the patch that leads requests to this world's APIs here."""
        gateway = self

        def send(session: URLLib3Session, request: Any) -> Any:
            return gateway.send(session, request)

        return [Patch(URLLib3Session, "send", send)]

    def add(self, session: Any, name: str, app: Any, function_name: str) -> str:
        """Make an API as `chalice deploy` does; return its URL."""
        client, functions = session.client("apigateway"), session.client("lambda")
        api = client.create_rest_api(name=name)["id"]
        root = client.get_resources(restApiId=api)["items"][0]["id"]
        at = {"restApiId": api, "resourceId": root, "httpMethod": "POST"}
        client.put_method(**at, authorizationType="AWS_IAM")
        client.put_integration(**at, type="MOCK")
        client.create_deployment(restApiId=api, stageName=STAGE)
        functions.add_permission(
            FunctionName=function_name,
            StatementId=f"api-{api}",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{self._region}:{self._account}:{api}/*",
        )
        arn = functions.get_function(FunctionName=function_name)["Configuration"]["FunctionArn"]
        host = f"{api}.execute-api.{self._region}.amazonaws.com"
        self._apis[host] = Api(api, app, arn)
        return f"https://{host}/{STAGE}"

    def send(self, session: URLLib3Session, request: Any) -> Any:
        """Answer a request to an API of this world; every other goes where it would have gone."""
        api = self._apis.get(urlsplit(request.url).netloc)
        if api is None:
            return _SEND(session, request)
        body = request.body or b""
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        came = HttpRequest(
            request.method,
            request.url,
            headers,
            body if isinstance(body, bytes) else str(body).encode(),
        )
        status, answer = self._answer(api, came)
        told: Any = {"content-type": "application/json"}
        return AWSResponse(request.url, status, told, Raw(answer))

    def _answer(self, api: Api, request: HttpRequest) -> tuple[int, str]:
        try:
            event = _event(api, request)
            key = signer(request, self._region, SERVICE, self._secret)
        except Unsigned as wrong:
            return 403, json.dumps({"message": str(wrong)})
        principal = self._identities.of_key(key)
        refused = self._refused(api, principal, event)
        if refused:
            return 403, json.dumps({"Message": refused})
        event["requestContext"]["identity"] |= _identity(principal)
        result = self._invoke(api.function_arn, event)
        if result.failed or "statusCode" not in result.value:
            return 502, json.dumps({"message": "Internal server error"})
        return int(result.value["statusCode"]), str(result.value["body"])

    def _secret(self, key: str) -> Secret | None:
        from moto.iam.models import iam_backends
        from moto.sts.models import sts_backends

        account = self._identities.account_of(key)
        if key == administrator_key(account):
            return Secret(SECRET)
        for backend in list(sts_backends[account].values()):
            session = backend.get_assumed_role_from_access_key(key)
            if session is not None:
                return Secret(session.secret_access_key, session.session_token)
        for user in list(iam_backends[account]["aws"].users.values()):
            for each in user.access_keys:
                if each.access_key_id == key:
                    return Secret(each.secret_access_key)
        return None

    def _refused(self, api: Api, principal: Principal, event: Mapping[str, Any]) -> str:
        """Say why a caller may not invoke a method; "" where it may."""
        context = event["requestContext"]
        path = f"{STAGE}/{context['httpMethod']}{context['path']}"
        resource = f"arn:aws:execute-api:{self._region}:{self._account}:{api.id}/{path}"
        asked = Request("execute-api:Invoke", resource)
        documents = [] if principal.policies is None else [principal.policies]
        if principal.session_policy is not None:
            documents.append((principal.session_policy,))
        allowed = all(evaluate(each, asked) is Decision.ALLOW for each in documents)
        if allowed and not principal.inactive and principal.account == self._account:
            return ""
        return (
            f"User: {principal.arn} is not authorized to perform: execute-api:Invoke "
            f"on resource: {resource}"
        )


def _event(api: Api, request: HttpRequest) -> dict[str, Any]:
    """Return what the function is invoked with. Raise Unsigned where there is no such method."""
    from chalice.local import LambdaEventConverter, RouteMatcher

    parts = urlsplit(request.url)
    path = parts._replace(scheme="", netloc="", path=parts.path.removeprefix(f"/{STAGE}")).geturl()
    converter: Any = LambdaEventConverter(RouteMatcher(list(api.app.routes)), [])
    headers = {name: value for name, value in request.headers.items() if name != "authorization"}
    try:
        event: dict[str, Any] = converter.create_lambda_event(
            request.method, path, headers, request.body.decode("utf-8", "replace")
        )
    except ValueError:
        raise Unsigned("Missing Authentication Token") from None
    if request.method not in api.app.routes[event["requestContext"]["resourcePath"]]:
        raise Unsigned("Missing Authentication Token")
    return event


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
