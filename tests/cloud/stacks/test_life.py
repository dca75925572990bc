"""Tests of the life of a stack: created, changed, taken back, deleted."""

from __future__ import annotations

import boto3
import pytest

from firebreak.cloud import Cloud
from tests.cloud.conftest import HOME
from tests.cloud.stacks.conftest import Stacks, refusal, template

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}
TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t"}}
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "TableName": "tab",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    },
}
BROKEN = {  # a mapping of a function that nobody made
    "Type": "AWS::Lambda::EventSourceMapping",
    "Properties": {"FunctionName": "none", "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}},
}


def queues(cloud: Cloud) -> list[str]:
    urls = cloud.session().client("sqs").list_queues().get("QueueUrls", [])
    return [url.rsplit("/", 1)[-1] for url in urls]


def test_a_stack_is_created_and_deleted(cloud: Cloud, stacks: Stacks) -> None:
    """Its resources are there, its outputs are told, and both go with it."""
    outputs = {"Url": {"Value": {"Ref": "Queue"}, "Description": "where"}}
    stacks.create(
        "s", template({"Queue": QUEUE}, Outputs=outputs), Tags=[{"Key": "a", "Value": "b"}]
    )

    described = stacks.described("s")
    assert "CREATE_COMPLETE" == described["StackStatus"]
    assert [{"Key": "a", "Value": "b"}] == described["Tags"]
    assert described["Outputs"][0]["OutputValue"].endswith(f"{HOME}/q")
    assert ["q"] == queues(cloud)

    stacks.client.delete_stack(StackName="s")
    assert [] == queues(cloud)
    assert refusal(stacks.described, "s") == (
        "ValidationError",
        "Stack with id s does not exist",
    )
    assert "DELETE_COMPLETE" == stacks.status(described["StackId"])


def test_what_fails_at_first_is_rolled_back(cloud: Cloud, stacks: Stacks) -> None:
    """ROLLBACK_COMPLETE: nothing is left, it says why, and it can only be deleted."""
    stacks.create("s", template({"Queue": QUEUE, "Mapping": BROKEN}))

    assert "ROLLBACK_COMPLETE" == stacks.status("s")
    assert ["Mapping"] == list(stacks.reasons("s"))
    assert [] == queues(cloud)
    code, message = refusal(stacks.update, "s", template({"Queue": QUEUE}))
    assert ("ValidationError", True) == (code, "is in ROLLBACK_COMPLETE state" in message)
    stacks.client.delete_stack(StackName="s")
    stacks.create("s", template({"Queue": QUEUE}))
    assert "CREATE_COMPLETE" == stacks.status("s")


def test_what_fails_later_goes_back_to_what_was(cloud: Cloud, stacks: Stacks) -> None:
    """UPDATE_ROLLBACK_COMPLETE: changed back, added ones deleted, removed ones still there."""
    stacks.create("s", template({"Queue": QUEUE, "Topic": TOPIC}))
    changed = {**QUEUE, "Properties": {"QueueName": "q", "VisibilityTimeout": 60}}
    more = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "more"}}
    mapping = {**BROKEN, "DependsOn": ["More", "Queue"]}
    stacks.update("s", template({"Queue": changed, "More": more, "Mapping": mapping}))

    sqs = cloud.session().client("sqs")
    asked = {"QueueUrl": sqs.get_queue_url(QueueName="q")["QueueUrl"], "AttributeNames": ["All"]}
    assert "UPDATE_ROLLBACK_COMPLETE" == stacks.status("s")
    assert "30" == sqs.get_queue_attributes(**asked)["Attributes"]["VisibilityTimeout"]
    assert ["q"] == queues(cloud)
    assert 1 == len(cloud.session().client("sns").list_topics()["Topics"])
    stacks.update("s", template({"Queue": changed}))
    assert "UPDATE_COMPLETE" == stacks.status("s")
    assert [] == cloud.session().client("sns").list_topics()["Topics"]


@pytest.mark.parametrize(
    ("resource", "make"),
    [
        (QUEUE, lambda s: s.client("sqs").create_queue(QueueName="q")),
        (TOPIC, lambda s: s.client("sns").create_topic(Name="t")),
        (
            {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "b-1"}},
            lambda s: s.client("s3").create_bucket(Bucket="b-1"),
        ),
        (
            {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "l"}},
            lambda s: s.client("logs").create_log_group(logGroupName="l"),
        ),
        (
            TABLE,
            lambda s: s.client("dynamodb").create_table(**TABLE["Properties"]),  # type: ignore[arg-type]
        ),
    ],
)
def test_a_name_that_is_taken(cloud: Cloud, stacks: Stacks, resource: object, make: object) -> None:
    """Something of the name outside the stack fails the creation, and is left alone."""
    made = cloud.session()
    assert callable(make)
    make(made)
    stacks.create("s", template({"It": resource}))

    assert "ROLLBACK_COMPLETE" == stacks.status("s")
    assert "already exist" in stacks.reasons("s")["It"]
    assert isinstance(made, boto3.Session)
    assert refusal(make, made)[0] in {
        "",
        "ResourceAlreadyExistsException",
        "ResourceInUseException",
    }


def test_nothing_to_change(stacks: Stacks) -> None:
    """An update without a difference is refused, however the template is written."""
    stacks.create("s", template({"Queue": QUEUE}))
    text = template({"Queue": QUEUE}, Description="other words")

    assert refusal(stacks.update, "s", text) == (
        "ValidationError",
        "No updates are to be performed.",
    )
    assert refusal(stacks.update, "none", text) == (
        "ValidationError",
        "Stack [none] does not exist",
    )
    assert "AlreadyExistsException" == refusal(stacks.create, "s", text)[0]


def test_termination_protection(stacks: Stacks) -> None:
    """A protected stack is not deleted until the protection is taken away."""
    stacks.create("s", template({"Queue": QUEUE}), EnableTerminationProtection=True)

    assert refusal(stacks.client.delete_stack, StackName="s") == (
        "ValidationError",
        "Stack [s] cannot be deleted while TerminationProtection is enabled",
    )
    stacks.client.update_termination_protection(StackName="s", EnableTerminationProtection=False)
    stacks.client.delete_stack(StackName="s")
    assert "ValidationError" == refusal(stacks.described, "s")[0]


def test_what_is_retained(cloud: Cloud, stacks: Stacks) -> None:
    """DeletionPolicy Retain leaves the resource, and a new stack cannot take its name."""
    text = template({"Queue": {**QUEUE, "DeletionPolicy": "Retain"}, "Topic": TOPIC})
    stacks.create("s", text)
    stacks.client.delete_stack(StackName="s")

    assert ["q"] == queues(cloud)
    stacks.create("s", text)
    assert "already exists" in stacks.reasons("s")["Queue"]


def test_a_protected_table_fails_the_deletion(cloud: Cloud, stacks: Stacks) -> None:
    """DELETE_FAILED names the table; what does not hang on it is gone; a second try finishes."""
    protected = {**TABLE["Properties"], "DeletionProtectionEnabled": True}  # type: ignore[dict-item]
    stacks.create("s", template({"Table": {**TABLE, "Properties": protected}, "Queue": QUEUE}))
    stacks.client.delete_stack(StackName="s")

    assert "DELETE_FAILED" == stacks.status("s")
    assert "protect" in stacks.reasons("s")["Table"]
    assert [] == queues(cloud)
    dynamodb = cloud.session().client("dynamodb")
    dynamodb.update_table(TableName="tab", DeletionProtectionEnabled=False)
    stacks.client.delete_stack(StackName="s")
    assert [] == dynamodb.list_tables()["TableNames"]


def test_a_replaced_resource(cloud: Cloud, stacks: Stacks) -> None:
    """A new name makes a new resource and deletes the old one; the same name cannot be replaced."""
    stacks.create("s", template({"Queue": QUEUE}))
    stacks.update("s", template({"Queue": {**QUEUE, "Properties": {"QueueName": "other"}}}))
    assert ["other"] == queues(cloud)

    fifo = {"QueueName": "other", "FifoQueue": True}
    stacks.update("s", template({"Queue": {**QUEUE, "Properties": fifo}}))
    assert "UPDATE_ROLLBACK_COMPLETE" == stacks.status("s")
    assert "custom-named resource requires replacing" in stacks.reasons("s")["Queue"]


def test_a_name_that_is_made_stays(cloud: Cloud, stacks: Stacks) -> None:
    """A resource without a name gets one of the stack's, and keeps it through updates."""
    stacks.create("s", template({"Queue": {"Type": "AWS::SQS::Queue"}}))
    (before,) = queues(cloud)
    longer = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60}}
    stacks.update("s", template({"Queue": longer}))

    assert before.startswith("s-Queue-")
    assert [before] == queues(cloud)


def test_exports(stacks: Stacks) -> None:
    """What a stack exports another imports; it cannot be deleted while it is in use."""
    given = {"Url": {"Value": {"Ref": "Queue"}, "Export": {"Name": "the-queue"}}}
    stacks.create("one", template({"Queue": QUEUE}, Outputs=given))
    used = {"TopicName": "t", "DisplayName": {"Fn::ImportValue": "the-queue"}}
    stacks.create("two", template({"Topic": {**TOPIC, "Properties": used}}))

    assert "CREATE_COMPLETE" == stacks.status("two")
    assert "in use by two" in refusal(stacks.client.delete_stack, StackName="one")[1]
