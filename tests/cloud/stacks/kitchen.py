"""A template with every embedded type, in two versions that differ in each resource."""

from __future__ import annotations

import json
from typing import Any

LAMBDA = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}


def document(**statement: Any) -> dict[str, Any]:
    """Return a policy document of one statement."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


def of(type_: str, **properties: Any) -> dict[str, Any]:
    """Return a resource."""
    return {"Type": f"AWS::{type_}", "Properties": properties}


def arn(name: str, attribute: str = "Arn") -> dict[str, Any]:
    """Return an attribute of a resource."""
    return {"Fn::GetAtt": [name, attribute]}


def ref(name: str) -> dict[str, Any]:
    """Return a reference."""
    return {"Ref": name}


def keys(version: int) -> dict[str, Any]:
    """Return keys and an alias."""
    root = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    policy = document(Principal=root, Action="kms:*", Resource="*")
    return {
        "Key": of(
            "KMS::Key",
            Description=f"v{version}",
            EnableKeyRotation=version == 2,
            KeyPolicy=policy,
            PendingWindowInDays=7,
            Tags=[{"Key": "version", "Value": str(version)}],
        ),
        "Seal": of("KMS::Key", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"),
        "Alias": of(
            "KMS::Alias", AliasName="alias/x", TargetKeyId=ref("Key" if version == 1 else "Other")
        ),
        "Other": of("KMS::Key", Enabled=version == 1),
    }


def table(version: int) -> dict[str, Any]:
    """Return a table."""
    return {
        "Table": of(
            "DynamoDB::Table",
            TableName="tab",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=version == 1,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": version == 2},
            SSESpecification={
                "SSEEnabled": True,
                "SSEType": "KMS",
                "KMSMasterKeyId": arn("Key" if version == 1 else "Other"),
            },
            StreamSpecification={"StreamViewType": "NEW_IMAGE"},
            Tags=[{"Key": "version", "Value": str(version)}],
            TimeToLiveSpecification={"AttributeName": "expires", "Enabled": version == 2},
        )
    }


def bucket(version: int) -> dict[str, Any]:
    """Return a bucket and its policy."""
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn("Key")}
    rule = {"Id": "old", "Status": "Enabled"}
    rule |= {"NoncurrentVersionExpiration": {"NoncurrentDays": 30 * version}}
    blocked = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    retention = {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": version}}
    encryption = [{"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": default}]
    return {
        "Bucket": of(
            "S3::Bucket",
            BucketEncryption={"ServerSideEncryptionConfiguration": encryption},
            BucketName="buck-et",
            LifecycleConfiguration={"Rules": [rule]},
            ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention},
            ObjectLockEnabled=True,
            OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            PublicAccessBlockConfiguration=dict.fromkeys(blocked, True),
            VersioningConfiguration={"Status": "Enabled"},
        ),
        "BucketPolicy": of(
            "S3::BucketPolicy",
            Bucket=ref("Bucket"),
            PolicyDocument=document(
                Sid=f"v{version}",
                Principal={"AWS": "*"},
                Action="s3:GetObject",
                Resource=arn("Bucket"),
            ),
        ),
    }


def messages(version: int) -> dict[str, Any]:
    """Return a topic, queues, their policies and a subscription."""
    allowed = {"Sid": f"v{version}", "Principal": {"Service": "events.amazonaws.com"}}
    publish = document(**allowed, Action="sns:Publish", Resource=ref("Topic"))
    send = document(**allowed, Action="sqs:SendMessage", Resource=arn("Queue"))
    redrive = {"deadLetterTargetArn": arn("Dead"), "maxReceiveCount": 3 + version}
    return {
        "Topic": of(
            "SNS::Topic", TopicName="top", KmsMasterKeyId=ref("Alias"), DisplayName=f"v{version}"
        ),
        "TopicPolicy": of("SNS::TopicPolicy", Topics=[ref("Topic")], PolicyDocument=publish),
        "Subscription": of(
            "SNS::Subscription",
            Endpoint=arn("Queue"),
            Protocol="sqs",
            RawMessageDelivery=version == 2,
            TopicArn=ref("Topic"),
        ),
        "Dead": of("SQS::Queue", QueueName="dead", KmsMasterKeyId=ref("Alias")),
        "Queue": of(
            "SQS::Queue", QueueName="q", RedrivePolicy=redrive, VisibilityTimeout=60 * version
        ),
        "QueuePolicy": of("SQS::QueuePolicy", Queues=[ref("Queue")], PolicyDocument=send),
    }


def logs(version: int) -> dict[str, Any]:
    """Return a log group, a filter, a destination and a stream."""
    to_stream = {"RoleArn": arn("Role")}
    encryption = {"EncryptionType": "KMS", "KeyId": ref("Alias")}
    return {
        "Group": of(
            "Logs::LogGroup", LogGroupName="/g", KmsKeyId=arn("Key"), RetentionInDays=30 * version
        ),
        "Filter": of(
            "Logs::SubscriptionFilter",
            DestinationArn=arn("Stream"),
            FilterPattern=f"v{version}",
            LogGroupName=ref("Group"),
            **to_stream,
        ),
        "Destination": of(
            "Logs::Destination",
            DestinationName="dest",
            DestinationPolicy=json.dumps({"version": version}),
            TargetArn=arn("Stream"),
            **to_stream,
        ),
        "Stream": of(
            "Kinesis::Stream",
            Name="str",
            RetentionPeriodHours=24 * version,
            StreamModeDetails={"StreamMode": "ON_DEMAND"},
            **({"StreamEncryption": encryption} if version == 2 else {}),
        ),
    }


def roles(version: int) -> dict[str, Any]:
    """Return a role and policies."""
    read = document(Sid=f"v{version}", Action="s3:GetObject", Resource="*")
    return {
        "Managed": of("IAM::ManagedPolicy", ManagedPolicyName="managed", PolicyDocument=read),
        "Inline": of("IAM::Policy", PolicyName="more", PolicyDocument=read, Roles=[ref("Role")]),
        "Role": of(
            "IAM::Role",
            AssumeRolePolicyDocument=document(**LAMBDA, Action="sts:AssumeRole"),
            Description=f"v{version}",
            ManagedPolicyArns=[ref("Managed")] if version == 2 else [],
            MaxSessionDuration=3600 * version,
            Policies=[{"PolicyName": f"p{version}", "PolicyDocument": read}],
            RoleName="rol",
            **({"PermissionsBoundary": ref("Managed")} if version == 2 else {}),
        ),
    }


def rules(version: int) -> dict[str, Any]:
    """Return a rule and a statement of the bus."""
    bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"
    target = {"Id": "bus", "Arn": "arn:aws:events:us-east-1:999999999999:event-bus/default"}
    target |= {"RoleArn": arn("Role"), "RetryPolicy": {"MaximumRetryAttempts": version}}  # type: ignore[dict-item]
    organization = {"StringEquals": {"aws:PrincipalOrgID": f"o-{version}"}}
    statement = {"Effect": "Allow", "Principal": "*", "Action": "events:PutEvents"}
    statement |= {"Resource": {"Fn::Sub": bus}, "Condition": organization}
    return {
        "Rule": of(
            "Events::Rule",
            EventPattern={"source": ["aws.guardduty"]},
            Name="rul",
            Targets=[{**target, "DeadLetterConfig": {"Arn": arn("Dead")}}],
        ),
        "BusPolicy": of("Events::EventBusPolicy", StatementId="org", Statement=statement),
    }


def functions(version: int) -> dict[str, Any]:
    """Return mappings, an asynchronous configuration and a permission of a function."""
    failed = {"OnFailure": {"Destination": arn("Dead")}}
    return {
        "OfQueue": of(
            "Lambda::EventSourceMapping",
            BatchSize=version,
            EventSourceArn=arn("Queue"),
            FunctionName="fun",
            FunctionResponseTypes=["ReportBatchItemFailures"],
        ),
        "OfTable": of(
            "Lambda::EventSourceMapping",
            BisectBatchOnFunctionError=True,
            DestinationConfig=failed,
            EventSourceArn=arn("Table", "StreamArn"),
            FunctionName="fun",
            MaximumRetryAttempts=version,
            StartingPosition="TRIM_HORIZON",
        ),
        "Asynchronous": of(
            "Lambda::EventInvokeConfig",
            DestinationConfig=failed,
            FunctionName="fun",
            MaximumRetryAttempts=version,
            Qualifier="$LATEST",
        ),
        "Permission": of(
            "Lambda::Permission",
            Action="lambda:InvokeFunction",
            FunctionName="fun",
            Principal="logs.amazonaws.com",
            SourceAccount=f"11112222333{version}",
        ),
    }


def watching(version: int) -> dict[str, Any]:
    """Return an alarm and a dashboard."""
    return {
        "Alarm": of(
            "CloudWatch::Alarm",
            AlarmActions=[ref("Topic")],
            AlarmName="al",
            ComparisonOperator="GreaterThanThreshold",
            Dimensions=[{"Name": "QueueName", "Value": "q"}],
            EvaluationPeriods=1,
            MetricName="ApproximateNumberOfMessagesVisible",
            Namespace="AWS/SQS",
            Period=60,
            Statistic="Maximum",
            Threshold=version,
            TreatMissingData="notBreaching",
        ),
        "Dashboard": of(
            "CloudWatch::Dashboard",
            DashboardBody=json.dumps({"widgets": [], "version": version}),
            DashboardName="da",
        ),
    }


def kitchen(version: int) -> dict[str, Any]:
    """Return the resources of a version."""
    parts = (keys, table, bucket, messages, logs, roles, rules, functions, watching)
    return {name: each for part in parts for name, each in part(version).items()}
