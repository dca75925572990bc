"""Requests over HTTP are verified, checked and recorded as calls in this process are."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from tests.cloud.serving.conftest import HOME, Refused, Served, allow, package

DENIED = [
    ("sts", "assume_role", {"RoleArn": f"arn:aws:iam::{HOME}:role/none", "RoleSessionName": "me"}),
    ("iam", "list_users", {}),
    ("s3", "list_buckets", {}),
    ("sqs", "create_queue", {"QueueName": "queue"}),
]
DENIED_IN_JSON = [
    ("dynamodb", "list_tables", {}),
    ("lambda", "list_functions", {}),
    ("events", "list_rules", {}),
    ("network-firewall", "list_firewalls", {}),
]


def test_a_function_is_made_and_invoked_from_another_process(served: Served) -> None:
    """A client that knows the URL alone creates a role and a function, and invokes it."""
    trust = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
    role = served.call(
        "iam", "create_role", RoleName="role", AssumeRolePolicyDocument=json.dumps(trust)
    )
    code = package("def handler(event, context):\n    return {'twice': 2 * event['number']}\n")
    served.call(
        "lambda",
        "create_function",
        FunctionName="double",
        Runtime="python3.11",
        Role=role["Role"]["Arn"],
        Handler="app.handler",
        Code={"ZipFile": code},
    )

    answer = served.call("lambda", "invoke", FunctionName="double", Payload=b'{"number": 21}')

    assert {"twice": 42} == json.loads(answer["Payload"])


@pytest.mark.parametrize(
    ("service", "operation", "params", "code"),
    [
        *((*each, "AccessDenied") for each in DENIED),
        *((*each, "AccessDeniedException") for each in DENIED_IN_JSON),
        ("ec2", "describe_instances", {}, "UnauthorizedOperation"),
        ("sns", "list_topics", {}, "AuthorizationError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_policy_allows_is_refused_in_the_services_own_words(
    served: Served, service: str, operation: str, params: dict[str, str], code: str
) -> None:
    """A session without a policy is refused in every protocol, and the refusal is recorded."""
    keys = served.cloud.roles.assume(served.role("bare"), "lambda.amazonaws.com", "bare", {})

    with pytest.raises(Refused) as refused:
        served.call_as(keys, service, operation, **params)

    assert code == refused.value.code
    assert "is not authorized to perform" in str(refused.value)
    assert (service, code) == (served.cloud.calls[-1].service, served.cloud.calls[-1].code)


def test_what_a_policy_allows_is_done(served: Served) -> None:
    """A session does what its role's policy allows, and no more."""
    role = served.role("reader", allow("dynamodb:ListTables"))
    keys = served.cloud.roles.assume(role, "lambda.amazonaws.com", "reader", {})

    assert [] == served.call_as(keys, "dynamodb", "list_tables")["TableNames"]
    with pytest.raises(Refused):
        served.call_as(keys, "dynamodb", "describe_limits")


def test_objects_are_kept_under_any_key(served: Served) -> None:
    """S3 is spoken path-style, with keys that must be encoded."""
    served.call("s3", "create_bucket", Bucket="letters")
    served.call("s3", "put_object", Bucket="letters", Key="a b/c+d=é", Body=b"text")

    answer = served.call("s3", "get_object", Bucket="letters", Key="a b/c+d=é")

    assert "text" == answer["Body"]


def test_a_service_says_what_is_wrong(served: Served) -> None:
    """An error of a service reaches the client as it is, and is recorded."""
    with pytest.raises(Refused, match="ResourceNotFoundException"):
        served.call("dynamodb", "describe_table", TableName="none")

    assert "ResourceNotFoundException" == served.cloud.calls[-1].code


def test_a_corrected_answer_is_written_anew(served: Served) -> None:
    """What a follow-up puts right in a response is right over HTTP too."""
    made = served.call("ec2", "run_instances", ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
    instance = made["Instances"][0]["InstanceId"]

    answer = served.call(
        "ec2",
        "describe_instance_attribute",
        InstanceId=instance,
        Attribute="blockDeviceMapping",
    )

    assert [True] == [each["Ebs"]["DeleteOnTermination"] for each in answer["BlockDeviceMappings"]]


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("ec2", "describe_instances", "AuthFailure"),
        ("dynamodb", "list_tables", "UnrecognizedClientException"),
        ("s3", "list_buckets", "InvalidAccessKeyId"),
    ],
)
def test_a_key_that_nobody_issued_is_refused(
    served: Served, service: str, operation: str, code: str
) -> None:
    """Only keys of the world are known in it."""
    place = served.place("AKIAIOSFODNN7EXAMPLE", "secret")

    with pytest.raises(Refused) as refused:
        served.outside.call(place, service, operation)

    assert code == refused.value.code


def test_a_wrong_secret_is_refused(served: Served) -> None:
    """A known key signs with its own secret only."""
    place = served.place(f"AKIA{HOME}ROOT", "guessed")

    with pytest.raises(Refused, match="InvalidSignatureException"):
        served.outside.call(place, "dynamodb", "list_tables")


def test_a_request_without_a_signature_is_refused(served: Served) -> None:
    """Who does not sign is not let in."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(served.url)  # noqa: S310 - the served world's own URL

    with refused.value as answer:
        assert (403, "MissingAuthenticationToken") == (
            answer.code,
            json.loads(answer.read())["__type"],
        )
