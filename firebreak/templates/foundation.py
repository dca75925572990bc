"""What the functions of a stage stand on: topic, queues, log groups, machines' role, bus policy."""

from __future__ import annotations

from typing import Any

from chalicelib.grants import only_from
from chalicelib.settings import machine_role
from firebreak import cfn, iam
from firebreak.cfn import Value, queues
from firebreak.cfn.policies import allow, assumed_by_service, for_source, policy, tls_only
from firebreak.cfn.sources import FORWARDED
from firebreak.templates import Wanted

SUMMARY = "Firebreak: what the functions of a stage stand on."


def template(wanted: Wanted) -> dict[str, Any]:
    """Return the template of topic, queues, log groups, role and bus policy."""
    stage = wanted.stage
    return cfn.template(
        SUMMARY,
        {
            **_topic(stage),
            **queues.both(stage),
            **_log_groups(wanted),
            "MachineRole": _machine_role(stage),
            **_bus(stage),
        },
        parameters={
            "NotifyEmail": cfn.parameter(
                "An address that is told of findings, questions and alarms; it has to confirm. "
                "Empty: none; subscribe to the topic in another way.",
                "",
                AllowedPattern=r"|[^@\s]+@[^@\s]+",
                ConstraintDescription="an e-mail address, or nothing",
            ),
            "OrganizationId": cfn.parameter(
                "The id of the organisation whose accounts' events are taken. Empty: of none.",
                "",
                **cfn.ORGANIZATION_SHAPE,
            ),
            "Accounts": cfn.parameter(
                "Ids of accounts outside the organisation whose events are taken, with commas.",
                "",
                Type="CommaDelimitedList",
            ),
        },
        conditions={
            "Notifies": cfn.given("NotifyEmail"),
            "InOrganization": cfn.given("OrganizationId"),
            "WithAccounts": cfn.some_given("Accounts"),
        },
    )


def _topic(stage: str) -> dict[str, Value]:
    own = cfn.names(stage)
    topic = own.topic_arn
    alarms = cfn.arn("cloudwatch", f"alarm:firebreak-{stage}-*")
    return {
        "Notifications": cfn.resource(
            "SNS::Topic",
            {"TopicName": topic.rpartition(":")[2], "KmsMasterKeyId": own.stage_key},
        ),
        "NotificationsPolicy": cfn.resource(
            "SNS::TopicPolicy",
            {
                "Topics": [{"Ref": "Notifications"}],
                "PolicyDocument": policy(
                    allow(
                        "Alarms",
                        {"Service": "cloudwatch.amazonaws.com"},
                        "sns:Publish",
                        topic,
                        for_source(alarms),
                    ),
                    tls_only("sns:Publish", topic),
                ),
            },
        ),
        "NotificationsEmail": cfn.resource(
            "SNS::Subscription",
            {
                "TopicArn": {"Ref": "Notifications"},
                "Protocol": "email",
                "Endpoint": {"Ref": "NotifyEmail"},
            },
            Condition="Notifies",
        ),
    }


def _log_groups(wanted: Wanted) -> dict[str, Value]:
    """Return a log group per function, before Lambda makes one that is kept for ever."""
    return {
        f"{cfn.logical(function)}Logs": cfn.resource(
            "Logs::LogGroup",
            {
                "LogGroupName": f"/aws/lambda/{name}",
                "RetentionInDays": wanted.retention_days,
                "KmsKeyId": cfn.imported(wanted.stage, "key"),
            },
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Retain",
        )
        for function, name in cfn.functions(wanted.stage).items()
    }


def _machine_role(stage: str) -> Value:
    machines = cfn.names(stage).state_machine_arn("*")
    return cfn.resource(
        "IAM::Role",
        {
            "RoleName": machine_role(stage),
            "Description": f"Firebreak {stage}: what its state machines may do",
            "AssumeRolePolicyDocument": policy(
                assumed_by_service("states.amazonaws.com", machines)
            ),
            "Policies": [
                {"PolicyName": "machines", "PolicyDocument": iam.machine_policy(iam.pseudo(stage))}
            ],
        },
    )


def _bus(stage: str) -> dict[str, Value]:
    """Return who may put what on the account's bus, besides the account itself.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html
    """
    organization = {"StringEquals": {"aws:PrincipalOrgID": {"Ref": "OrganizationId"}}}
    accounts = {"AWS": {"Ref": "Accounts"}}
    return {
        "OrganizationEvents": _bus_policy(
            f"firebreak-{stage}", "InOrganization", {"AWS": "*"}, organization
        ),
        "AccountEvents": _bus_policy(f"firebreak-{stage}-accounts", "WithAccounts", accounts, {}),
    }


def _bus_policy(identity: str, condition: str, principal: Value, also: Value) -> Value:
    bus = cfn.arn("events", "event-bus/default")
    statement = allow("", principal, "events:PutEvents", bus, {**only_from(*FORWARDED), **also})
    return cfn.resource(
        "Events::EventBusPolicy",
        {"StatementId": identity, "EventBusName": "default", "Statement": statement},
        Condition=condition,
    )
