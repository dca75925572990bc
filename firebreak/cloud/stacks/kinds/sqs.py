"""SQS: queues and their policies.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SQS.html
"""

from __future__ import annotations

from typing import Any

from firebreak.cloud.stacks.kinds import At, Kind, Made, Properties, as_text, kind, pairs, retag

# The attributes of a queue, and what each is when nothing is said.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
ATTRIBUTES = {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "DelaySeconds": "0",
    "FifoThroughputLimit": "perQueue",
    "KmsDataKeyReusePeriodSeconds": "300",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}


@kind("AWS::SQS::Queue")
class Queue(Kind):
    """A queue."""

    name = "QueueName"
    arn = "arn:{partition}:sqs:{region}:{account}:{QueueName}"

    def exists(self, at: At, properties: Properties) -> bool:
        """CreateQueue would give back one that is like it."""
        return at.found("sqs", "get_queue_url", QueueName=properties["QueueName"])

    def create(self, at: At, properties: Properties) -> Made:
        """Make the queue."""
        name = properties["QueueName"]
        attributes = {each: as_text(properties[each]) for each in ATTRIBUTES if each in properties}
        if properties.get("FifoQueue"):
            attributes["FifoQueue"] = "true"
        tags = pairs(properties.get("Tags")) or None
        url = at.call("sqs", "create_queue", QueueName=name, Attributes=attributes, tags=tags)
        asked = {"QueueUrl": url["QueueUrl"], "AttributeNames": ["QueueArn"]}
        arn = at.call("sqs", "get_queue_attributes", **asked)["Attributes"]["QueueArn"]
        known = {"Arn": arn, "QueueName": name, "QueueUrl": url["QueueUrl"]}
        return Made(url["QueueUrl"], known)

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Set the attributes that differ."""
        differing = {
            name: as_text(new.get(name, default))
            for name, default in ATTRIBUTES.items()
            if old.get(name) != new.get(name)
        }
        if differing:
            at.call("sqs", "set_queue_attributes", QueueUrl=made.id, Attributes=differing)
        retag(
            old,
            new,
            lambda tags: at.call("sqs", "tag_queue", QueueUrl=made.id, Tags=tags),
            lambda keys: at.call("sqs", "untag_queue", QueueUrl=made.id, TagKeys=keys),
        )
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the queue."""
        at.call("sqs", "delete_queue", QueueUrl=made.id)


@kind("AWS::SQS::QueuePolicy")
class QueuePolicy(Kind):
    """The policy of one or more queues."""

    def create(self, at: At, properties: Properties) -> Made:
        """Set the policy."""
        _set_policy(at, properties["Queues"], properties["PolicyDocument"])
        identifier = f"{properties['Queues'][0].rsplit('/', 1)[-1]}-policy"
        return Made(identifier, {"Id": identifier})

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Set the policy, and take it from queues that left."""
        _set_policy(at, [each for each in old["Queues"] if each not in new["Queues"]], "")
        _set_policy(at, new["Queues"], new["PolicyDocument"])
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Take the policy away."""
        there = [
            each
            for each in properties["Queues"]
            if at.found("sqs", "get_queue_attributes", QueueUrl=each, AttributeNames=["All"])
        ]
        _set_policy(at, there, "")


def _set_policy(at: At, queues: list[str], document: Any) -> None:
    for queue in queues:
        policy = {"Policy": as_text(document)}
        at.call("sqs", "set_queue_attributes", QueueUrl=queue, Attributes=policy)
