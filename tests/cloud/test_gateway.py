"""A REST API lets through who signed, as whom they are, where their policies allow it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore import auth
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import EndpointConnectionError
from botocore.httpsession import URLLib3Session
from chalice.app import Chalice, IAMAuthorizer

from firebreak.cloud import Cloud
from firebreak.cloud.identity import SECRET, administrator_key
from tests.cloud.conftest import HOME, MEMBER

ROOT = ReadOnlyCredentials(administrator_key(HOME), SECRET, None)
Answer = tuple[int, dict[str, Any]]
Change = Callable[[AWSRequest], object]


def chalice() -> Chalice:
    """Return an app that tells who called, and what."""
    app = Chalice(app_name="told")

    @app.route("/who/{name}", methods=["POST"], authorizer=IAMAuthorizer())
    def who(name: str) -> dict[str, Any]:
        request = app.current_request
        assert request is not None
        return {
            "name": name,
            "identity": request.context["identity"],
            "body": request.json_body,
            "query": request.query_params and request.query_params.get("q"),
        }

    return app


@pytest.fixture
def url(cloud: Cloud) -> str:
    """Give the URL of an API."""
    app = chalice()
    cloud.add_function("told", app)
    return cloud.add_api("told", app, "told")


def sent(
    url: str,
    who: ReadOnlyCredentials,
    *,
    service: str = "execute-api",
    region: str = "us-east-1",
    method: str = "POST",
    path: str = "/who/me",
    after: Change = lambda request: None,
) -> Answer:
    """Sign a request, change it afterwards, and send it."""
    headers = {"Content-Type": "application/json", "X-More": " a  b "}
    request = AWSRequest(method, url + path, headers=headers, data=b'{"a": 1}')
    SigV4Auth(who, service, region).add_auth(request)
    after(request)
    response = URLLib3Session().send(request.prepare())
    return response.status_code, json.loads(response.content)


def user(cloud: Cloud, *statements: dict[str, Any], path: str = "/") -> ReadOnlyCredentials:
    iam = cloud.session().client("iam")
    iam.create_user(UserName="alice", Path=path)
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    return ReadOnlyCredentials(key["AccessKeyId"], key["SecretAccessKey"], None)


def allow(resource: str = "*", effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource}


def role(cloud: Cloud, **more: str) -> ReadOnlyCredentials:
    iam, sts = cloud.session().client("iam"), cloud.session().client("sts")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{HOME}:root"},
        "Action": "sts:AssumeRole",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = iam.create_role(RoleName="Admin", Path="/a/b/", AssumeRolePolicyDocument=document)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow()]})
    iam.put_role_policy(RoleName="Admin", PolicyName="p", PolicyDocument=policy)
    given = sts.assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="alice", **more)
    keys = given["Credentials"]
    return ReadOnlyCredentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


# --- who ------------------------------------------------------------------------------------------


def test_a_user_is_told_as_api_gateway_tells_it(cloud: Cloud, url: str) -> None:
    """The ARN with its path, IAM's own id, the account and the key."""
    who = user(cloud, allow(), path="/a/b/")
    unique = cloud.session().client("iam").get_user(UserName="alice")["User"]["UserId"]

    status, answer = sent(url, who, path="/who/me%20too?q=x%2Fy&p")

    assert (200, "x/y", {"a": 1}) == (status, answer["query"], answer["body"])
    told = answer["identity"]
    assert f"arn:aws:iam::{HOME}:user/a/b/alice" == told["userArn"]
    assert (HOME, unique, who.access_key) == (
        told["accountId"],
        told["caller"],
        told["accessKey"],
    )


def test_a_session_is_told_without_its_roles_path(cloud: Cloud, url: str) -> None:
    """The ARN of an assumed role has no path; the caller is the role's id and the session."""
    who = role(cloud)
    unique = cloud.session().client("iam").get_role(RoleName="Admin")["Role"]["RoleId"]

    told = sent(url, who)[1]["identity"]

    assert f"arn:aws:sts::{HOME}:assumed-role/Admin/alice" == told["userArn"]
    assert f"{unique}:alice" == told["caller"]


def test_root_is_told_as_root(url: str) -> None:
    """The account's own id is who calls."""
    told = sent(url, ROOT)[1]["identity"]

    assert (f"arn:aws:iam::{HOME}:root", HOME) == (told["userArn"], told["caller"])


# --- what is allowed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "status"),
    [
        ([], 403),
        ([allow()], 200),
        ([allow("arn:aws:execute-api:us-east-1:*:*/api/POST/who/*")], 200),
        ([allow("arn:aws:execute-api:us-east-1:*:*/api/GET/*")], 403),
        ([allow(), allow(effect="Deny")], 403),
        ([{**allow(), "Action": "lambda:InvokeFunction"}], 403),
    ],
    ids=str,
)
def test_policies_decide(
    cloud: Cloud, url: str, statements: list[dict[str, Any]], status: int
) -> None:
    """A caller needs execute-api:Invoke on the method, and no denial."""
    answered, answer = sent(url, user(cloud, *statements))

    assert status == answered
    assert (status == 403) == ("is not authorized to perform" in str(answer.get("Message")))


def test_a_session_policy_limits(cloud: Cloud, url: str) -> None:
    """A session whose policy does not speak of the API may not call it."""
    policy = {**allow(), "Action": "s3:*"}

    who = role(cloud, Policy=json.dumps({"Version": "2012-10-17", "Statement": [policy]}))

    assert 403 == sent(url, who)[0]


def test_an_inactive_key_is_refused(cloud: Cloud, url: str) -> None:
    """A key that was deactivated signs nothing any more."""
    who = user(cloud, allow())
    iam = cloud.session().client("iam")
    iam.update_access_key(UserName="alice", AccessKeyId=who.access_key, Status="Inactive")

    assert 403 == sent(url, who)[0]


def test_another_account_is_refused(url: str) -> None:
    """Without a resource policy an API is its own account's alone."""
    other = ReadOnlyCredentials(administrator_key(MEMBER), SECRET, None)

    assert 403 == sent(url, other)[0]


# --- what is signed -------------------------------------------------------------------------------


def changed(name: str, value: str) -> Change:
    def change(request: AWSRequest) -> None:
        del request.headers[name]
        request.headers[name] = value

    return change


def without(name: str) -> Change:
    return lambda request: request.headers.__delitem__(name)


def body(request: AWSRequest) -> None:
    request.data = b'{"a": 2}'


def elsewhere(request: AWSRequest) -> None:
    request.url = request.url.replace("/who/me", "/who/you")


def questioned(request: AWSRequest) -> None:
    request.url += "?q=1"


def unscoped(request: AWSRequest) -> None:
    said = request.headers["Authorization"]
    changed("Authorization", said.replace("content-type;host;", "content-type;"))(request)


@pytest.mark.parametrize(
    "after",
    [
        without("Authorization"),
        changed("Authorization", "AWS4-HMAC-SHA256 nonsense"),
        changed("Authorization", "Bearer abc"),
        changed("Content-Type", "text/plain"),
        changed("X-More", "c"),
        without("X-Amz-Date"),
        changed("X-Amz-Date", "20260101T000000Z"),
        changed("X-Amz-Date", "yesterday"),
        changed("X-Amz-Security-Token", "a-token-of-others"),
        body,
        elsewhere,
        questioned,
        unscoped,
    ],
    ids=lambda change: getattr(change, "__name__", "change"),
)
def test_what_is_not_signed_as_it_is_sent_is_refused(url: str, after: Change) -> None:
    """A header, the path, the query or the body changed, or no signature at all: 403."""
    assert 403 == sent(url, ROOT, after=after)[0]


@pytest.mark.parametrize(
    "who",
    [
        ReadOnlyCredentials(administrator_key(HOME), "guessed", None),
        ReadOnlyCredentials("AKIAIOSFODNN7EXAMPLE", SECRET, None),
        ReadOnlyCredentials(administrator_key(HOME), SECRET, "a-token"),
    ],
    ids=["secret", "key", "token"],
)
def test_a_wrong_secret_an_unknown_key_and_a_wrong_token_are_refused(
    url: str, who: ReadOnlyCredentials
) -> None:
    """Nobody is taken for who they are not."""
    assert 403 == sent(url, who)[0]


def test_a_session_needs_its_token(cloud: Cloud, url: str) -> None:
    """The key and secret of a session are worth nothing alone."""
    who = role(cloud)

    assert 200 == sent(url, who)[0]
    assert 403 == sent(url, ReadOnlyCredentials(who.access_key, who.secret_key, None))[0]


@pytest.mark.parametrize(("service", "region"), [("s3", "us-east-1"), ("execute-api", "eu-west-1")])
def test_a_signature_for_something_else_is_refused(url: str, service: str, region: str) -> None:
    """The scope names the service and the region of the API."""
    assert 403 == sent(url, ROOT, service=service, region=region)[0]


@pytest.mark.parametrize(("minutes", "status"), [(-6, 403), (-4, 200), (4, 200), (6, 403)])
def test_an_old_signature_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str, minutes: int, status: int
) -> None:
    """A request that was recorded is worth nothing five minutes later."""
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    monkeypatch.setattr(auth, "get_current_datetime", lambda: moment.replace(tzinfo=None))

    assert status == sent(url, ROOT)[0]


# --- routes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/other"), ("GET", "/who/me"), ("POST", "/")]
)
def test_what_is_no_method_is_refused(url: str, method: str, path: str) -> None:
    """API Gateway says the same of an unknown path and of an unknown method."""
    status, answer = sent(url, ROOT, method=method, path=path)

    assert (403, "Missing Authentication Token") == (status, answer["message"])


def test_a_function_that_fails_is_a_bad_gateway(cloud: Cloud) -> None:
    """What the function says of its failure is not told."""

    def broken(event: Any, context: Any) -> None:
        raise ValueError(event, context)

    cloud.add_function("broken", broken)
    url = cloud.add_api("told", chalice(), "broken")

    assert (502, {"message": "Internal server error"}) == sent(url, ROOT)


def test_other_hosts_are_none_of_it(cloud: Cloud) -> None:
    """A request to anything else goes the way it would have gone."""
    assert cloud
    with pytest.raises(EndpointConnectionError):
        sent("https://host.invalid/api", ROOT)
