"""Lambda: what stands around a function: mappings, destinations, permissions.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Lambda.html
"""

from __future__ import annotations

import uuid
from typing import Any

from firebreak.cloud.stacks.kinds import At, Kind, Made, Properties, kind, only, pairs, retag

CHANGEABLE = (
    "BatchSize",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "Enabled",
    "FilterCriteria",
    "FunctionName",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "ScalingConfig",
    "TumblingWindowInSeconds",
)
# What each is when nothing is said: an update sets it back to that.
# https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
DEFAULTS: dict[str, Any] = {
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {},
    "Enabled": True,
    "FilterCriteria": {},
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "ParallelizationFactor": 1,
    "ScalingConfig": {},
    "TumblingWindowInSeconds": 0,
}


@kind("AWS::Lambda::EventSourceMapping")
class EventSourceMapping(Kind):
    """What hands a queue's or a stream's records to a function."""

    arn = "arn:{partition}:lambda:{region}:{account}:event-source-mapping:*"
    left_out = frozenset(
        {
            "AmazonManagedKafkaEventSourceConfig",
            "DocumentDBEventSourceConfig",
            "KmsKeyArn",
            "LoggingConfig",
            "MetricsConfig",
            "ProvisionedPollerConfig",
            "Queues",
            "SelfManagedEventSource",
            "SelfManagedKafkaEventSourceConfig",
            "SourceAccessConfigurations",
            "Topics",
        }
    )

    def exists(self, at: At, properties: Properties) -> bool:
        """Say so: a source is mapped to a function once."""
        asked = only(properties, "EventSourceArn", "FunctionName")
        return bool(at.call("lambda", "list_event_source_mappings", **asked)["EventSourceMappings"])

    def create(self, at: At, properties: Properties) -> Made:
        """Map the source."""
        mapping = at.call(
            "lambda",
            "create_event_source_mapping",
            **only(
                properties,
                *CHANGEABLE,
                "EventSourceArn",
                "StartingPosition",
                "StartingPositionTimestamp",
            ),
            Tags=pairs(properties.get("Tags")) or None,
        )
        name = mapping["UUID"]
        arn = f"arn:{at.partition}:lambda:{at.region}:{at.account}:event-source-mapping:{name}"
        return Made(name, {"Id": name, "EventSourceMappingArn": arn})

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Change the mapping in place."""
        changes = {
            name: new.get(name, DEFAULTS.get(name))
            for name in CHANGEABLE
            if old.get(name) != new.get(name)
        }
        at.call("lambda", "update_event_source_mapping", UUID=made.id, **changes)
        arn = made.attributes["EventSourceMappingArn"]
        retag(
            old,
            new,
            lambda tags: at.call("lambda", "tag_resource", Resource=arn, Tags=tags),
            lambda keys: at.call("lambda", "untag_resource", Resource=arn, TagKeys=keys),
        )
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the mapping."""
        at.call("lambda", "delete_event_source_mapping", UUID=made.id)


@kind("AWS::Lambda::EventInvokeConfig")
class EventInvokeConfig(Kind):
    """How often a function is tried, and where what it failed on goes."""

    arn = "arn:{partition}:lambda:{region}:{account}:function:{FunctionName}"

    def create(self, at: At, properties: Properties) -> Made:
        """Put the configuration."""
        at.call("lambda", "put_function_event_invoke_config", **properties)
        return Made(f"{properties['FunctionName']}|{properties['Qualifier']}")

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Put the configuration anew."""
        return self.create(at, new)

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the configuration."""
        named = only(properties, "FunctionName", "Qualifier")
        at.call("lambda", "delete_function_event_invoke_config", **named)


@kind("AWS::Lambda::Permission")
class Permission(Kind):
    """One statement of a function's policy."""

    arn = "arn:{partition}:lambda:{region}:{account}:function:{FunctionName}"
    left_out = frozenset({"FunctionUrlAuthType", "InvokedViaFunctionUrl"})

    def create(self, at: At, properties: Properties) -> Made:
        """Add the statement."""
        name = str(uuid.uuid4())
        at.call("lambda", "add_permission", StatementId=name, **properties)
        return Made(name, {"Id": name})

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Add the statement anew: every property of it is one that replaces it."""
        self.delete(at, made, old)
        return self.create(at, new)

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Take the statement away."""
        function = properties["FunctionName"]
        at.call("lambda", "remove_permission", FunctionName=function, StatementId=made.id)
