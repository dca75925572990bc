"""The buckets of a stage, and what their policies refuse to everybody."""

from __future__ import annotations

from chalicelib.settings import Settings
from firebreak import cfn
from firebreak.cfn import Value
from firebreak.cfn.policies import deny, policy, tls_only

PRIVATE = {
    "BlockPublicAcls": True,
    "BlockPublicPolicy": True,
    "IgnorePublicAcls": True,
    "RestrictPublicBuckets": True,
}
OLD_RECORDS = 365  # days for which a record of a deployment is kept after the next one
KEEPERS = ("keep_audit", "seal_audit")  # the functions that write the audit trail's objects


def audit(own: Settings) -> dict[str, Value]:
    """Return the bucket that keeps the audit trail, locked in compliance mode.

    It is encrypted with S3's keys: who could take away a key would take away the evidence.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
    """
    lock = {"Mode": "COMPLIANCE", "Years": {"Ref": "AuditYears"}}
    properties = {
        "ObjectLockEnabled": True,
        "ObjectLockConfiguration": {
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": lock},
        },
        "BucketEncryption": encrypted({"SSEAlgorithm": "AES256"}),
    }
    keepers = [cfn.function_role_arn(own.stage, function) for function in KEEPERS]
    others = {"ArnNotEquals": {"aws:PrincipalArn": keepers}}
    lengthened = ["s3:PutObjectLegalHold", "s3:PutObjectRetention"]
    objects = "${AuditBucket.Arn}/*"
    return {
        "AuditBucket": _bucket(own.audit_bucket, properties),
        "AuditBucketPolicy": bucket_policy(
            "AuditBucket",
            deny("OnlyTheKeepersWrite", "s3:PutObject", objects, others),
            deny("NothingIsHidden", "s3:DeleteObject", objects),
            deny("NothingIsHeld", lengthened, objects),
        ),
    }


def state(own: Settings) -> dict[str, Value]:
    """Return the bucket that keeps the records of deployments."""
    key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Fn::GetAtt": ["StageKey", "Arn"]}}
    old = {
        "Id": "OldRecords",
        "Status": "Enabled",
        "NoncurrentVersionExpiration": {"NoncurrentDays": OLD_RECORDS},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    properties = {
        "BucketEncryption": encrypted(key),
        "LifecycleConfiguration": {"Rules": [old]},
    }
    return {
        "StateBucket": _bucket(own.state_bucket, properties),
        "StateBucketPolicy": bucket_policy("StateBucket"),
    }


def encrypted(by: Value) -> Value:
    """Return how a bucket encrypts what it is given without saying how."""
    rule = {"ServerSideEncryptionByDefault": by, "BucketKeyEnabled": by["SSEAlgorithm"] != "AES256"}
    return {"ServerSideEncryptionConfiguration": [rule]}


def _bucket(name: str, properties: Value) -> Value:
    return cfn.kept("S3::Bucket", {"BucketName": name, **private(), **properties})


def private() -> Value:
    """Return what makes a bucket one of its owner alone, with versions."""
    return {
        "PublicAccessBlockConfiguration": PRIVATE,
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "VersioningConfiguration": {"Status": "Enabled"},
    }


def bucket_policy(bucket: str, *statements: Value, **more: str) -> Value:
    """Return the policy of a bucket of the template, which always asks for TLS."""
    both = [f"${{{bucket}.Arn}}", f"${{{bucket}.Arn}}/*"]
    document = policy(*statements, tls_only("s3:*", both))
    properties = {"Bucket": {"Ref": bucket}, "PolicyDocument": document}
    return cfn.resource("S3::BucketPolicy", properties, **more)
