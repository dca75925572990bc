"""The API of a stage, called as whoever runs a command: signed requests, answers as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from chalicelib.aws import new_session
from chalicelib.effect import JSON, canonical_text
from chalicelib.errors import Failed, InvalidSettings
from chalicelib.gone import is_code
from chalicelib.runner.work import Desk
from chalicelib.text import one_line

PATIENCE = 35  # seconds to wait for an answer: API Gateway gives up after 29
LONGEST = 2_000  # characters of what the API says
API_STAGE = "api"  # as .chalice/config.json names it


def decide(
    desk: Desk, url: str, credentials: ReadOnlyCredentials, identity: str, asked: Mapping[str, JSON]
) -> dict[str, Any]:
    """Ask a stage's API for a decision, as whom the credentials are of; return its answer.

    Raise Failed with the API's own words where it says no.
    """
    place = f"{url.rstrip('/')}/remediations/{quote(identity, safe='')}/decision"
    status, answer = post(place, asked, credentials, desk.settings.region)
    if status != 200:
        said = answer.get("message") or answer.get("Message") or f"it answered {status}"
        raise Failed(one_line(str(said), LONGEST))
    return answer


def own_credentials() -> ReadOnlyCredentials:
    """Return the credentials of this process. Raise InvalidSettings where there are none."""
    credentials = new_session().get_credentials()
    if credentials is None:
        raise InvalidSettings("no AWS credentials: the API has to know who decides")
    return credentials.get_frozen_credentials()


def post(
    url: str, body: JSON, credentials: ReadOnlyCredentials, region: str
) -> tuple[int, dict[str, Any]]:
    """Send JSON, signed; return status and answer.

    Raise botocore's HTTPClientError where nobody answers.
    """
    request = AWSRequest(
        "POST",
        url,
        headers={"Content-Type": "application/json"},
        data=canonical_text(body).encode(),
    )
    SigV4Auth(credentials, "execute-api", region).add_auth(request)
    response = URLLib3Session(timeout=PATIENCE).send(request.prepare())
    return int(response.status_code), _parsed(response.content)


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def url_of(desk: Desk) -> str:
    """Return the URL of a stage's API: the one given, else that of the API of its function.

    Chalice calls the API's function firebreak-<stage>, and every stage's API firebreak: which API
    is the stage's own is told by which one may invoke the function. Raise InvalidSettings where
    that is not exactly one.
    """
    settings = desk.settings
    if settings.api_url:
        return settings.api_url
    client = desk.access.home("apigateway")
    known = {api["id"] for page in _pages(client) for api in page["items"]}
    ids = sorted(_invoking(desk) & known)
    if len(ids) != 1:
        raise InvalidSettings(
            f"stage {settings.stage} has {len(ids) or 'no'} APIs in {settings.region}: "
            "deploy it, or set FIREBREAK_API_URL"
        )
    stage = _stage(client, ids[0])
    if elsewhere := os.environ.get("AWS_ENDPOINT_URL"):  # where one host serves all of AWS
        return f"{elsewhere.rstrip('/')}/_aws/execute-api/{ids[0]}/{stage}"
    suffix = "amazonaws.com.cn" if settings.partition == "aws-cn" else "amazonaws.com"
    return f"https://{ids[0]}.execute-api.{settings.region}.{suffix}/{stage}"


def _pages(client: Any) -> Any:
    return client.get_paginator("get_rest_apis").paginate()


def _invoking(desk: Desk) -> set[str]:
    """Return the ids of the APIs that may invoke the stage's function."""
    try:
        found = desk.access.home("lambda").get_policy(
            FunctionName=f"firebreak-{desk.settings.stage}"
        )
    except ClientError as error:
        if is_code(error, "ResourceNotFoundException"):
            return set()
        raise
    sources = [
        str(source)
        for statement in json.loads(found["Policy"])["Statement"]
        for name, source in statement.get("Condition", {}).get("ArnLike", {}).items()
        if name.lower() == "aws:sourcearn"
    ]
    return {arn.split(":")[5].partition("/")[0] for arn in sources if ":execute-api:" in arn}


def _stage(client: Any, api: str) -> str:
    names = [each["stageName"] for each in client.get_stages(restApiId=api)["item"]]
    return API_STAGE if API_STAGE in names or len(names) != 1 else str(names[0])
