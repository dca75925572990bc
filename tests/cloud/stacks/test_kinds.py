"""Tests of every embedded type: made, changed in place, looked at by its own API, deleted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from firebreak.cloud import Cloud
from firebreak.cloud.stacks.kinds import kinds
from tests.cloud.conftest import HOME
from tests.cloud.stacks.conftest import Stacks, template
from tests.cloud.stacks.kitchen import kitchen

Client = Callable[[str], Any]
PLACE = f"us-east-1:{HOME}"


@pytest.fixture
def twice(cloud: Cloud) -> tuple[Stacks, Client, dict[str, str]]:
    """Make the kitchen's first version, then change it to the second; tell the physical ids."""
    cloud.add_function("fun", lambda event, context: event)
    session = cloud.session()
    stacks = Stacks(session.client("cloudformation"))
    tags = [{"Key": "project", "Value": "firebreak"}]
    stacks.create("s", template(kitchen(1)), Tags=tags)
    before = ids(stacks)
    stacks.update("s", template(kitchen(2)))
    return stacks, session.client, before


def ids(stacks: Stacks) -> dict[str, str]:
    """Return the physical ids of a stack, by logical id."""
    found = stacks.client.list_stack_resources(StackName="s")["StackResourceSummaries"]
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}


def test_every_type_is_made_and_changed(twice: tuple[Stacks, Client, dict[str, str]]) -> None:
    """Nothing fails, every embedded type is there, and only the permission is replaced."""
    stacks, _, before = twice
    after = ids(stacks)

    assert ({}, "UPDATE_COMPLETE") == (stacks.reasons("s"), stacks.status("s"))
    assert set(kinds()) == {each["Type"] for each in kitchen(1).values()}
    assert ["Permission"] == [name for name in before if before[name] != after[name]]


def seen(client: Client) -> dict[str, tuple[object, object]]:
    """Return what should be and what the services say, by what it is."""
    queue = client("sqs").get_queue_url(QueueName="q")["QueueUrl"]
    attributes = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
    table = client("dynamodb").describe_table(TableName="tab")["Table"]
    alias = client("kms").describe_key(KeyId="alias/x")["KeyMetadata"]
    role = client("iam").get_role(RoleName="rol")["Role"]
    topic = client("sns").get_topic_attributes(TopicArn=f"arn:aws:sns:{PLACE}:top")["Attributes"]
    stream = client("kinesis").describe_stream_summary(StreamName="str")["StreamDescriptionSummary"]
    target = client("events").list_targets_by_rule(Rule="rul")["Targets"][0]
    return {
        "alias": (alias["Arn"], table["SSEDescription"]["KMSMasterKeyArn"]),
        "disabled key": ("Disabled", alias["KeyState"]),
        "table protection": (False, table["DeletionProtectionEnabled"]),
        "queue timeout": ("120", attributes["Attributes"]["VisibilityTimeout"]),
        "queue redrive": (
            5,
            json.loads(attributes["Attributes"]["RedrivePolicy"])["maxReceiveCount"],
        ),
        "queue policy": (
            "v2",
            json.loads(attributes["Attributes"]["Policy"])["Statement"][0]["Sid"],
        ),
        "topic": (("v2", "alias/x"), (topic["DisplayName"], topic["KmsMasterKeyId"])),
        "topic policy": ("v2", json.loads(topic["Policy"])["Statement"][0]["Sid"]),
        "stream": (
            ("ON_DEMAND", 48, "KMS"),
            (
                stream["StreamModeDetails"]["StreamMode"],
                stream["RetentionPeriodHours"],
                stream["EncryptionType"],
            ),
        ),
        "role": (
            ("v2", 7200, f"arn:aws:iam::{HOME}:policy/managed"),
            (
                role["Description"],
                role["MaxSessionDuration"],
                role["PermissionsBoundary"]["PermissionsBoundaryArn"],
            ),
        ),
        "role policies": (
            ["more", "p2"],
            sorted(client("iam").list_role_policies(RoleName="rol")["PolicyNames"]),
        ),
        "target": (
            ({"MaximumRetryAttempts": 2}, {"Arn": f"arn:aws:sqs:{PLACE}:dead"}),
            (target["RetryPolicy"], target["DeadLetterConfig"]),
        ),
    }


def told(client: Client) -> dict[str, tuple[object, object]]:
    """Return more of what should be and what the services say."""
    s3, logs, functions = client("s3"), client("logs"), client("lambda")
    lock = s3.get_object_lock_configuration(Bucket="buck-et")["ObjectLockConfiguration"]
    rule = s3.get_bucket_lifecycle_configuration(Bucket="buck-et")["Rules"][0]
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    of_table = next(each for each in mappings if "table/tab" in each["EventSourceArn"])
    of_queue = next(each for each in mappings if ":sqs:" in each["EventSourceArn"])
    asynchronous = functions.get_function_event_invoke_config(FunctionName="fun")
    arn = f"arn:aws:dynamodb:{PLACE}:table/tab"
    tags = client("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"]
    backups = client("dynamodb").describe_continuous_backups(TableName="tab")
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    expiry = client("dynamodb").describe_time_to_live(TableName="tab")["TimeToLiveDescription"]
    bus = json.loads(client("events").describe_event_bus()["Policy"])["Statement"][0]
    alarm = client("cloudwatch").describe_alarms()["MetricAlarms"][0]
    dashboard = client("cloudwatch").get_dashboard(DashboardName="da")["DashboardBody"]
    policy = s3.get_bucket_policy(Bucket="buck-et")["Policy"]
    versions = client("iam").list_policy_versions(PolicyArn=f"arn:aws:iam::{HOME}:policy/managed")
    return {
        "tags": ({"version": "2", "project": "firebreak"}, {e["Key"]: e["Value"] for e in tags}),
        "each tag once": (2, len(tags)),
        "recovery": ("ENABLED", recovery["PointInTimeRecoveryStatus"]),
        "expiry": ("ENABLED", expiry["TimeToLiveStatus"]),
        "lock": (2, lock["Rule"]["DefaultRetention"]["Years"]),
        "lifecycle": (60, rule["NoncurrentVersionExpiration"]["NoncurrentDays"]),
        "bucket policy": ("v2", json.loads(policy)["Statement"][0]["Sid"]),
        "retention": (60, logs.describe_log_groups()["logGroups"][0]["retentionInDays"]),
        "filter": (
            "v2",
            logs.describe_subscription_filters(logGroupName="/g")["subscriptionFilters"][0][
                "filterPattern"
            ],
        ),
        "destination": (
            '{"version": 2}',
            logs.describe_destinations()["destinations"][0]["accessPolicy"],
        ),
        "mapping of a table": (2, of_table["MaximumRetryAttempts"]),
        "mapping of a queue": (
            (2, ["ReportBatchItemFailures"]),
            (of_queue["BatchSize"], of_queue["FunctionResponseTypes"]),
        ),
        "asynchronous": (2, asynchronous["MaximumRetryAttempts"]),
        "bus": ({"aws:PrincipalOrgID": "o-2"}, bus["Condition"]["StringEquals"]),
        "alarm": (2.0, alarm["Threshold"]),
        "dashboard": (2, json.loads(dashboard)["version"]),
        "managed policy": (2, len(versions["Versions"])),
    }


def test_what_the_services_say(twice: tuple[Stacks, Client, dict[str, str]]) -> None:
    """Each change arrived in the service."""
    _, client, _ = twice
    everything = {**seen(client), **told(client)}

    assert {} == {name: pair for name, pair in everything.items() if pair[0] != pair[1]}


def test_every_type_is_deleted(cloud: Cloud, stacks: Stacks) -> None:
    """A whole stack goes; keys wait for their deletion."""
    cloud.add_function("fun", lambda event, context: event)
    stacks.create("s", template(kitchen(2)))
    stacks.client.delete_stack(StackName="s")
    client = cloud.session().client
    keys = client("kms").list_keys()["Keys"]
    states = {client("kms").describe_key(KeyId=e["KeyId"])["KeyMetadata"]["KeyState"] for e in keys}

    assert [] == stacks.client.describe_stacks()["Stacks"]
    assert {"PendingDeletion"} == states
    assert [] == client("dynamodb").list_tables()["TableNames"]
    assert [] == client("s3").list_buckets()["Buckets"]
    assert [] == client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert "Policy" not in client("events").describe_event_bus()


def test_a_key_cannot_become_another(stacks: Stacks) -> None:
    """KeySpec of a key is fixed, though the schema of its type does not say so."""
    symmetric = {"Type": "AWS::KMS::Key", "Properties": {}}
    stacks.create("s", template({"Key": symmetric}))
    signing = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
    stacks.update("s", template({"Key": {**symmetric, "Properties": signing}}))

    assert "UPDATE_ROLLBACK_COMPLETE" == stacks.status("s")
    assert "[KeySpec, KeyUsage] of AWS::KMS::Key cannot be updated" in stacks.reasons("s")["Key"]


def test_what_a_half_made_resource_leaves(cloud: Cloud, stacks: Stacks) -> None:
    """A resource whose first call succeeds and whose second fails is taken back too."""
    missing = {"RoleName": "r", "ManagedPolicyArns": [f"arn:aws:iam::{HOME}:policy/none"]}
    trust = {"Version": "2012-10-17", "Statement": []}
    role = {**missing, "AssumeRolePolicyDocument": trust}
    stacks.create("s", template({"Role": {"Type": "AWS::IAM::Role", "Properties": role}}))

    assert "ROLLBACK_COMPLETE" == stacks.status("s")
    assert [] == cloud.session().client("iam").list_roles()["Roles"]
