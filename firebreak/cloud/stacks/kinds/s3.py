"""S3: buckets and their policies.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firebreak.cloud.stacks.errors import ResourceFailed
from firebreak.cloud.stacks.kinds import At, Kind, Made, Properties, as_text, kind, listed, only


def _encryption(given: Any) -> dict[str, Any]:
    rules = [
        {
            "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
            **only(rule, "BucketKeyEnabled"),
        }
        for rule in given["ServerSideEncryptionConfiguration"]
    ]
    return {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def _lifecycle(given: Any) -> dict[str, Any]:
    return {"LifecycleConfiguration": {"Rules": [_lifecycle_rule(each) for each in given["Rules"]]}}


def _lifecycle_rule(rule: Any) -> dict[str, Any]:
    """Return a rule as the API has it, where CloudFormation writes it otherwise."""
    days = "NoncurrentVersionExpirationInDays"
    made = {
        **only(rule, "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration", "Status"),
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    if "Id" in rule:
        made["ID"] = rule["Id"]
    if days in rule:
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule[days]}
    expiration = {
        name: rule[key]
        for key, name in (
            ("ExpirationInDays", "Days"),
            ("ExpirationDate", "Date"),
            ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
        )
        if key in rule
    }
    if expiration:
        made["Expiration"] = expiration
    if "Transitions" in rule:
        made["Transitions"] = [
            {"Days": each["TransitionInDays"], "StorageClass": each["StorageClass"]}
            for each in rule["Transitions"]
        ]
    return made


# Each property that has calls of its own: the call that sets it and its arguments, and the call
# that takes it away (None where there is none).
SETTERS: dict[str, tuple[str, Callable[[Any], dict[str, Any]], str | None]] = {
    "VersioningConfiguration": (
        "put_bucket_versioning",
        lambda given: {"VersioningConfiguration": given},
        None,
    ),
    "BucketEncryption": ("put_bucket_encryption", _encryption, "delete_bucket_encryption"),
    "PublicAccessBlockConfiguration": (
        "put_public_access_block",
        lambda given: {"PublicAccessBlockConfiguration": given},
        "delete_public_access_block",
    ),
    "OwnershipControls": (
        "put_bucket_ownership_controls",
        lambda given: {"OwnershipControls": given},
        "delete_bucket_ownership_controls",
    ),
    "ObjectLockConfiguration": (
        "put_object_lock_configuration",
        lambda given: {"ObjectLockConfiguration": given},
        None,
    ),
    "LifecycleConfiguration": (
        "put_bucket_lifecycle_configuration",
        _lifecycle,
        "delete_bucket_lifecycle",
    ),
    "LoggingConfiguration": (
        "put_bucket_logging",
        lambda given: {
            "BucketLoggingStatus": {
                "LoggingEnabled": {
                    "TargetBucket": given["DestinationBucketName"],
                    "TargetPrefix": given.get("LogFilePrefix", ""),
                }
            }
        },
        None,
    ),
    "Tags": (
        "put_bucket_tagging",
        lambda given: {"Tagging": {"TagSet": listed(given)}},
        "delete_bucket_tagging",
    ),
}


@kind("AWS::S3::Bucket")
class Bucket(Kind):
    """A bucket; one that holds something is not deleted."""

    name = "BucketName"
    arn = "arn:{partition}:s3:::{BucketName}"
    fixed = frozenset({"ObjectLockEnabled"})
    left_out = frozenset(
        {
            "AbacStatus",
            "AccelerateConfiguration",
            "AccessControl",
            "AnalyticsConfigurations",
            "BucketNamePrefix",
            "BucketNamespace",
            "CorsConfiguration",
            "IntelligentTieringConfigurations",
            "InventoryConfigurations",
            "MetadataConfiguration",
            "MetadataTableConfiguration",
            "MetricsConfigurations",
            "NotificationConfiguration",
            "ReplicationConfiguration",
            "WebsiteConfiguration",
        }
    )

    def exists(self, at: At, properties: Properties) -> bool:
        """Say so: CreateBucket gives back one's own in us-east-1."""
        return at.found("s3", "head_bucket", Bucket=properties["BucketName"])

    def create(self, at: At, properties: Properties) -> Made:
        """Make the bucket."""
        name = properties["BucketName"]
        elsewhere = {"LocationConstraint": at.region} if at.region != "us-east-1" else None
        at.call(
            "s3",
            "create_bucket",
            Bucket=name,
            CreateBucketConfiguration=elsewhere,
            ObjectLockEnabledForBucket=properties.get("ObjectLockEnabled"),
        )
        return Made(name, _attributes(at, name))

    def complete(self, at: At, made: Made, properties: Properties) -> Made:
        """Set what it was asked to have."""
        return self.update(at, made, {}, properties)

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Set what differs."""
        for name, (setter, arguments, remover) in SETTERS.items():
            if old.get(name) == new.get(name):
                continue
            if name in new:
                at.call("s3", setter, Bucket=made.id, **arguments(new[name]))
            elif remover is not None:
                at.call("s3", remover, Bucket=made.id)
            else:
                raise ResourceFailed(f"{name} of a bucket cannot be taken away")
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the bucket, which must be empty."""
        at.call("s3", "delete_bucket", Bucket=made.id)


def _attributes(at: At, name: str) -> dict[str, str]:
    return {
        "Arn": f"arn:{at.partition}:s3:::{name}",
        "DomainName": f"{name}.s3.amazonaws.com",
        "DualStackDomainName": f"{name}.s3.dualstack.{at.region}.amazonaws.com",
        "RegionalDomainName": f"{name}.s3.{at.region}.amazonaws.com",
    }


@kind("AWS::S3::BucketPolicy")
class BucketPolicy(Kind):
    """The policy of a bucket."""

    name = "Bucket"
    arn = "arn:{partition}:s3:::{Bucket}"

    def exists(self, at: At, properties: Properties) -> bool:
        """Say so: a bucket has one policy."""
        return at.found("s3", "get_bucket_policy", Bucket=properties["Bucket"])

    def create(self, at: At, properties: Properties) -> Made:
        """Set the policy."""
        document = properties["PolicyDocument"]
        policy = as_text(document)
        at.call("s3", "put_bucket_policy", Bucket=properties["Bucket"], Policy=policy)
        return Made(properties["Bucket"])

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Set the policy."""
        return self.create(at, new)

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Take the policy away."""
        at.call("s3", "delete_bucket_policy", Bucket=made.id)
