"""SNS: topics, their policies and subscriptions.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SNS.html
"""

from __future__ import annotations

from typing import Any

from firebreak.cloud.stacks.kinds import (
    At,
    Kind,
    Made,
    Properties,
    as_text,
    kind,
    listed,
    retag_resource,
)

TOPIC = {
    "ContentBasedDeduplication": "",
    "DisplayName": "",
    "KmsMasterKeyId": "",
    "SignatureVersion": "1",
    "TracingConfig": "PassThrough",
}
SUBSCRIPTION = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "SubscriptionRoleArn",
)


@kind("AWS::SNS::Topic")
class Topic(Kind):
    """A topic, with the subscriptions that stand in it."""

    name = "TopicName"
    arn = "arn:{partition}:sns:{region}:{account}:{TopicName}"
    left_out = frozenset(
        {
            "ArchivePolicy",
            "DataProtectionPolicy",
            "DeliveryStatusLogging",
            "FifoThroughputScope",
            "MaximumMessageSize",
        }
    )

    def exists(self, at: At, properties: Properties) -> bool:
        """CreateTopic would give back one that is there."""
        return at.found("sns", "get_topic_attributes", TopicArn=_arn(at, properties))

    def create(self, at: At, properties: Properties) -> Made:
        """Make the topic."""
        attributes = {name: as_text(properties[name]) for name in TOPIC if name in properties}
        if properties.get("FifoTopic"):
            attributes["FifoTopic"] = "true"
        tags = listed(properties.get("Tags")) or None
        arn = at.call(
            "sns", "create_topic", Name=properties["TopicName"], Attributes=attributes, Tags=tags
        )["TopicArn"]
        return Made(arn, {"TopicArn": arn, "TopicName": properties["TopicName"]})

    def complete(self, at: At, made: Made, properties: Properties) -> Made:
        """Subscribe who stands in it."""
        _subscribe(at, made.id, properties.get("Subscription", ()))
        return made

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Set the attributes that differ."""
        for name, default in TOPIC.items():
            if old.get(name) != new.get(name):
                value = as_text(new.get(name, default))
                at.call(
                    "sns",
                    "set_topic_attributes",
                    TopicArn=made.id,
                    AttributeName=name,
                    AttributeValue=value,
                )
        _resubscribe(at, made.id, old.get("Subscription", ()), new.get("Subscription", ()))
        retag_resource(at, "sns", old, new, ResourceArn=made.id)
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the topic."""
        at.call("sns", "delete_topic", TopicArn=made.id)


def _arn(at: At, properties: Properties) -> str:
    return f"arn:{at.partition}:sns:{at.region}:{at.account}:{properties['TopicName']}"


def _subscribe(at: At, topic: str, subscriptions: Any) -> None:
    for each in subscriptions:
        at.call(
            "sns",
            "subscribe",
            TopicArn=topic,
            Protocol=each["Protocol"],
            Endpoint=each["Endpoint"],
        )


def _resubscribe(at: At, topic: str, old: Any, new: Any) -> None:
    gone = [(each["Protocol"], each["Endpoint"]) for each in old if each not in new]
    found = at.call("sns", "list_subscriptions_by_topic", TopicArn=topic)["Subscriptions"]
    for each in found:
        if (each["Protocol"], each["Endpoint"]) in gone:
            at.call("sns", "unsubscribe", SubscriptionArn=each["SubscriptionArn"])
    _subscribe(at, topic, [each for each in new if each not in old])


@kind("AWS::SNS::TopicPolicy")
class TopicPolicy(Kind):
    """The policy of one or more topics."""

    def create(self, at: At, properties: Properties) -> Made:
        """Set the policy."""
        _set_policy(at, properties["Topics"], properties["PolicyDocument"])
        identifier = f"{properties['Topics'][0].rsplit(':', 1)[-1]}-policy"
        return Made(identifier, {"Id": identifier})

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Set the policy; topics that left get their first one back."""
        _reset_policy(at, [each for each in old["Topics"] if each not in new["Topics"]])
        _set_policy(at, new["Topics"], new["PolicyDocument"])
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Give the topics the policy back with which they were made."""
        _reset_policy(at, properties["Topics"])


def _set_policy(at: At, topics: list[str], document: Any) -> None:
    for topic in topics:
        at.call(
            "sns",
            "set_topic_attributes",
            TopicArn=topic,
            AttributeName="Policy",
            AttributeValue=as_text(document),
        )


def _reset_policy(at: At, topics: list[str]) -> None:
    for topic in topics:
        if not at.found("sns", "get_topic_attributes", TopicArn=topic):
            continue
        statement = {
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": ["SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:Publish"],
            "Resource": topic,
            "Condition": {"StringEquals": {"AWS:SourceOwner": at.account}},
        }
        _set_policy(at, [topic], {"Version": "2008-10-17", "Statement": [statement]})


@kind("AWS::SNS::Subscription")
class Subscription(Kind):
    """A subscription of a topic."""

    left_out = frozenset({"ReplayPolicy"})

    def create(self, at: At, properties: Properties) -> Made:
        """Subscribe."""
        arn = at.call(
            "sns",
            "subscribe",
            TopicArn=properties["TopicArn"],
            Protocol=properties["Protocol"],
            Endpoint=properties.get("Endpoint"),
            Attributes={
                name: as_text(properties[name]) for name in SUBSCRIPTION if name in properties
            },
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return Made(arn, {"Arn": arn})

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Set the attributes that differ."""
        for name in SUBSCRIPTION:
            if old.get(name) != new.get(name):
                at.call(
                    "sns",
                    "set_subscription_attributes",
                    SubscriptionArn=made.id,
                    AttributeName=name,
                    AttributeValue=as_text(new.get(name, "{}")),
                )
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """End the subscription."""
        at.call("sns", "unsubscribe", SubscriptionArn=made.id)
