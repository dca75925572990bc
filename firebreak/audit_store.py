"""What keeps the audit trail outside the tables, made in an embedded AWS as a deployment has it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from chalicelib.settings import Settings
from firebreak.cloud import Cloud
from firebreak.tables import STREAM

YEARS = 10  # that an object is locked


@dataclass
class Fed:
    """An event source mapping: changes of the audit table to `keep_audit`, in their order."""

    cloud: Cloud
    settings: Settings
    taken: int = 0

    def poll(self) -> int:
        """Hand over what is new once; return how many there were. What failed comes again.

        https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
        """
        changes = [_as_lambda(each.record) for each in _shard(self).items[self.taken :]]
        if not changes:
            return 0
        answer = (
            self.cloud.session()
            .client("lambda")
            .invoke(FunctionName="keep_audit", Payload=json.dumps({"Records": changes}))
        )
        told = json.loads(answer["Payload"].read())
        numbers = [each["dynamodb"]["SequenceNumber"] for each in changes]
        named = [] if "FunctionError" in answer else told["batchItemFailures"]
        failed = numbers if "FunctionError" in answer else [e["itemIdentifier"] for e in named]
        self.taken += min((numbers.index(each) for each in failed), default=len(changes))
        return len(changes)


def _shard(fed: Fed) -> Any:
    from moto.dynamodb.models import dynamodb_backends

    backend = dynamodb_backends[fed.cloud.home_account][fed.cloud.region]
    return backend.get_table(fed.settings.audit_table).stream_shard


def _as_lambda(record: dict[str, Any]) -> dict[str, Any]:
    said = dict(record["dynamodb"])
    made = said["ApproximateCreationDateTime"].timestamp()
    return {**record, "dynamodb": {**said, "ApproximateCreationDateTime": made}}


def provide(cloud: Cloud, settings: Settings) -> Fed:
    """Make the locked bucket, the key and the stream; return what hands the stream over."""
    session = cloud.session()
    _make_bucket(session.client("s3"), settings.audit_bucket)
    kms = session.client("kms")
    made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    kms.create_alias(AliasName=settings.seal_key, TargetKeyId=made["KeyId"])
    session.client("dynamodb").update_table(
        TableName=settings.audit_table,
        StreamSpecification={"StreamEnabled": True, **STREAM},
    )
    return Fed(cloud, settings)


def _make_bucket(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    s3.put_object_lock_configuration(
        Bucket=name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": YEARS}},
        },
    )
