"""What holds data: buckets, databases, volumes, snapshots, images, recovery points."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.fields import Fields
from chalicelib.finding import Resource
from chalicelib.sources.guardduty.parts import known, last, moment, tags


def buckets(detail: Fields) -> Iterator[Resource]:
    """Yield the S3 buckets."""
    for at in detail.each("resource.s3BucketDetails"):
        permission = at.identifier("publicAccess.effectivePermission", None)
        attributes = known(
            owner=at.identifier("owner.id", None),
            type=at.identifier("type", None),
            created_at=moment(at, "createdAt"),
            public=None if permission is None else permission == "PUBLIC",
            encryption=at.identifier("defaultServerSideEncryption.encryptionType", None),
            tags=tags(at),
        )
        arn = at.identifier("arn", None, max_length=2048)
        name = at.identifier("name", None) or last(arn or "")
        if name:
            yield Resource("bucket", name, arn, attributes)


def objects(detail: Fields) -> Iterator[Resource]:
    """Yield the S3 objects, each by bucket and key."""
    for bucket in detail.each("resource.s3BucketDetails"):
        for at in bucket.each("s3ObjectDetails"):
            name, key = bucket.identifier("name"), at.identifier("key")
            attributes = known(
                bucket=name,
                key=key,
                version_id=at.identifier("versionId", None),
                etag=at.identifier("eTag", None),
                hash=at.identifier("hash", None),
            )
            arn = at.identifier("objectArn", None, max_length=2048)
            yield Resource("object", f"{name}/{key}", arn, attributes)


def rds_instance(detail: Fields) -> Iterator[Resource]:
    """Yield the RDS database instance."""
    at = detail.at("resource.rdsDbInstanceDetails")
    yield from _database(detail, at, "rds_instance", "dbInstance")


def rds_shard_group(detail: Fields) -> Iterator[Resource]:
    """Yield the shard group of an RDS limitless database."""
    at = detail.at("resource.rdsLimitlessDbDetails")
    yield from _database(detail, at, "rds_shard_group", "dbShardGroup")


def _database(detail: Fields, at: Fields, kind: str, named: str) -> Iterator[Resource]:
    name = at.identifier(f"{named}Identifier", None)
    if name is None:
        return
    attributes = known(
        cluster=at.identifier("dbClusterIdentifier", None),
        engine=at.identifier("engine", None),
        engine_version=at.identifier("engineVersion", None),
        database_user=detail.identifier("resource.rdsDbUserDetails.user", None),
        tags=tags(at),
    )
    yield Resource(kind, name, at.identifier(f"{named}Arn", None, max_length=2048), attributes)


def volumes(detail: Fields) -> Iterator[Resource]:
    """Yield the EBS volumes that were scanned."""
    for at in detail.each("resource.ebsVolumeDetails.scannedVolumeDetails"):
        arn = at.identifier("volumeArn", max_length=2048)
        attributes = known(
            attached_to=detail.identifier("resource.instanceDetails.instanceId", None),
            device=at.identifier("deviceName", None),
            encryption=at.identifier("encryptionType", None),
            kms_key_arn=at.identifier("kmsKeyArn", None, max_length=2048),
            size=at.integer("volumeSizeInGB", None, least=0),
            type=at.identifier("volumeType", None),
            snapshot_arn=at.identifier("snapshotArn", None, max_length=2048),
        )
        yield Resource("volume", last(arn), arn, attributes)


def snapshot(detail: Fields) -> Iterator[Resource]:
    """Yield the EBS snapshot that was scanned."""
    arn = detail.identifier("resource.ebsSnapshotDetails.snapshotArn", None, max_length=2048)
    if arn is not None:
        yield Resource("snapshot", last(arn), arn)


def image(detail: Fields) -> Iterator[Resource]:
    """Yield the machine image that was scanned, and the snapshots in it with malware."""
    arn = detail.identifier("resource.ec2ImageDetails.imageArn", None, max_length=2048)
    if arn is None:
        return
    scanned = [
        item.identifier("resourceArn", max_length=2048)
        for threat in detail.each("service.malwareScanDetails.threats")
        for item in threat.each("itemDetails")
    ]
    snapshots = [last(each) for each in dict.fromkeys(scanned) if ":snapshot/" in each]
    yield Resource("image", last(arn), arn, known(snapshot_ids=snapshots))


def recovery_point(detail: Fields) -> Iterator[Resource]:
    """Yield the recovery point of AWS Backup that was scanned."""
    at = detail.at("resource.recoveryPointDetails")
    arn = at.identifier("recoveryPointArn", None, max_length=2048)
    if arn is not None:
        attributes = known(vault=at.identifier("backupVaultName", None))
        yield Resource("recovery_point", last(arn), arn, attributes)
