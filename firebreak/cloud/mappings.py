"""Event source mappings that were created by API or CloudFormation, polled when a test says so."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from firebreak.cloud.admission import source
from firebreak.cloud.arns import ANY
from firebreak.cloud.functions import Functions, send_as, uploaded_function
from firebreak.cloud.patching import Patch
from firebreak.cloud.queues import Mapped, failed_items
from firebreak.cloud.roles import Keys, NotAdmitted, Roles
from firebreak.cloud.streams import Record, batch_info, sequence_number, shards

SERVICE = "lambda.amazonaws.com"
# What the role of a function needs to read its source; what names no resource is asked for on all.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
# https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-permissions.html
# https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
_READING = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "dynamodb": (
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    ),
    "kinesis": (
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    ),
}

_ON_ALL = frozenset({"dynamodb:ListStreams"})


@dataclass
class Position:
    """How far a shard was read, and how often its next batch failed."""

    taken: int = 0
    failures: int = 0
    size: int | None = None  # of the next batch, when it was bisected


@dataclass
class Mappings:
    """The event source mappings of a world."""

    functions: Functions
    roles: Roles
    lock: AbstractContextManager[Any]
    _positions: dict[tuple[str, str], Position] = field(
        default_factory=lambda: defaultdict(Position)
    )

    def patches(self) -> list[Patch]:
        """Return what keeps moto from handing over by itself, while its caller waits."""
        from moto.awslambda.models import LambdaBackend

        create = LambdaBackend.create_event_source_mapping
        mappings = self

        def created(backend: Any, spec: dict[str, Any]) -> Any:
            made = create(backend, spec)
            _disarm(made)
            mappings.start(made)
            return made

        return [Patch(LambdaBackend, "create_event_source_mapping", created)]

    def start(self, mapping: Any) -> None:
        """Begin where the mapping says: with what is in the stream, or with what comes."""
        if mapping.starting_position == "LATEST":
            for shard, records in shards(mapping.event_source_arn).items():
                self._positions[mapping.uuid, shard].taken = len(records)

    def poll(self) -> int:
        """Let every enabled mapping hand over one batch; return how many records there were."""
        return sum(self._poll(each) for each in _all() if each.enabled)

    def _poll(self, mapping: Any) -> int:
        arn = mapping.event_source_arn
        service = arn.split(":")[2]
        role = uploaded_function(mapping.function_arn).role
        try:
            keys = self.roles.assume(role, SERVICE, "poller", source(mapping.arn))
            for action in _READING[service]:
                self.roles.check(keys, action, ANY if action in _ON_ALL else arn)
        except NotAdmitted:
            return 0
        if service == "sqs":
            return self._queue(mapping).poll(min(mapping.batch_size, 10))
        return sum(self._read(mapping, keys, *each) for each in shards(arn).items())

    def _queue(self, mapping: Any) -> Mapped:
        arn, function = mapping.event_source_arn, mapping.function_arn
        return Mapped(arn, function, self.functions.invoke, self.lock, _reports(mapping))

    def _read(self, mapping: Any, keys: Keys, shard: str, records: list[Record]) -> int:
        position = self._positions[mapping.uuid, shard]
        size = position.size or mapping.batch_size
        batch = records[position.taken : position.taken + size]
        if batch:
            result = self.functions.invoke(mapping.function_arn, {"Records": batch})
            numbers = [sequence_number(each) for each in batch]
            failed = failed_items(result, numbers, reports=_reports(mapping))
            done = numbers.index(failed[0]) if failed else len(batch)
            _advance(position, done)
            if failed:
                self._again(mapping, keys, shard, batch[done:])
        return len(batch)

    def _again(self, mapping: Any, keys: Keys, shard: str, batch: list[Record]) -> None:
        """Let what failed come again: halved where the mapping bisects, not more than it says."""
        position = self._positions[mapping.uuid, shard]
        if mapping.bisect_on_error and len(batch) > 1:
            position.size = (len(batch) + 1) // 2
            return
        position.failures += 1
        retries = mapping.max_retry_attempts
        if retries is None or retries < 0 or position.failures <= retries:
            return
        attempts = position.failures
        _advance(position, len(batch))
        self._give_up(mapping, keys, batch_info(mapping.event_source_arn, shard, batch), attempts)

    def _give_up(self, mapping: Any, keys: Keys, info: dict[str, Any], attempts: int) -> None:
        destination = (mapping.destination_config or {}).get("OnFailure", {}).get("Destination")
        if not destination:
            return
        record = {
            "requestContext": {
                "functionArn": mapping.function_arn,
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": attempts,
            },
            "version": "1.0",
            "timestamp": f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%S.000Z}",
            **info,
        }
        try:
            send_as(self.roles, keys, destination, record)
        except ClientError:
            return  # what the role may not send is lost, as on AWS


def _advance(position: Position, count: int) -> None:
    if count:
        position.taken += count
        position.failures, position.size = 0, None


def _reports(mapping: Any) -> bool:
    return "ReportBatchItemFailures" in (mapping.function_response_types or ())


def _all() -> list[Any]:
    from moto.awslambda.models import lambda_backends

    backends = [each for regions in list(lambda_backends.values()) for each in regions.values()]
    return [each for backend in backends for each in backend._event_source_mappings.values()]


def _disarm(mapping: Any) -> None:
    from moto.dynamodb.models import dynamodb_backends
    from moto.kinesis.models import kinesis_backends
    from moto.sqs.models import sqs_backends

    _, _, service, region, account, rest = mapping.event_source_arn.split(":", 5)
    name = rest.split("/")[1] if "/" in rest else rest
    pushing: Any = {
        "sqs": lambda: sqs_backends[account][region].queues[name],
        "dynamodb": lambda: dynamodb_backends[account][region].tables[name],
        "kinesis": lambda: kinesis_backends[account][region].streams[name],
    }[service]
    pushing().lambda_event_source_mappings.clear()
