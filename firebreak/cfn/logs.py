"""CloudWatch Logs at both ends: what is sent on, where to, and who may.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CrossAccountSubscriptions.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak import cfn
from firebreak.cfn import Value
from firebreak.cfn.policies import assumed_by, policy

ALERTS = '{ $.event.event_type = "alert" }'  # of Suricata's records; flows and others stay
GROUP_SHAPE = {
    "AllowedPattern": "[A-Za-z0-9_/.#-]{0,512}",
    "ConstraintDescription": "the name of a log group, or nothing",
}


def subscription(parameter: str, stage: str) -> Value:
    """Return the filter of a log group that a parameter names, without its destination."""
    return {
        "LogGroupName": {"Ref": parameter},
        "FilterName": cfn.names(stage).firewall_logs,
        "FilterPattern": ALERTS,
    }


def trusted(source_arns: Sequence[str]) -> Value:
    """Return the trust in CloudWatch Logs, for what is logged in some accounts and regions."""
    principal = {"Service": "logs.amazonaws.com"}
    condition = {"ArnLike": {"aws:SourceArn": list(source_arns)}}
    return policy(assumed_by("Logs", principal, condition))


def destination(stage: str) -> Value:
    """Return the destination of one region; its stream is in the home region.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CrossAccountSubscriptions-Kinesis.html
    """
    own = cfn.names(stage)
    stream = cfn.arn("kinesis", f"stream/{own.firewall_logs}", region="${HomeRegion}")
    role = cfn.role_arn(own.firewall_logs)
    return cfn.resource(
        "Logs::Destination",
        {
            "DestinationName": own.firewall_logs,
            "TargetArn": cfn.if_("InHomeRegion", {"Fn::GetAtt": ["Stream", "Arn"]}, stream),
            "RoleArn": cfn.if_("InHomeRegion", {"Fn::GetAtt": ["WriterRole", "Arn"]}, role),
            "DestinationPolicy": cfn.if_("FromOthers", _access(own.firewall_logs)),
        },
    )


def _access(name: str) -> Any:
    """Return who may subscribe, as the text that CloudFormation takes here instead of a policy."""
    where = cfn.arn("logs", f"destination:{name}")
    organization = _text(
        '{"AWS":"*"}',
        where,
        ',"Condition":{"StringEquals":{"aws:PrincipalOrgID":"${OrganizationId}"}}',
    )
    accounts = {"Fn::Sub": [_text('{"AWS":["${Ids}"]}', where, ""), {"Ids": _quoted("Accounts")}]}
    statements = [
        cfn.if_("InOrganization", {"Fn::Sub": organization}),
        cfn.if_("WithAccounts", accounts),
    ]
    joined = {"Fn::Join": [",", statements]}
    return {"Fn::Join": ["", ['{"Version":"2012-10-17","Statement":[', joined, "]}"]]}


def _text(principal: str, where: str, condition: str) -> str:
    return (
        f'{{"Effect":"Allow","Principal":{principal},"Action":"logs:PutSubscriptionFilter",'
        f'"Resource":"{where}"{condition}}}'
    )


def _quoted(parameter: str) -> Value:
    return {"Fn::Join": ['","', {"Ref": parameter}]}
