"""Network Firewall's alert logs, at the security account's end: stream, destinations, permissions.

Deployed in the home region, and in every other region in which a firewall of another account logs.
"""

from __future__ import annotations

from typing import Any

from chalicelib.settings import function_name
from firebreak import cfn
from firebreak.cfn import ACCOUNT, Value, alarms, logs
from firebreak.cfn.policies import may, policy
from firebreak.templates import Wanted

SUMMARY = (
    "Firebreak: takes Network Firewall's alert logs. Deploy it in the home region first; it makes "
    "the stream there, and a destination in every region in which it is deployed."
)
FUNCTION = "ingest_firewall_logs"
KEPT = 24  # hours that the stream keeps records; more costs more
# Lambda gives up a record two hours before it is gone: the dead letter still names one that is.
GIVEN_UP = (KEPT - 2) * 3_600


def template(wanted: Wanted) -> dict[str, Any]:
    """Return the template of the stream, the destination, and what may invoke the function."""
    stage = wanted.stage
    return cfn.template(
        SUMMARY,
        {
            "Stream": _stream(stage),
            "WriterRole": _writer(stage),
            "Destination": logs.destination(stage),
            "Mapping": _mapping(stage),
            "Late": alarms.late_stream(stage, FUNCTION, Condition="InHomeRegion"),
            **_own_log_group(stage),
            "BucketPermission": _bucket(stage),
        },
        parameters=_parameters(),
        conditions=_conditions(),
    )


def _parameters() -> dict[str, Value]:
    return {
        "HomeRegion": cfn.parameter(
            "The region in which Firebreak's functions run.", **cfn.REGION_SHAPE
        ),
        "OrganizationId": cfn.parameter(
            "The id of the organisation whose accounts may send logs. Empty: of none.",
            "",
            **cfn.ORGANIZATION_SHAPE,
        ),
        "Accounts": cfn.parameter(
            "Ids of accounts outside the organisation that may send logs, with commas.",
            "",
            Type="CommaDelimitedList",
        ),
        "Shards": cfn.parameter(
            "Shards of the stream: each takes 1 MB of compressed logs a second.",
            1,
            Type="Number",
            MinValue=1,
            MaxValue=100,
        ),
        "OwnLogGroup": cfn.parameter(
            "The log group of this account's own firewall in the home region. Empty: none.",
            "",
            **logs.GROUP_SHAPE,
        ),
        "LogBucket": cfn.parameter(
            "The bucket, or pattern of buckets with *, whose new log files are read. Empty: none.",
            "",
            AllowedPattern="[a-z0-9.*-]{0,63}",
            ConstraintDescription="the name of a bucket; * matches anything",
        ),
        "LogBucketAccount": cfn.parameter(
            "The account that owns the bucket. Empty: this one.",
            "",
            AllowedPattern="|[0-9]{12}",
            ConstraintDescription="12 digits, or nothing",
        ),
    }


def _conditions() -> dict[str, Value]:
    home = {"Condition": "InHomeRegion"}
    return {
        "InHomeRegion": {"Fn::Equals": [{"Ref": "AWS::Region"}, {"Ref": "HomeRegion"}]},
        "InOrganization": cfn.given("OrganizationId"),
        "WithAccounts": cfn.some_given("Accounts"),
        "FromOthers": {"Fn::Or": [{"Condition": "InOrganization"}, {"Condition": "WithAccounts"}]},
        "OwnFirewall": {"Fn::And": [home, cfn.given("OwnLogGroup")]},
        "FromBucket": {"Fn::And": [home, cfn.given("LogBucket")]},
        "OtherBucket": cfn.given("LogBucketAccount"),
    }


def _stream(stage: str) -> Value:
    """Return the stream: provisioned, since a shard is enough and costs a third of on-demand.

    Where it is too small CloudWatch Logs sends again, for up to 24 hours.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Subscriptions.html
    """
    own = cfn.names(stage)
    return cfn.resource(
        "Kinesis::Stream",
        {
            "Name": own.firewall_logs,
            "ShardCount": {"Ref": "Shards"},
            "RetentionPeriodHours": KEPT,
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
            "StreamEncryption": {"EncryptionType": "KMS", "KeyId": own.stage_key},
        },
        Condition="InHomeRegion",
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Retain",
    )


def _writer(stage: str) -> Value:
    """Return the role in which CloudWatch Logs writes to the stream, from any region.

    That the stream is encrypted is between Kinesis and the key, whose own policy admits it.
    """
    own = cfn.names(stage)
    anywhere = [cfn.arn("logs", "*", region="*", account="*")]  # the destination says whose
    return cfn.resource(
        "IAM::Role",
        {
            "RoleName": own.firewall_logs,
            "Description": f"Firebreak {stage}: writes firewall logs to its stream",
            "AssumeRolePolicyDocument": logs.trusted(anywhere),
            "Policies": [
                {
                    "PolicyName": "writer",
                    "PolicyDocument": policy(may("Write", "kinesis:PutRecord", "${Stream.Arn}")),
                }
            ],
        },
        Condition="InHomeRegion",
    )


def _mapping(stage: str) -> Value:
    """Return what hands the stream's records to the function.

    It does not report failures by item, so a batch that fails is halved until it is one record.
    What is given up says only where it lies: `retry_intake` makes a dead letter of it, and tells.
    https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    """
    failed = cfn.arn("sqs", cfn.names(stage).retry_queue)
    return cfn.resource(
        "Lambda::EventSourceMapping",
        {
            "EventSourceArn": "${Stream.Arn}",
            "FunctionName": function_name(stage, FUNCTION),
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 100,
            "MaximumBatchingWindowInSeconds": 1,
            "BisectBatchOnFunctionError": True,
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": GIVEN_UP,
            "DestinationConfig": {"OnFailure": {"Destination": failed}},
        },
        Condition="InHomeRegion",
    )


def _own_log_group(stage: str) -> dict[str, Value]:
    """Return the straight way for this account's own firewall: its log group to the function."""
    name = function_name(stage, FUNCTION)
    group = cfn.arn("logs", "log-group:${OwnLogGroup}:*")
    return {
        "LogsPermission": cfn.resource(
            "Lambda::Permission",
            {
                "FunctionName": name,
                "Action": "lambda:InvokeFunction",
                "Principal": "logs.amazonaws.com",
                "SourceAccount": ACCOUNT,
                "SourceArn": group,
            },
            Condition="OwnFirewall",
        ),
        "OwnAlerts": cfn.resource(
            "Logs::SubscriptionFilter",
            {
                **logs.subscription("OwnLogGroup", stage),
                "DestinationArn": cfn.arn("lambda", f"function:{name}"),
            },
            Condition="OwnFirewall",
            DependsOn="LogsPermission",
        ),
    }


def _bucket(stage: str) -> Value:
    """Return what lets S3 tell the function of new log files; the bucket is in the home region.

    https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html
    """
    return cfn.resource(
        "Lambda::Permission",
        {
            "FunctionName": function_name(stage, FUNCTION),
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
            "SourceAccount": cfn.if_("OtherBucket", {"Ref": "LogBucketAccount"}, ACCOUNT),
            "SourceArn": cfn.arn("s3", "${LogBucket}", region="", account=""),
        },
        Condition="FromBucket",
    )
