"""CloudWatch Logs: groups, subscription filters and destinations.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Logs.html
"""

from __future__ import annotations

from firebreak.cloud.stacks.kinds import At, Kind, Made, Properties, as_text, kind, pairs, retag


@kind("AWS::Logs::LogGroup")
class LogGroup(Kind):
    """A log group."""

    name = "LogGroupName"
    arn = "arn:{partition}:logs:{region}:{account}:log-group:{LogGroupName}"
    left_out = frozenset(
        {
            "BearerTokenAuthenticationEnabled",
            "DataProtectionPolicy",
            "DeletionProtectionEnabled",
            "FieldIndexPolicies",
            "ResourcePolicyDocument",
        }
    )

    def create(self, at: At, properties: Properties) -> Made:
        """Make the group."""
        name = properties["LogGroupName"]
        at.call(
            "logs",
            "create_log_group",
            logGroupName=name,
            kmsKeyId=properties.get("KmsKeyId"),
            logGroupClass=properties.get("LogGroupClass"),
            tags=pairs(properties.get("Tags")) or None,
        )
        return Made(name, {"Arn": f"{_arn(at, name)}:*"})

    def complete(self, at: At, made: Made, properties: Properties) -> Made:
        """Say how long it keeps."""
        _retain(at, made.id, {}, properties)
        return made

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Change key, retention and tags."""
        if old.get("KmsKeyId") != new.get("KmsKeyId"):
            operation = "associate_kms_key" if "KmsKeyId" in new else "disassociate_kms_key"
            at.call("logs", operation, logGroupName=made.id, kmsKeyId=new.get("KmsKeyId"))
        _retain(at, made.id, old, new)
        arn = _arn(at, made.id)
        retag(
            old,
            new,
            lambda tags: at.call("logs", "tag_resource", resourceArn=arn, tags=tags),
            lambda keys: at.call("logs", "untag_resource", resourceArn=arn, tagKeys=keys),
        )
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the group with what is in it."""
        at.call("logs", "delete_log_group", logGroupName=made.id)


def _arn(at: At, name: str) -> str:
    return f"arn:{at.partition}:logs:{at.region}:{at.account}:log-group:{name}"


def _retain(at: At, name: str, old: Properties, new: Properties) -> None:
    days = new.get("RetentionInDays")
    if days == old.get("RetentionInDays"):
        return
    operation = "delete_retention_policy" if days is None else "put_retention_policy"
    at.call("logs", operation, logGroupName=name, retentionInDays=days)


@kind("AWS::Logs::SubscriptionFilter")
class SubscriptionFilter(Kind):
    """What a log group sends on."""

    name = "FilterName"
    arn = "arn:{partition}:logs:{region}:{account}:log-group:{LogGroupName}"
    left_out = frozenset({"ApplyOnTransformedLogs", "EmitSystemFields", "FieldSelectionCriteria"})

    def exists(self, at: At, properties: Properties) -> bool:
        """PutSubscriptionFilter would change one that is there."""
        found = at.call(
            "logs",
            "describe_subscription_filters",
            logGroupName=properties["LogGroupName"],
            filterNamePrefix=properties["FilterName"],
        )["subscriptionFilters"]
        return properties["FilterName"] in [each["filterName"] for each in found]

    def create(self, at: At, properties: Properties) -> Made:
        """Put the filter."""
        at.call(
            "logs",
            "put_subscription_filter",
            logGroupName=properties["LogGroupName"],
            filterName=properties["FilterName"],
            filterPattern=properties["FilterPattern"],
            destinationArn=properties["DestinationArn"],
            roleArn=properties.get("RoleArn"),
            distribution=properties.get("Distribution"),
        )
        return Made(properties["FilterName"])

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Put the filter anew."""
        return self.create(at, new)

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the filter."""
        group = properties["LogGroupName"]
        at.call("logs", "delete_subscription_filter", logGroupName=group, filterName=made.id)


@kind("AWS::Logs::Destination")
class Destination(Kind):
    """Where the log groups of other accounts may send to."""

    name = "DestinationName"
    arn = "arn:{partition}:logs:{region}:{account}:destination:{DestinationName}"

    def exists(self, at: At, properties: Properties) -> bool:
        """PutDestination would change one that is there."""
        name = properties["DestinationName"]
        found = at.call("logs", "describe_destinations", DestinationNamePrefix=name)
        return name in [each["destinationName"] for each in found["destinations"]]

    def create(self, at: At, properties: Properties) -> Made:
        """Put the destination."""
        name = properties["DestinationName"]
        arn = at.call(
            "logs",
            "put_destination",
            destinationName=name,
            targetArn=properties["TargetArn"],
            roleArn=properties["RoleArn"],
            tags=pairs(properties.get("Tags")) or None,
        )["destination"]["arn"]
        return Made(name, {"Arn": arn})

    def complete(self, at: At, made: Made, properties: Properties) -> Made:
        """Put its policy."""
        _allow(at, properties)
        return made

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Put the destination and its policy anew."""
        at.call(
            "logs",
            "put_destination",
            destinationName=made.id,
            targetArn=new["TargetArn"],
            roleArn=new["RoleArn"],
        )
        _allow(at, new)
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the destination."""
        at.call("logs", "delete_destination", destinationName=made.id)


def _allow(at: At, properties: Properties) -> None:
    policy = properties.get("DestinationPolicy")
    if policy is not None:
        text = as_text(policy)
        name = properties["DestinationName"]
        at.call("logs", "put_destination_policy", destinationName=name, accessPolicy=text)
