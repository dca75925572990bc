"""Which IAM actions an API operation needs; where the two differ, a table says so.

The tables follow the AWS service authorization reference, "Actions, resources, and condition keys
for AWS services"; a test compares them with it. IAM compares actions without regard to case.
"""

from __future__ import annotations

# The IAM prefix of a service, where it is not the name of its boto3 client.
_PREFIXES = {
    "accessanalyzer": "access-analyzer",
    "apigatewayv2": "apigateway",
    "cloudhsmv2": "cloudhsm",
    "cognito-idp": "cognito-idp",
    "dynamodbstreams": "dynamodb",
    "efs": "elasticfilesystem",
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "emr": "elasticmapreduce",
    "opensearch": "es",
    "resourcegroupstaggingapi": "tag",
    "s3control": "s3",
    "service-quotas": "servicequotas",
    "sesv2": "ses",
    "sso-admin": "sso",
    "stepfunctions": "states",
}

# Words of operation names that are not written with one capital letter.
_WORDS = {
    "cloudwatch": {"otel": "OTel"},
    "ec2": {"io": "IO"},
    "elb": {"lb": "LB", "ssl": "SSL"},
    "elbv2": {"ssl": "SSL"},
    "guardduty": {"ip": "IP"},
    "iam": {"id": "ID", "mfa": "MFA", "saml": "SAML", "ssh": "SSH"},
    "network-firewall": {"tls": "TLS"},
    "organizations": {"aws": "AWS"},
    "rds": {"db": "DB"},
    "route53": {"dns": "DNS", "dnssec": "DNSSEC", "vpc": "VPC"},
    "sns": {"sms": "SMS"},
    "sts": {"saml": "SAML"},
    "waf-regional": {"acl": "ACL", "acls": "ACLs", "ip": "IP"},
    "wafv2": {"acl": "ACL", "acls": "ACLs", "api": "API", "ip": "IP"},
}

# Operations whose actions have other names, or that need several.
ACTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "accessanalyzer": {"GetFindingV2": ("GetFinding",), "ListFindingsV2": ("ListFindings",)},
    # API Gateway's actions are HTTP's verbs, on the path that is called.
    "apigateway": {
        "CreateDeployment": ("POST",),
        "DeleteRestApi": ("DELETE",),
        "GetIntegration": ("GET",),
        "GetMethod": ("GET",),
        "GetResources": ("GET",),
        "GetRestApi": ("GET",),
        "GetRestApis": ("GET",),
        "GetStages": ("GET",),
        "ImportRestApi": ("POST",),
        "PutRestApi": ("PUT",),
        "UpdateRestApi": ("PATCH",),
    },
    "dynamodb": {
        "BatchExecuteStatement": (
            "PartiQLDelete",
            "PartiQLInsert",
            "PartiQLSelect",
            "PartiQLUpdate",
        ),
        "ExecuteStatement": ("PartiQLDelete", "PartiQLInsert", "PartiQLSelect", "PartiQLUpdate"),
        "ExecuteTransaction": ("PartiQLDelete", "PartiQLInsert", "PartiQLSelect", "PartiQLUpdate"),
        "TransactGetItems": ("GetItem",),
        "TransactWriteItems": ("ConditionCheckItem", "DeleteItem", "PutItem", "UpdateItem"),
    },
    "kms": {"ReEncrypt": ("ReEncryptFrom", "ReEncryptTo")},
    "lambda": {
        "GetLayerVersionByArn": ("GetLayerVersion",),
        "Invoke": ("InvokeFunction",),
        "InvokeAsync": ("InvokeFunction",),
        "InvokeWithResponseStream": ("InvokeFunction",),
    },
    "s3": {
        "CompleteMultipartUpload": ("PutObject",),
        "CopyObject": ("GetObject", "PutObject"),
        "CreateMultipartUpload": ("PutObject",),
        "DeleteBucketAnalyticsConfiguration": ("PutAnalyticsConfiguration",),
        "DeleteBucketCors": ("PutBucketCORS",),
        "DeleteBucketEncryption": ("PutEncryptionConfiguration",),
        "DeleteBucketIntelligentTieringConfiguration": ("PutIntelligentTieringConfiguration",),
        "DeleteBucketInventoryConfiguration": ("PutInventoryConfiguration",),
        "DeleteBucketLifecycle": ("PutLifecycleConfiguration",),
        "DeleteBucketMetricsConfiguration": ("PutMetricsConfiguration",),
        "DeleteBucketOwnershipControls": ("PutBucketOwnershipControls",),
        "DeleteBucketReplication": ("PutReplicationConfiguration",),
        "DeleteBucketTagging": ("PutBucketTagging",),
        "DeleteObjects": ("DeleteObject",),
        "DeletePublicAccessBlock": ("PutBucketPublicAccessBlock",),
        "GetBucketAccelerateConfiguration": ("GetAccelerateConfiguration",),
        "GetBucketAnalyticsConfiguration": ("GetAnalyticsConfiguration",),
        "GetBucketCors": ("GetBucketCORS",),
        "GetBucketEncryption": ("GetEncryptionConfiguration",),
        "GetBucketIntelligentTieringConfiguration": ("GetIntelligentTieringConfiguration",),
        "GetBucketInventoryConfiguration": ("GetInventoryConfiguration",),
        "GetBucketLifecycle": ("GetLifecycleConfiguration",),
        "GetBucketLifecycleConfiguration": ("GetLifecycleConfiguration",),
        "GetBucketMetricsConfiguration": ("GetMetricsConfiguration",),
        "GetBucketNotificationConfiguration": ("GetBucketNotification",),
        "GetBucketReplication": ("GetReplicationConfiguration",),
        "GetObjectLockConfiguration": ("GetBucketObjectLockConfiguration",),
        "GetPublicAccessBlock": ("GetBucketPublicAccessBlock",),
        "HeadBucket": ("ListBucket",),
        "HeadObject": ("GetObject",),
        "ListBucketAnalyticsConfigurations": ("GetAnalyticsConfiguration",),
        "ListBucketIntelligentTieringConfigurations": ("GetIntelligentTieringConfiguration",),
        "ListBucketInventoryConfigurations": ("GetInventoryConfiguration",),
        "ListBucketMetricsConfigurations": ("GetMetricsConfiguration",),
        "ListBuckets": ("ListAllMyBuckets",),
        "ListMultipartUploads": ("ListBucketMultipartUploads",),
        "ListObjectVersions": ("ListBucketVersions",),
        "ListObjects": ("ListBucket",),
        "ListObjectsV2": ("ListBucket",),
        "ListParts": ("ListMultipartUploadParts",),
        "PutBucketAccelerateConfiguration": ("PutAccelerateConfiguration",),
        "PutBucketAnalyticsConfiguration": ("PutAnalyticsConfiguration",),
        "PutBucketCors": ("PutBucketCORS",),
        "PutBucketEncryption": ("PutEncryptionConfiguration",),
        "PutBucketIntelligentTieringConfiguration": ("PutIntelligentTieringConfiguration",),
        "PutBucketInventoryConfiguration": ("PutInventoryConfiguration",),
        "PutBucketLifecycle": ("PutLifecycleConfiguration",),
        "PutBucketLifecycleConfiguration": ("PutLifecycleConfiguration",),
        "PutBucketMetricsConfiguration": ("PutMetricsConfiguration",),
        "PutBucketNotificationConfiguration": ("PutBucketNotification",),
        "PutBucketReplication": ("PutReplicationConfiguration",),
        "PutObjectLockConfiguration": ("PutBucketObjectLockConfiguration",),
        "PutPublicAccessBlock": ("PutBucketPublicAccessBlock",),
        "SelectObjectContent": ("GetObject",),
        "UploadPart": ("PutObject",),
        "UploadPartCopy": ("GetObject", "PutObject"),
    },
    "s3control": {
        "DeletePublicAccessBlock": ("PutAccountPublicAccessBlock",),
        "GetPublicAccessBlock": ("GetAccountPublicAccessBlock",),
        "PutPublicAccessBlock": ("PutAccountPublicAccessBlock",),
    },
    "sns": {"PublishBatch": ("Publish",)},
    "sqs": {
        "ChangeMessageVisibilityBatch": ("ChangeMessageVisibility",),
        "DeleteMessageBatch": ("DeleteMessage",),
        "SendMessageBatch": ("SendMessage",),
    },
}


def iam_action(service: str, operation: str) -> tuple[str, ...]:
    """Return the IAM actions of an operation, given as boto3's method or as the API's own name."""
    name = operation_name(service, operation)
    prefix = _PREFIXES.get(service, service)
    actions = ACTIONS.get(service, {}).get(name, (name,))
    return tuple(f"{prefix}:{action}" for action in actions)


def operation_name(service: str, operation: str) -> str:
    """Return an operation's own name: `DescribeDBInstances` for `describe_db_instances`."""
    if operation[:1].isupper():
        return operation
    words = _WORDS.get(service, {})
    name = "".join(words.get(word, word.capitalize()) for word in operation.split("_"))
    return name.replace("OpenId", "OpenID") if service == "iam" else name
