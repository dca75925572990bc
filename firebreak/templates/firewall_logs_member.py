"""Network Firewall's alert logs, at the end where a firewall logs: in its account and region."""

from __future__ import annotations

from typing import Any

from chalicelib.grants import READS_OBJECTS
from chalicelib.settings import function_name
from firebreak import cfn
from firebreak.cfn import ACCOUNT, REGION, Value, buckets, logs
from firebreak.cfn.policies import allow, for_source, may, policy
from firebreak.templates import Wanted
from firebreak.templates.firewall_logs import FUNCTION

SUMMARY = (
    "Firebreak: sends Network Firewall's alert logs to the security account. Deploy it where a "
    "firewall logs, after the security account's end."
)
HOME = "${HomeAccount}"


def template(wanted: Wanted) -> dict[str, Any]:
    """Return the template of the subscription, and of a bucket for logs that go to S3."""
    stage = wanted.stage
    return cfn.template(
        SUMMARY,
        {
            "SenderRole": _sender(stage),
            "Alerts": _alerts(stage),
            "LogBucket": _bucket(stage),
            "LogBucketPolicy": _bucket_policy(stage),
        },
        parameters=_parameters(),
        conditions={
            "FromLogGroup": cfn.given("LogGroupName"),
            "Sends": {"Fn::And": [{"Condition": "FromLogGroup"}, cfn.given("OrganizationId")]},
            "FromBucket": {
                "Fn::And": [
                    cfn.given("LogBucketName"),
                    {"Fn::Equals": [{"Ref": "AWS::Region"}, {"Ref": "HomeRegion"}]},
                ]
            },
        },
    )


def _parameters() -> dict[str, Value]:
    return {
        "HomeAccount": cfn.parameter("The id of the security account.", **cfn.ACCOUNT_SHAPE),
        "HomeRegion": cfn.parameter(
            "The region in which Firebreak's functions run.", **cfn.REGION_SHAPE
        ),
        "OrganizationId": cfn.parameter(
            "As it was given at the security account's end. Empty: this account is listed there.",
            "",
            **cfn.ORGANIZATION_SHAPE,
        ),
        "LogGroupName": cfn.parameter(
            "The log group that the firewall's alerts go to. Empty: they go to a bucket.",
            "",
            **logs.GROUP_SHAPE,
        ),
        "LogBucketName": cfn.parameter(
            "The name of a bucket to make for alert logs, in the home region only: S3 invokes "
            "functions of its own region. Empty: none.",
            "",
            AllowedPattern="|[a-z0-9.-]{3,63}",
            ConstraintDescription="the name of a bucket, or nothing",
        ),
        "LogDays": cfn.parameter(
            "Days for which the bucket keeps log files.", 90, Type="Number", MinValue=1
        ),
    }


def _sender(stage: str) -> Value:
    """Return the role by which CloudWatch Logs shows the organisation that it sends for.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CreateSubscriptionFilter-IAMrole.html
    """
    group = cfn.arn("logs", "log-group:${LogGroupName}:*")
    return cfn.resource(
        "IAM::Role",
        {
            "RoleName": f"{cfn.names(stage).firewall_logs}-{REGION}",
            "Description": f"Firebreak {stage}: sends firewall logs to the security account",
            "AssumeRolePolicyDocument": logs.trusted([cfn.arn("logs", "*")]),
            "Policies": [
                {
                    "PolicyName": "sender",
                    "PolicyDocument": policy(may("Send", "logs:PutLogEvents", group)),
                }
            ],
        },
        Condition="Sends",
    )


def _alerts(stage: str) -> Value:
    destination = cfn.arn("logs", f"destination:{cfn.names(stage).firewall_logs}", account=HOME)
    return cfn.resource(
        "Logs::SubscriptionFilter",
        {
            **logs.subscription("LogGroupName", stage),
            "DestinationArn": destination,
            "RoleArn": cfn.if_("Sends", {"Fn::GetAtt": ["SenderRole", "Arn"]}),
        },
        Condition="FromLogGroup",
    )


def _bucket(stage: str) -> Value:
    """Return a bucket that tells the function of new log files.

    https://docs.aws.amazon.com/network-firewall/latest/developerguide/logging-s3.html
    """
    function = cfn.arn(
        "lambda",
        f"function:{function_name(stage, FUNCTION)}",
        region="${HomeRegion}",
        account=HOME,
    )
    suffix = {"Name": "suffix", "Value": ".log.gz"}
    told = {
        "Event": "s3:ObjectCreated:*",
        "Function": function,
        "Filter": {"S3Key": {"Rules": [suffix]}},
    }
    old = {
        "Id": "OldLogs",
        "Status": "Enabled",
        "ExpirationInDays": {"Ref": "LogDays"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    return cfn.kept(
        "S3::Bucket",
        {
            "BucketName": {"Ref": "LogBucketName"},
            **buckets.private(),
            "BucketEncryption": buckets.encrypted({"SSEAlgorithm": "AES256"}),
            "LifecycleConfiguration": {"Rules": [old]},
            "NotificationConfiguration": {"LambdaConfigurations": [told]},
        },
        Condition="FromBucket",
    )


def _bucket_policy(stage: str) -> Value:
    """Return who may use the bucket: AWS's delivery of logs writes, functions read.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-V2-S3.html
    """
    delivery = {"Service": "delivery.logs.amazonaws.com"}
    source = for_source(cfn.arn("logs", "*"), ACCOUNT)
    readers = [cfn.function_role_arn(stage, each, HOME) for each in READS_OBJECTS]
    reader = {"ArnEquals": {"aws:PrincipalArn": readers}}
    objects = "${LogBucket.Arn}/AWSLogs/${AWS::AccountId}/*"
    return buckets.bucket_policy(
        "LogBucket",
        allow("Look", delivery, ["s3:GetBucketAcl", "s3:ListBucket"], "${LogBucket.Arn}", source),
        allow("Deliver", delivery, "s3:PutObject", objects, source),
        allow("Read", {"AWS": cfn.root(HOME)}, "s3:GetObject", objects, reader),
        Condition="FromBucket",
    )
