"""Kinesis: data streams.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kinesis-stream.html
"""

from __future__ import annotations

from firebreak.cloud.stacks.kinds import At, Kind, Made, Properties, kind, pairs, retag

DEFAULT_HOURS = 24


@kind("AWS::Kinesis::Stream")
class Stream(Kind):
    """A data stream."""

    name = "Name"
    arn = "arn:{partition}:kinesis:{region}:{account}:stream/{Name}"
    left_out = frozenset(
        {
            "DesiredShardLevelMetrics",
            "MaxRecordSizeInKiB",
            "RecordDistributionStrategy",
            "WarmThroughputMiBps",
        }
    )

    def create(self, at: At, properties: Properties) -> Made:
        """Make the stream."""
        name = properties["Name"]
        mode = properties.get("StreamModeDetails")
        shards = properties.get("ShardCount") if mode else properties.get("ShardCount", 1)
        at.call(
            "kinesis",
            "create_stream",
            StreamName=name,
            ShardCount=shards,
            StreamModeDetails=mode,
            Tags=pairs(properties.get("Tags")) or None,
        )
        summary = at.call("kinesis", "describe_stream_summary", StreamName=name)
        return Made(name, {"Arn": summary["StreamDescriptionSummary"]["StreamARN"]})

    def complete(self, at: At, made: Made, properties: Properties) -> Made:
        """Set retention and encryption."""
        _retain(at, made.id, {}, properties)
        _encrypt(at, made.id, {}, properties)
        return made

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Change mode, shards, retention, encryption and tags in place."""
        arn = made.attributes["Arn"]
        mode = new.get("StreamModeDetails", {"StreamMode": "PROVISIONED"})
        if mode != old.get("StreamModeDetails", {"StreamMode": "PROVISIONED"}):
            at.call("kinesis", "update_stream_mode", StreamARN=arn, StreamModeDetails=mode)
        if "ShardCount" in new and new["ShardCount"] != old.get("ShardCount"):
            at.call(
                "kinesis",
                "update_shard_count",
                StreamName=made.id,
                TargetShardCount=new["ShardCount"],
                ScalingType="UNIFORM_SCALING",
            )
        _retain(at, made.id, old, new)
        _encrypt(at, made.id, old, new)
        retag(
            old,
            new,
            lambda tags: at.call("kinesis", "add_tags_to_stream", StreamName=made.id, Tags=tags),
            lambda keys: at.call(
                "kinesis", "remove_tags_from_stream", StreamName=made.id, TagKeys=keys
            ),
        )
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the stream."""
        at.call("kinesis", "delete_stream", StreamName=made.id, EnforceConsumerDeletion=True)


def _retain(at: At, name: str, old: Properties, new: Properties) -> None:
    before = old.get("RetentionPeriodHours", DEFAULT_HOURS)
    after = new.get("RetentionPeriodHours", DEFAULT_HOURS)
    if before != after:
        word = "increase" if after > before else "decrease"
        operation = f"{word}_stream_retention_period"
        at.call("kinesis", operation, StreamName=name, RetentionPeriodHours=after)


def _encrypt(at: At, name: str, old: Properties, new: Properties) -> None:
    before, after = old.get("StreamEncryption"), new.get("StreamEncryption")
    if before == after:
        return
    operation = "start_stream_encryption" if after else "stop_stream_encryption"
    given = after or before or {}
    at.call("kinesis", operation, StreamName=name, **given)
