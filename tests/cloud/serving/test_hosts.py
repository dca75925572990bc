"""Uploaded functions run as Lambda runs them: their world, their end, their logs, their errors."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.cloud.serving.conftest import HOME, Served, allow, package

WHO = """
import boto3, os, sys
calls = []
def handler(event, context):
    calls.append(event)
    return {
        "arn": boto3.client("sts").get_caller_identity()["Arn"],
        "name": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        "variable": os.environ.get("VARIABLE"),
        "calls": len(calls),
        "function": context.invoked_function_arn,
    }
"""
GROUP = f"arn:aws:logs:us-east-1:{HOME}:log-group:/aws/lambda/tiny:*"
LOGS = (allow("logs:CreateLogStream", GROUP), allow("logs:PutLogEvents", GROUP))


def test_a_function_acts_in_its_own_role(served: Served) -> None:
    """A function has its variables, its name and credentials of a session of its role."""
    arn = served.function(WHO, Environment={"Variables": {"VARIABLE": "given"}})

    answer = served.invoke({})

    assert {
        "arn": f"arn:aws:sts::{HOME}:assumed-role/tiny-role/tiny",
        "name": "tiny",
        "variable": "given",
        "calls": 1,
        "function": arn,
    } == answer
    [call] = [each for each in served.cloud.calls if each.operation == "GetCallerIdentity"]
    assert ("tiny", True) == (call.function, call.request_id is not None)


def test_a_warm_process_serves_the_next_invocation(served: Served) -> None:
    """What a module keeps is there again, until the function changes."""
    served.function(WHO)

    assert [1, 2] == [served.invoke({})["calls"], served.invoke({})["calls"]]
    served.cloud.session().client("lambda").update_function_code(
        FunctionName="tiny", ZipFile=package(WHO + "\n")
    )
    assert 1 == served.invoke({})["calls"]


def test_a_call_its_role_does_not_allow_is_refused_to_a_function(served: Served) -> None:
    """IAM stands between a function and every service."""
    served.function("import boto3\ndef handler(e, c): boto3.client('dynamodb').list_tables()\n")

    answer = served.invoke({})

    assert "ClientError" == answer["errorType"]
    assert "dynamodb:ListTables" in answer["errorMessage"]


def test_a_role_must_trust_lambda(served: Served) -> None:
    """A function whose role another service only may assume does not run."""
    role = served.role("other", service="states")
    served.function(WHO)
    functions = served.cloud.session().client("lambda")
    functions.update_function_configuration(FunctionName="tiny", Role=role)

    assert "AccessDeniedException" == served.invoke({})["errorType"]
    assert [("sts", "AssumeRole")] == [(d.service, d.operation) for d in served.cloud.denied]


def test_a_package_that_lacks_a_dependency_fails_to_load(served: Served) -> None:
    """A function sees its package and AWS's SDK, and nothing of this environment."""
    served.function("import boto3, yaml\ndef handler(event, context): return 1\n")

    answer = served.invoke({})

    assert "Runtime.ImportModuleError" == answer["errorType"]
    assert "No module named 'yaml'" in answer["errorMessage"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("import os; os._exit(3)", "Runtime.ExitError"),
        ("import time; time.sleep(60)", "Sandbox.Timedout"),
        ("raise KeyError('gone')", "KeyError"),
        ("return object()", "Runtime.MarshalError"),
    ],
)
def test_a_function_that_fails_is_reported_and_started_anew(
    served: Served, body: str, error: str
) -> None:
    """A crash, a timeout and an error are told as Lambda tells them; the next one runs."""
    served.function(
        f"def handler(event, context):\n    if not event: {body}\n    return 7\n", Timeout=1
    )

    assert error == served.invoke({})["errorType"]
    assert 7 == served.invoke({"well": True})


def test_invocations_at_once_have_processes_of_their_own(served: Served) -> None:
    """Two invocations that wait for each other both end."""
    served.function(
        "import boto3, time\n"
        "def handler(event, context):\n"
        "    table = boto3.resource('dynamodb').Table('met')\n"
        "    table.put_item(Item={'id': event['me']})\n"
        "    while 'Item' not in table.get_item(Key={'id': event['other']}): time.sleep(0.05)\n"
        "    return event['me']\n",
        allow("dynamodb:*"),
        Timeout=30,
    )
    served.cloud.session().client("dynamodb").create_table(
        TableName="met",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    events = [{"me": "a", "other": "b"}, {"me": "b", "other": "a"}]

    with ThreadPoolExecutor() as pool:
        assert ["a", "b"] == list(pool.map(served.invoke, events))


def test_what_a_function_writes_is_logged_in_its_role(served: Served) -> None:
    """Output goes to the log group that the configuration names."""
    logs = served.cloud.session().client("logs")
    logs.create_log_group(logGroupName="ours")
    served.function(
        "def handler(event, context): print('said', event)\n",
        allow("logs:*"),
        LoggingConfig={"LogGroup": "ours"},
    )

    served.invoke(5)

    messages = [each["message"] for each in logs.filter_log_events(logGroupName="ours")["events"]]
    assert "said 5" in messages
    assert ("START", "END", "REPORT") == (
        messages[0].split()[0],
        *(each.split()[0] for each in messages[-2:]),
    )


@pytest.mark.parametrize("missing", ["CreateLogStream", "PutLogEvents"])
def test_a_function_that_may_not_log_runs_all_the_same(served: Served, missing: str) -> None:
    """What its role may not write is lost, and told to whoever runs the world."""
    served.cloud.session().client("logs").create_log_group(logGroupName="/aws/lambda/tiny")
    allowed = [each for each in LOGS if missing not in each["Action"]]
    served.function("def handler(event, context): return 1\n", *allowed)

    assert 1 == served.invoke({})
    [denied] = served.cloud.denied
    assert f"logs:{missing}" in denied.message


@pytest.mark.parametrize("missing", ["PutTelemetryRecords", "PutTraceSegments"])
def test_an_active_trace_is_put_in_the_functions_role(served: Served, missing: str) -> None:
    """Tracing asks for permissions of its own."""
    tracing = [allow(f"xray:{n}") for n in ("PutTelemetryRecords", "PutTraceSegments")]
    served.function(
        "def handler(e, c): return 1\n",
        *LOGS,
        *(each for each in tracing if missing not in each["Action"]),
        TracingConfig={"Mode": "Active"},
    )
    served.cloud.session().client("logs").create_log_group(logGroupName="/aws/lambda/tiny")

    served.invoke({})

    [denied] = served.cloud.denied
    assert f"xray:{missing}" in denied.message


def queue(served: Served, name: str) -> tuple[str, str]:
    """Make a queue; return its URL and its ARN."""
    client = served.cloud.session().client("sqs")
    url = client.create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:{HOME}:{name}"


def received(served: Served, url: str) -> list[Any]:
    """Return what a queue holds."""
    answer = served.cloud.session().client("sqs").receive_message(QueueUrl=url)
    return [json.loads(each["Body"]) for each in answer.get("Messages", [])]


@pytest.mark.parametrize("allowed", [True, False])
def test_an_event_that_fails_is_retried_and_goes_to_the_failure_destination(
    served: Served, *, allowed: bool
) -> None:
    """After two retries the event is sent on in the function's role, if that may."""
    url, arn = queue(served, "failed")
    sending = [allow("sqs:SendMessage", arn)] if allowed else []
    served.function("def handler(event, context): raise ValueError(event)\n", *sending)
    functions = served.cloud.session().client("lambda")
    functions.put_function_event_invoke_config(
        FunctionName="tiny", DestinationConfig={"OnFailure": {"Destination": arn}}
    )

    functions.invoke(FunctionName="tiny", InvocationType="Event", Payload=b'{"a": 1}')

    told = received(served, url)
    assert [({"a": 1}, 3)] * allowed == [
        (each["requestPayload"], each["requestContext"]["approximateInvokeCount"]) for each in told
    ]
    refused = [each for each in served.cloud.denied if each.service == "sqs"]
    assert (not allowed) == bool(refused)
