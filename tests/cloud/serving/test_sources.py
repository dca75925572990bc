"""What invokes uploaded functions may do so only where policies admit it."""

from __future__ import annotations

import base64
import gzip
import json
import time
from typing import Any

import pytest

from tests.cloud.serving.conftest import HOME, MEMBER, Refused, Served, allow, policy
from tests.cloud.serving.test_hosts import queue, received

NOTE = """
import boto3, json
def handler(event, context):
    boto3.resource("dynamodb").Table("seen").put_item(
        Item={"id": context.aws_request_id, "event": json.dumps(event)}
    )
    return FAILED
"""
BUS = f"arn:aws:events:us-east-1:{HOME}:event-bus/default"


def noting(served: Served, *statements: dict[str, Any], failed: str = "None") -> str:
    """Upload a function that notes what it is given; return its ARN."""
    served.cloud.session().client("dynamodb").create_table(
        TableName="seen",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    code = NOTE.replace("FAILED", failed)
    return served.function(code, allow("dynamodb:PutItem"), *statements)


def seen(served: Served) -> list[Any]:
    """Return what the function was given."""
    items = served.cloud.session().client("dynamodb").scan(TableName="seen")["Items"]
    return [json.loads(each["event"]["S"]) for each in items]


def admit(served: Served, service: str, arn: str) -> None:
    """Let a service invoke the function on behalf of something."""
    served.cloud.session().client("lambda").add_permission(
        FunctionName="tiny",
        StatementId="one",
        Action="lambda:InvokeFunction",
        Principal=f"{service}.amazonaws.com",
        SourceArn=arn,
    )


def rule(served: Served, target: dict[str, str], account: str = HOME, **settings: str) -> str:
    """Put a rule for events of the source `ours`; return its ARN."""
    events = served.cloud.session(account).client("events")
    settings = settings or {"EventPattern": json.dumps({"source": ["ours"]})}
    arn = events.put_rule(Name="rule", **settings)["RuleArn"]
    events.put_targets(Rule="rule", Targets=[{"Id": "1", **target}])
    return str(arn)


def put(served: Served, account: str = HOME, **entry: str) -> None:
    """Put an event of the source `ours`."""
    event = {"Source": "ours", "DetailType": "a", "Detail": "{}", **entry}
    served.cloud.session(account).client("events").put_events(Entries=[event])


def test_a_rule_invokes_a_function_whose_policy_names_it(served: Served) -> None:
    """The function's policy admits EventBridge for this rule."""
    admit_for = rule(served, {"Arn": noting(served)})
    admit(served, "events", admit_for)

    put(served)

    assert ["ours"] == [each["source"] for each in seen(served)]


def test_a_rule_that_the_function_does_not_admit_is_dead_lettered(served: Served) -> None:
    """Without a policy, or with one for another rule, the event is not delivered."""
    url, dead = queue(served, "dead")
    noting(served)
    arn = rule(served, {"Arn": f"arn:aws:lambda:us-east-1:{HOME}:function:tiny"})
    served.cloud.session().client("events").put_targets(
        Rule="rule",
        Targets=[
            {
                "Id": "1",
                "Arn": f"arn:aws:lambda:us-east-1:{HOME}:function:tiny",
                "DeadLetterConfig": {"Arn": dead},
            }
        ],
    )
    admit(served, "events", f"{arn}-of-another-name")

    put(served)

    assert [] == seen(served)
    assert ["ours"] == [each["source"] for each in received(served, url)]
    assert [("lambda", "InvokeFunction")] == [(d.service, d.operation) for d in served.cloud.denied]


@pytest.mark.parametrize("admitted", [True, False])
def test_a_rule_sends_to_a_queue_whose_policy_admits_it(served: Served, *, admitted: bool) -> None:
    """A queue's policy says which rules may send to it."""
    url, arn = queue(served, "letters")
    source = rule(served, {"Arn": arn})
    statement = {
        **allow("sqs:SendMessage", arn),
        "Principal": {"Service": "events.amazonaws.com"},
        "Condition": {"ArnEquals": {"aws:SourceArn": source if admitted else f"{source}-not"}},
    }
    served.cloud.session().client("sqs").set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": policy(statement)}
    )

    put(served)

    assert int(admitted) == len(received(served, url))


def test_a_schedule_comes_due_when_told(served: Served) -> None:
    """A schedule's rule invokes its target with a scheduled event."""
    arn = rule(served, {"Arn": noting(served)}, ScheduleExpression="rate(5 minutes)")
    admit(served, "events", arn)

    served.cloud.run_schedules("rule")
    served.cloud.run_schedules("another")

    assert [("Scheduled Event", [arn])] == [
        (each["detail-type"], each["resources"]) for each in seen(served)
    ]


def forwarding(served: Served, *, may: bool, source: str = "ours") -> None:
    """Forward a member's events to the home account's bus, which admits one source."""
    iam = served.cloud.session(MEMBER).client("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    role = iam.create_role(RoleName="forward", AssumeRolePolicyDocument=policy(trust))
    statement = allow("events:PutEvents", BUS if may else f"{BUS}-not")
    iam.put_role_policy(RoleName="forward", PolicyName="only", PolicyDocument=policy(statement))
    bus = {
        "Sid": "members",
        **allow("events:PutEvents", BUS),
        "Principal": "*",
        "Condition": {
            "StringEquals": {"aws:PrincipalAccount": MEMBER, "events:source": source},
        },
    }
    served.cloud.session().client("events").put_permission(Policy=policy(bus))
    rule(served, {"Arn": BUS, "RoleArn": role["Role"]["Arn"]}, MEMBER)


@pytest.mark.parametrize(
    ("may", "source", "arrives"),
    [(True, "ours", True), (False, "ours", False), (True, "theirs", False)],
)
def test_an_event_is_forwarded_as_role_and_bus_admit_it(
    served: Served, *, may: bool, source: str, arrives: bool
) -> None:
    """A rule's role must be allowed to put it there, and the other bus's policy must admit it."""
    forwarding(served, may=may, source=source)
    admit(served, "events", rule(served, {"Arn": noting(served)}))

    put(served, MEMBER)

    assert [MEMBER] * arrives == [each["account"] for each in seen(served)]
    assert (not arrives) == any(each.service == "events" for each in served.cloud.denied)


def test_a_forged_event_is_refused(served: Served) -> None:
    """Who may not put an event of this source on another account's bus is told so."""
    forwarding(served, may=True)
    place = served.place(f"AKIA{MEMBER}ROOT", "not-a-secret")
    entry = {"Source": "firebreak.forged", "DetailType": "a", "Detail": "{}", "EventBusName": BUS}

    with pytest.raises(Refused, match="AccessDeniedException"):
        served.outside.call(place, "events", "put_events", Entries=[entry])
    answer = served.outside.call(
        place, "events", "put_events", Entries=[{**entry, "Source": "ours"}]
    )

    assert 0 == answer["FailedEntryCount"]


QUEUE_READING = tuple(
    allow(f"sqs:{action}") for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
)


def test_a_mapping_hands_over_a_queue_in_the_functions_role(served: Served) -> None:
    """What the answer names as failed stays in the queue; the rest is deleted."""
    url, arn = queue(served, "work")
    noting(served, *QUEUE_READING)
    made = served.call(
        "lambda", "create_event_source_mapping", EventSourceArn=arn, FunctionName="tiny"
    )
    served.cloud.session().client("sqs").send_message(QueueUrl=url, MessageBody="one")
    assert [] == seen(served)

    assert (1, 0) == (served.cloud.poll(), served.cloud.poll())

    assert ["one"] == [each["Records"][0]["body"] for each in seen(served)]
    served.call("lambda", "update_event_source_mapping", UUID=made["UUID"], Enabled=False)
    served.cloud.session().client("sqs").send_message(QueueUrl=url, MessageBody="two")
    assert 0 == served.cloud.poll()


@pytest.mark.parametrize("missing", range(len(QUEUE_READING)))
def test_a_mapping_needs_every_permission_to_read_its_source(served: Served, missing: int) -> None:
    """The role that lacks one reads nothing, and the permission is named."""
    url, arn = queue(served, "work")
    noting(served, *(each for n, each in enumerate(QUEUE_READING) if n != missing))
    served.cloud.session().client("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName="tiny"
    )
    served.cloud.session().client("sqs").send_message(QueueUrl=url, MessageBody="one")

    assert 0 == served.cloud.poll()
    [denied] = served.cloud.denied
    assert QUEUE_READING[missing]["Action"] in denied.message


def test_a_stream_of_a_table_comes_again_from_what_failed(served: Served) -> None:
    """A partial answer moves on to the first item it names."""
    reading = (
        allow("dynamodb:*Stream*"),
        allow("dynamodb:GetRecords"),
        allow("dynamodb:GetShardIterator"),
    )
    failed = (
        "{'batchItemFailures': [{'itemIdentifier': "
        "event['Records'][1]['dynamodb']['SequenceNumber']}] if len(event['Records']) > 1 else []}"
    )
    noting(served, *reading, failed=failed)
    tables = served.cloud.session().client("dynamodb")
    table = tables.create_table(
        TableName="audit",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    served.cloud.session().client("lambda").create_event_source_mapping(
        EventSourceArn=table["LatestStreamArn"],
        FunctionName="tiny",
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    for name in "ab":
        tables.put_item(TableName="audit", Item={"id": {"S": name}})

    assert (2, 1, 0) == (served.cloud.poll(), served.cloud.poll(), served.cloud.poll())


def kinesis(served: Served) -> str:
    """Make a stream of one shard; return its ARN."""
    streams = served.cloud.session().client("kinesis")
    streams.create_stream(StreamName="logs", ShardCount=1)
    return f"arn:aws:kinesis:us-east-1:{HOME}:stream/logs"


def test_a_failing_batch_of_kinesis_is_bisected_and_given_up(served: Served) -> None:
    """What fails alone, after its retries, is told to the failure destination; the rest is not."""
    url, dead = queue(served, "dead")
    served.function(
        "import base64\n"
        "def handler(event, context):\n"
        "    texts = [base64.b64decode(each['kinesis']['data']) for each in event['Records']]\n"
        "    if b'bad' in texts: raise ValueError(texts)\n",
        allow("kinesis:*"),
        allow("sqs:SendMessage", dead),
    )
    arn = kinesis(served)
    served.cloud.session().client("lambda").create_event_source_mapping(
        EventSourceArn=arn,
        FunctionName="tiny",
        StartingPosition="TRIM_HORIZON",
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": dead}},
    )
    for text in (b"good", b"bad", b"good"):
        served.cloud.session().client("kinesis").put_record(
            StreamName="logs", Data=text, PartitionKey="one"
        )

    assert [3, 2, 1, 2, 1, 1, 0] == [served.cloud.poll() for _ in range(7)]
    [told] = received(served, url)
    assert (1, arn) == (
        told["KinesisBatchInfo"]["batchSize"],
        told["KinesisBatchInfo"]["streamArn"],
    )


def log(served: Served, account: str) -> None:
    """Write one event to the log group of an account."""
    logs = served.cloud.session(account).client("logs")
    logs.create_log_stream(logGroupName="alerts", logStreamName="one")
    events = [{"timestamp": int(time.time() * 1000), "message": "an alert"}]
    logs.put_log_events(logGroupName="alerts", logStreamName="one", logEvents=events)


def unpacked(data: str) -> dict[str, Any]:
    """Return what CloudWatch Logs packed."""
    said: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(data)))
    return said


def test_a_log_group_hands_on_to_a_function_that_admits_it(served: Served) -> None:
    """A subscription invokes the function with the events, packed."""
    arn = noting(served)
    logs = served.cloud.session().client("logs")
    logs.create_log_group(logGroupName="alerts")
    logs.put_subscription_filter(
        logGroupName="alerts", filterName="all", filterPattern="", destinationArn=arn
    )
    admit(served, "logs", f"arn:aws:logs:us-east-1:{HOME}:log-group:alerts:*")

    log(served, HOME)

    [given] = seen(served)
    assert ["an alert"] == [e["message"] for e in unpacked(given["awslogs"]["data"])["logEvents"]]


@pytest.mark.parametrize("may", [True, False])
def test_a_log_group_of_another_account_hands_on_to_a_destination(
    served: Served, *, may: bool
) -> None:
    """A destination puts a record into its stream in its own role."""
    stream = kinesis(served)
    role = served.role(
        "destination",
        allow("kinesis:PutRecord", stream if may else f"{stream}-not"),
        service="logs",
    )
    home, member = (served.cloud.session(each).client("logs") for each in (HOME, MEMBER))
    made = home.put_destination(destinationName="alerts", targetArn=stream, roleArn=role)
    arn = made["destination"]["arn"]
    statement = {**allow("logs:PutSubscriptionFilter", arn), "Principal": {"AWS": MEMBER}}
    member.create_log_group(logGroupName="alerts")
    subscription = {"logGroupName": "alerts", "filterName": "all", "filterPattern": ""}
    with pytest.raises(member.exceptions.InvalidParameterException):
        member.put_subscription_filter(**subscription, destinationArn=arn)
    home.put_destination_policy(destinationName="alerts", accessPolicy=policy(statement))
    member.put_subscription_filter(**subscription, destinationArn=arn)

    log(served, MEMBER)

    streams = served.cloud.session().client("kinesis")
    iterator = streams.get_shard_iterator(
        StreamName="logs", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = streams.get_records(ShardIterator=iterator)["Records"]
    told = [json.loads(gzip.decompress(each["Data"])) for each in records]
    assert [(MEMBER, "alerts")] * may == [(each["owner"], each["logGroup"]) for each in told]
    assert (not may) == any("kinesis:PutRecord" in each.message for each in served.cloud.denied)
