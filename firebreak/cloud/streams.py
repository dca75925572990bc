"""Streams as Lambda reads them: the records of DynamoDB's and Kinesis's shards, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Record = dict[str, Any]


def shards(arn: str) -> dict[str, list[Record]]:
    """Return the records of every shard of a stream, as Lambda hands them to a function."""
    return dict(_dynamodb(arn) if arn.split(":")[2] == "dynamodb" else _kinesis(arn))


def sequence_number(record: Record) -> str:
    """Return what a function names a record by when it fails."""
    number: str = (record.get("dynamodb") or record.get("kinesis") or {})[_KEYS[_kind(record)]]
    return number


def batch_info(arn: str, shard: str, batch: list[Record]) -> dict[str, Any]:
    """Return how Lambda tells a failure destination of a batch: not the records themselves.

    https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    """
    kind = "DDBStreamBatchInfo" if arn.split(":")[2] == "dynamodb" else "KinesisBatchInfo"
    return {
        kind: {
            "shardId": shard,
            "startSequenceNumber": sequence_number(batch[0]),
            "endSequenceNumber": sequence_number(batch[-1]),
            "batchSize": len(batch),
            "streamArn": arn,
        }
    }


_KEYS = {"dynamodb": "SequenceNumber", "kinesis": "sequenceNumber"}


def _kind(record: Record) -> str:
    return "dynamodb" if "dynamodb" in record else "kinesis"


def _dynamodb(arn: str) -> Iterator[tuple[str, list[Record]]]:
    from moto.dynamodb.models import dynamodb_backends

    _, _, _, region, account, rest = arn.split(":", 5)
    table = dynamodb_backends[account][region].tables.get(rest.split("/")[1])
    if table is not None and table.stream_shard is not None:
        yield (
            table.stream_shard.id,
            [_change(each.record, arn) for each in table.stream_shard.items],
        )


def _change(record: Record, arn: str) -> Record:
    """Return a change of a table as Lambda tells it: with its time in seconds."""
    said = dict(record["dynamodb"])
    said["ApproximateCreationDateTime"] = said["ApproximateCreationDateTime"].timestamp()
    return {**record, "dynamodb": said, "eventSourceARN": arn, "awsRegion": arn.split(":")[3]}


def _kinesis(arn: str) -> Iterator[tuple[str, list[Record]]]:
    from moto.kinesis.models import kinesis_backends

    _, _, _, region, account, rest = arn.split(":", 5)
    stream = kinesis_backends[account][region].streams.get(rest.split("/", 1)[1])
    for shard in stream.shards.values() if stream is not None else ():
        yield shard.shard_id, [_entry(each, shard.shard_id, arn) for each in shard.records.values()]


def _entry(record: Any, shard: str, arn: str) -> Record:
    """Return a record of a stream as Lambda tells it.

    https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
    """
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.partition_key,
            "sequenceNumber": str(record.sequence_number),
            "data": record.data,
            "approximateArrivalTimestamp": record.created_at,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{record.sequence_number}",
        "eventName": "aws:kinesis:record",
        "awsRegion": arn.split(":")[3],
        "eventSourceARN": arn,
    }
