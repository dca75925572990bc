"""The keys of a stage, and who may use them for what.

https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
"""

from __future__ import annotations

from firebreak import cfn
from firebreak.cfn import ACCOUNT, REGION, Value
from firebreak.cfn.policies import allow, policy

CRYPT = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
WRITE = ["kms:Decrypt", "kms:GenerateDataKey*"]
THROUGH = ("dynamodb", "kinesis", "s3", "sns", "sqs")  # the services that encrypt with the key
# What administrators of the account may do with the seal's key: all but sign.
ADMINISTRATION = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:GetPublicKey",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
    "kms:Verify",
]


def stage_key(stage: str) -> Value:
    """Return the key that encrypts what a stage stores."""
    return cfn.kept(
        "KMS::Key",
        {
            "Description": f"Firebreak {stage}: encrypts tables, topic, queues, logs and records",
            "EnableKeyRotation": True,
            "PendingWindowInDays": 30,
            "KeyPolicy": policy(
                allow("Administration", {"AWS": cfn.root()}, "kms:*", "*"),
                _through_services(),
                _grants(),
                _logs(stage),
                _events(stage),
                _alarms(stage),
            ),
        },
    )


def _through_services() -> Value:
    """Let whoever of this account may use a table, queue or topic have it decrypted.

    The keys that AWS manages itself have the same statement. No one else's request passes it, and
    no direct call of KMS.
    """
    through = [f"{service}.{REGION}.${{AWS::URLSuffix}}" for service in THROUGH]
    condition = {"StringEquals": {"kms:CallerAccount": ACCOUNT, "kms:ViaService": through}}
    return allow("UseThroughServices", {"AWS": "*"}, [*CRYPT, "kms:DescribeKey"], "*", condition)


def _grants() -> Value:
    """Let DynamoDB have the grants that it works with.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
    """
    condition = {
        "StringEquals": {
            "kms:CallerAccount": ACCOUNT,
            "kms:ViaService": f"dynamodb.{REGION}.${{AWS::URLSuffix}}",
        },
        "Bool": {"kms:GrantIsForAWSResource": "true"},
    }
    return allow("GrantsForTables", {"AWS": "*"}, "kms:CreateGrant", "*", condition)


def _logs(stage: str) -> Value:
    """Let CloudWatch Logs encrypt the functions' log groups.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    groups = cfn.arn("logs", f"log-group:/aws/lambda/firebreak-{stage}*")
    condition = {"StringLike": {"kms:EncryptionContext:aws:logs:arn": groups}}
    principal = {"Service": f"logs.{REGION}.${{AWS::URLSuffix}}"}
    return allow("Logs", principal, CRYPT, "*", condition)


def _events(stage: str) -> Value:
    """Let EventBridge write to the encrypted queues; whose rules may, is in the queues' policies.

    The queue's own encryption context narrows it, whatever EventBridge says of the rule.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    """
    queues = cfn.arn("sqs", f"firebreak-{stage}-*")
    condition = {"StringLike": {"kms:EncryptionContext:aws:sqs:arn": queues}}
    return allow("Events", {"Service": "events.amazonaws.com"}, WRITE, "*", condition)


def _alarms(stage: str) -> Value:
    """Let CloudWatch alarms publish to the encrypted topic.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    """
    condition = {
        "StringEquals": {
            "aws:SourceAccount": ACCOUNT,
            "kms:EncryptionContext:aws:sns:topicArn": cfn.names(stage).topic_arn,
        }
    }
    return allow("Alarms", {"Service": "cloudwatch.amazonaws.com"}, WRITE, "*", condition)


def seal_key(stage: str) -> Value:
    """Return the key that signs the audit trail's seals: by the policy `seal_audit` alone may."""
    signer = {"ArnEquals": {"aws:PrincipalArn": cfn.function_role_arn(stage, "seal_audit")}}
    return cfn.kept(
        "KMS::Key",
        {
            "Description": f"Firebreak {stage}: signs the seals of the audit trail",
            "KeySpec": "ECC_NIST_P256",
            "KeyUsage": "SIGN_VERIFY",
            "PendingWindowInDays": 30,
            "KeyPolicy": policy(
                allow("Administration", {"AWS": cfn.root()}, ADMINISTRATION, "*"),
                allow("Sign", {"AWS": cfn.root()}, "kms:Sign", "*", signer),
            ),
        },
    )
