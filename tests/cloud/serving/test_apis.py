"""A REST API of a served world is reached by path, and its function runs in its own process."""

from __future__ import annotations

import json
import types
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.httpsession import URLLib3Session

from firebreak.cloud.identity import SECRET, administrator_key
from tests.cloud.serving.conftest import HOME, MEMBER, Served

TELL = """
import json
def handler(event, context):
    told = {"who": event["requestContext"]["identity"]["userArn"], "path": event["pathParameters"]}
    return {"statusCode": 201, "body": json.dumps(told | {"body": event["body"]})}
"""


def api(served: Served) -> str:
    """Put an API with one method in front of an uploaded function; return its URL by path."""
    served.function(TELL)
    app = types.SimpleNamespace(routes={"/things/{name}": {"POST": None}})
    url = served.cloud.add_api("things", app, "tiny")
    identity = url.removeprefix("https://").partition(".")[0]
    return f"{served.url}/_aws/execute-api/{identity}/api"


def post(url: str, account: str, service: str = "execute-api") -> tuple[int, Any]:
    """Send a signed request over HTTP."""
    request = AWSRequest("POST", url, data=b"asked")
    key = ReadOnlyCredentials(administrator_key(account), SECRET, None)
    SigV4Auth(key, service, "us-east-1").add_auth(request)
    answer = URLLib3Session().send(request.prepare())
    return answer.status_code, json.loads(answer.content)


def test_the_function_is_told_who_called(served: Served) -> None:
    """Status and body are the function's own."""
    told = {"who": f"arn:aws:iam::{HOME}:root", "path": {"name": "one"}, "body": "asked"}

    assert (201, told) == post(f"{api(served)}/things/one", HOME)


def test_who_may_not_invoke_it_is_refused(served: Served) -> None:
    """Another account, another service's signature, and another path are not let in."""
    url = api(served)

    assert 403 == post(f"{url}/things/one", MEMBER)[0]
    assert 403 == post(f"{url}/things/one", HOME, "lambda")[0]
    assert 403 == post(f"{url}/things", HOME)[0]


def test_a_function_that_does_not_admit_the_api_is_not_invoked(served: Served) -> None:
    """The function's own policy has to name the API."""
    url = api(served)
    functions = served.cloud.session().client("lambda")
    [statement] = json.loads(functions.get_policy(FunctionName="tiny")["Policy"])["Statement"]
    functions.remove_permission(FunctionName="tiny", StatementId=statement["Sid"])

    assert 500 == post(f"{url}/things/one", HOME)[0]
