"""What CloudFormation may call, with the caller's permissions, to keep a resource.

The registry lists for each type what its handlers may ever need. A good part of it serves
properties that a template may not use; the tables here say which, so that whoever deploys is
allowed no more than the template asks for. Reading is never left out: a handler reads what it made.
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from firebreak.iam.registry import handler

# CloudFormation reads as part of an update "when detailed information about the resource's current
# state is required", which it does with the caller's permissions too.
# https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-develop.html
OPERATIONS = ("create", "read", "update", "delete")
TAGS = "Tags"
_TAGGING = re.compile(r"\w+:((Un)?[Tt]ag[A-Z]\w*|AddTagsTo\w+|RemoveTagsFrom\w+|PutBucketTagging)")
_NEVER: tuple[str, ...] = ()

# Per type: the actions that only some properties need, by the names of these, wherever they stand
# among the properties. Those without a property serve what the type no longer or not yet has.
NEEDED_FOR: dict[str, dict[str, tuple[str, ...]]] = {
    "AWS::CloudWatch::Alarm": {},
    "AWS::DynamoDB::Table": {
        "dynamodb:AssociateTableReplica": _NEVER,  # replicas are of AWS::DynamoDB::GlobalTable,
        "dynamodb:BatchWriteItem": _NEVER,  # and so is everything that reads and writes items
        "dynamodb:CreateTableReplica": _NEVER,
        "dynamodb:DeleteItem": _NEVER,
        "dynamodb:GetItem": _NEVER,
        "dynamodb:PutItem": _NEVER,
        "dynamodb:Query": _NEVER,
        "dynamodb:Scan": _NEVER,
        "dynamodb:UpdateItem": _NEVER,
        "dynamodb:DeleteResourcePolicy": ("ResourcePolicy",),
        "dynamodb:DescribeImport": ("ImportSourceSpecification",),
        "dynamodb:DisableKinesisStreamingDestination": ("KinesisStreamSpecification",),
        "dynamodb:EnableKinesisStreamingDestination": ("KinesisStreamSpecification",),
        "dynamodb:ImportTable": ("ImportSourceSpecification",),
        "dynamodb:PutResourcePolicy": ("ResourcePolicy",),
        "dynamodb:UpdateContinuousBackups": ("PointInTimeRecoverySpecification",),
        "dynamodb:UpdateContributorInsights": ("ContributorInsightsSpecification",),
        "dynamodb:UpdateKinesisStreamingDestination": ("KinesisStreamSpecification",),
        "dynamodb:UpdateTimeToLive": ("TimeToLiveSpecification",),
        "iam:CreateServiceLinkedRole": ("KinesisStreamSpecification",),
        "kinesis:DescribeStream": ("KinesisStreamSpecification",),
        "kinesis:PutRecords": ("KinesisStreamSpecification",),
        "kms:CreateGrant": ("KMSMasterKeyId",),
        "kms:Decrypt": ("KMSMasterKeyId",),
        "kms:DescribeKey": ("KMSMasterKeyId",),
        "kms:Encrypt": ("KMSMasterKeyId",),
        "kms:ListAliases": ("KMSMasterKeyId",),
        "kms:RevokeGrant": ("KMSMasterKeyId",),
        "logs:CreateLogGroup": ("ImportSourceSpecification",),
        "logs:CreateLogStream": ("ImportSourceSpecification",),
        "logs:DescribeLogGroups": ("ImportSourceSpecification",),
        "logs:DescribeLogStreams": ("ImportSourceSpecification",),
        "logs:PutLogEvents": ("ImportSourceSpecification",),
        "logs:PutRetentionPolicy": ("ImportSourceSpecification",),
        "s3:GetObject": ("ImportSourceSpecification",),
        "s3:GetObjectMetadata": ("ImportSourceSpecification",),
        "s3:ListBucket": ("ImportSourceSpecification",),
    },
    "AWS::Events::Rule": {"iam:PassRole": ("RoleArn",)},
    "AWS::IAM::ManagedPolicy": {
        "iam:AttachGroupPolicy": ("Groups",),
        "iam:AttachRolePolicy": ("Roles",),
        "iam:AttachUserPolicy": ("Users",),
        "iam:DetachGroupPolicy": ("Groups",),
        "iam:DetachRolePolicy": ("Roles",),
        "iam:DetachUserPolicy": ("Users",),
    },
    "AWS::IAM::Policy": {
        "iam:DeleteGroupPolicy": ("Groups",),
        "iam:DeleteRolePolicy": ("Roles",),
        "iam:DeleteUserPolicy": ("Users",),
        "iam:GetGroupPolicy": ("Groups",),
        "iam:GetRolePolicy": ("Roles",),
        "iam:GetUserPolicy": ("Users",),
        "iam:PutGroupPolicy": ("Groups",),
        "iam:PutRolePolicy": ("Roles",),
        "iam:PutUserPolicy": ("Users",),
    },
    "AWS::IAM::Role": {
        "iam:AttachRolePolicy": ("ManagedPolicyArns",),
        "iam:DeleteRolePermissionsBoundary": ("PermissionsBoundary",),
        "iam:DeleteRolePolicy": ("Policies",),
        "iam:DetachRolePolicy": ("ManagedPolicyArns",),
        "iam:PutRolePermissionsBoundary": ("PermissionsBoundary",),
        "iam:PutRolePolicy": ("Policies",),
        "iam:UpdateRoleDescription": ("Description",),
    },
    "AWS::KMS::Key": {
        "kms:DisableKey": ("Enabled",),
        "kms:DisableKeyRotation": ("EnableKeyRotation",),
        "kms:EnableKey": ("Enabled",),
        "kms:EnableKeyRotation": ("EnableKeyRotation",),
        "kms:PutKeyPolicy": ("KeyPolicy",),
        "kms:UpdateKeyDescription": ("Description",),
    },
    "AWS::Kinesis::Stream": {
        "kinesis:DecreaseStreamRetentionPeriod": ("RetentionPeriodHours",),
        "kinesis:DisableEnhancedMonitoring": ("DesiredShardLevelMetrics",),
        "kinesis:EnableEnhancedMonitoring": ("DesiredShardLevelMetrics",),
        "kinesis:IncreaseStreamRetentionPeriod": ("RetentionPeriodHours",),
        "kinesis:StartStreamEncryption": ("StreamEncryption",),
        "kinesis:StopStreamEncryption": ("StreamEncryption",),
        "kinesis:UpdateMaxRecordSize": ("MaxRecordSizeInKiB",),
        "kinesis:UpdateShardCount": ("ShardCount",),
        "kinesis:UpdateStreamMode": ("StreamModeDetails",),
        "kinesis:UpdateStreamRecordDistributionStrategy": ("RecordDistributionStrategy",),
        "kinesis:UpdateStreamWarmThroughput": ("WarmThroughputMiBps",),
    },
    "AWS::Lambda::EventSourceMapping": {
        "kms:Decrypt": ("KmsKeyArn",),
        "kms:DescribeKey": ("KmsKeyArn",),
        "kms:GenerateDataKey": ("KmsKeyArn",),
    },
    "AWS::Logs::Destination": {"logs:PutDestinationPolicy": ("DestinationPolicy",)},
    "AWS::Logs::LogGroup": {
        "firehose:TagDeliveryStream": ("DataProtectionPolicy",),
        "logs:AssociateKmsKey": ("KmsKeyId",),
        "logs:CreateLogDelivery": ("DataProtectionPolicy",),
        "logs:DeleteDataProtectionPolicy": ("DataProtectionPolicy",),
        "logs:DeleteIndexPolicy": ("FieldIndexPolicies",),
        "logs:DeleteResourcePolicy": ("ResourcePolicyDocument",),
        "logs:DeleteRetentionPolicy": ("RetentionInDays",),
        "logs:DisassociateKmsKey": ("KmsKeyId",),
        "logs:PutBearerTokenAuthentication": ("BearerTokenAuthenticationEnabled",),
        "logs:PutDataProtectionPolicy": ("DataProtectionPolicy",),
        "logs:PutIndexPolicy": ("FieldIndexPolicies",),
        "logs:PutLogGroupDeletionProtection": ("DeletionProtectionEnabled",),
        "logs:PutResourcePolicy": ("ResourcePolicyDocument",),
        "logs:PutRetentionPolicy": ("RetentionInDays",),
        "s3:REST.PUT.OBJECT": ("DataProtectionPolicy",),
    },
    "AWS::Logs::SubscriptionFilter": {"iam:PassRole": ("RoleArn",)},
    "AWS::S3::Bucket": {
        "iam:PassRole": ("ReplicationConfiguration",),
        "s3:CreateBucketMetadataTableConfiguration": (
            "MetadataConfiguration",
            "MetadataTableConfiguration",
        ),
        "s3:DeleteBucketAnalyticsConfiguration": ("AnalyticsConfigurations",),
        "s3:DeleteBucketCors": ("CorsConfiguration",),
        "s3:DeleteBucketEncryption": ("BucketEncryption",),
        "s3:DeleteBucketLifecycle": ("LifecycleConfiguration",),
        "s3:DeleteBucketMetadataTableConfiguration": (
            "MetadataConfiguration",
            "MetadataTableConfiguration",
        ),
        "s3:DeleteBucketMetricsConfiguration": ("MetricsConfigurations",),
        "s3:DeleteBucketReplication": ("ReplicationConfiguration",),
        "s3:DeleteBucketWebsite": ("WebsiteConfiguration",),
        "s3:DeleteObject": _NEVER,  # a handler empties no bucket
        "s3:GetBucketMetadataTableConfiguration": (
            "MetadataConfiguration",
            "MetadataTableConfiguration",
        ),
        "s3:PutAccelerateConfiguration": ("AccelerateConfiguration",),
        "s3:PutAnalyticsConfiguration": ("AnalyticsConfigurations",),
        "s3:PutBucketAbac": ("AbacStatus",),
        "s3:PutBucketAcl": ("AccessControl",),
        "s3:PutBucketCORS": ("CorsConfiguration",),
        "s3:PutBucketLogging": ("LoggingConfiguration",),
        "s3:PutBucketNotification": ("NotificationConfiguration",),
        "s3:PutBucketObjectLockConfiguration": ("ObjectLockConfiguration", "ObjectLockEnabled"),
        "s3:PutBucketOwnershipControls": ("OwnershipControls",),
        "s3:PutBucketPublicAccessBlock": ("PublicAccessBlockConfiguration",),
        "s3:PutBucketReplication": ("ReplicationConfiguration",),
        "s3:PutBucketVersioning": ("ObjectLockEnabled", "VersioningConfiguration"),
        "s3:PutBucketWebsite": ("WebsiteConfiguration",),
        "s3:PutEncryptionConfiguration": ("BucketEncryption",),
        "s3:PutIntelligentTieringConfiguration": ("IntelligentTieringConfigurations",),
        "s3:PutInventoryConfiguration": ("InventoryConfigurations",),
        "s3:PutLifecycleConfiguration": ("LifecycleConfiguration",),
        "s3:PutMetricsConfiguration": ("MetricsConfigurations",),
        "s3:PutObjectAcl": ("AccessControl",),
        "s3:PutObjectLockConfiguration": ("ObjectLockConfiguration", "ObjectLockEnabled"),
        "s3:PutReplicationConfiguration": ("ReplicationConfiguration",),
        "s3:UpdateBucketMetadataAnnotationTableConfiguration": ("MetadataConfiguration",),
        "s3:UpdateBucketMetadataInventoryTableConfiguration": ("MetadataConfiguration",),
        "s3:UpdateBucketMetadataJournalTableConfiguration": ("MetadataConfiguration",),
        "s3tables:*": ("MetadataConfiguration", "MetadataTableConfiguration"),
    },
    "AWS::SNS::Subscription": {
        "iam:GetRole": ("SubscriptionRoleArn",),
        "iam:PassRole": ("SubscriptionRoleArn",),
    },
    "AWS::SNS::Topic": {
        "iam:GetRole": ("DeliveryStatusLogging",),
        "iam:PassRole": ("DeliveryStatusLogging",),
        "sns:PutDataProtectionPolicy": ("DataProtectionPolicy",),
        "sns:Subscribe": ("Subscription",),
        "sns:Unsubscribe": ("Subscription",),
    },
}


def permissions(
    kind: str, properties: Mapping[str, Any], *, tagged: bool = False
) -> dict[str, frozenset[str]]:
    """Return what each operation on a resource needs of its caller.

    tagged: whether the stack has tags, which its resources get too.
    """
    used = set(_keys(properties)) | ({TAGS} if tagged else set())
    return {
        operation: frozenset(
            action for action in handler(kind, operation) if _is_needed(kind, action, used)
        )
        for operation in OPERATIONS
    }


def _is_needed(kind: str, action: str, used: set[str]) -> bool:
    table = NEEDED_FOR.get(kind, {})
    wanted = table.get(action, table.get(f"{action.split(':', 1)[0]}:*"))
    if wanted is None and _TAGGING.fullmatch(action):
        wanted = (TAGS,)
    return wanted is None or bool(used & set(wanted))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield key
            yield from _keys(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _keys(each)


def handler_permissions(
    template: Mapping[str, Any], *, tagged: bool = False
) -> dict[str, dict[str, frozenset[str]]]:
    """Return what each resource of a template needs of who creates, updates and deletes it."""
    return {
        name: permissions(resource["Type"], resource.get("Properties", {}), tagged=tagged)
        for name, resource in template["Resources"].items()
    }
