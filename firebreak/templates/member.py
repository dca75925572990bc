"""What an account gives Firebreak: the role that it acts in, and its events.

One template for StackSets, for a single account, and for the security account itself; it can be
deployed in every region.
"""

from __future__ import annotations

from typing import Any

from chalicelib import grants
from chalicelib.settings import forwarding_role, forwarding_rule
from firebreak import cfn, iam
from firebreak.cfn import REGION, Value, queues
from firebreak.cfn.policies import assumed_by, assumed_by_service, may, policy
from firebreak.cfn.sources import pattern
from firebreak.templates import Wanted

SUMMARY = (
    "Firebreak: what an account gives it. The role that it acts in is made in the home region "
    "alone; every region forwards its events in a role of its own, so their order does not matter."
)
HOME = "${HomeAccount}"
HOUR = 3_600  # seconds: the longest that a role's session may be which a role asks for
DAY = 86_400
MOST_ATTEMPTS = 185  # that EventBridge makes


def template(wanted: Wanted) -> dict[str, Any]:
    """Return the template of the member role and of the forwarding of events."""
    stage = wanted.stage
    at_home = {"Fn::Equals": [{"Ref": "AWS::AccountId"}, {"Ref": "HomeAccount"}]}
    return cfn.template(
        SUMMARY,
        {
            "Boundary": _boundary(stage),
            "MemberRole": _member_role(stage),
            "ForwardingRole": _forwarding_role(stage),
            **_forwarding(stage),
        },
        parameters=_parameters(stage),
        conditions={
            "InHomeRegion": {"Fn::Equals": [{"Ref": "AWS::Region"}, {"Ref": "HomeRegion"}]},
            # Where the functions run their bus is the account's own: it would forward to itself.
            "Forwards": {"Fn::Not": [{"Fn::And": [{"Condition": "InHomeRegion"}, at_home]}]},
            "InOrganization": cfn.given("OrganizationId"),
            "TrustsOthers": cfn.some_given("AlsoTrusted"),
        },
    )


def _parameters(stage: str) -> dict[str, Value]:
    return {
        "HomeAccount": cfn.parameter(
            "The id of the security account, in which Firebreak's functions run.",
            **cfn.ACCOUNT_SHAPE,
        ),
        "HomeRegion": cfn.parameter(
            "The region in which Firebreak's functions run. The roles are made there.",
            **cfn.REGION_SHAPE,
        ),
        "ExternalId": cfn.parameter(
            "What Firebreak says when it assumes the role: its FIREBREAK_EXTERNAL_ID.",
            cfn.names(stage).external_id,
            MinLength=2,
            MaxLength=1224,
            AllowedPattern=r"[A-Za-z0-9+=,.@:/_-]*",
            ConstraintDescription="letters, digits and + = , . @ : / _ -",
        ),
        "OrganizationId": cfn.parameter(
            "The id of the organisation that the security account has to be in. Empty: any.",
            "",
            **cfn.ORGANIZATION_SHAPE,
        ),
        "AlsoTrusted": cfn.parameter(
            "ARN patterns of roles and users of the security account that may assume the role "
            "too, with commas: people who plan roll-backs. Empty: nobody.",
            "",
            Type="CommaDelimitedList",
        ),
    }


def _boundary(stage: str) -> Value:
    return cfn.resource(
        "IAM::ManagedPolicy",
        {
            "ManagedPolicyName": f"{cfn.names(stage).member_role}-boundary",
            "Description": f"Firebreak {stage}: more than this its member role can never do",
            "PolicyDocument": iam.member_boundary(iam.pseudo(stage)),
        },
        Condition="InHomeRegion",
    )


def _member_role(stage: str) -> Value:
    return cfn.resource(
        "IAM::Role",
        {
            "RoleName": cfn.names(stage).member_role,
            "Description": f"Firebreak {stage}: contains incidents in this account",
            "MaxSessionDuration": HOUR,
            "PermissionsBoundary": {"Ref": "Boundary"},
            "AssumeRolePolicyDocument": _trust(stage),
            "Policies": [
                {"PolicyName": "member", "PolicyDocument": iam.member_policy(iam.pseudo(stage))}
            ],
        },
        Condition="InHomeRegion",
    )


def _trust(stage: str) -> Value:
    """Return who may assume the member role: no role is a principal, so none has to be there yet.

    A trust in a role is one in that role's id, which is another when it is made again; a trust in
    the account, on condition of the ARN, is not.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    functions = [cfn.function_role_arn(stage, function, HOME) for function in grants.assuming()]
    people = assumed_by("People", *_home({"Ref": "AlsoTrusted"}))
    return policy(
        assumed_by("Functions", *_home(functions)),
        cfn.if_("TrustsOthers", people),
    )


def _home(principals: Any) -> tuple[Value, Value]:
    """Return the principal and the condition that it is one of these of the security account."""
    strings = {
        "sts:ExternalId": {"Ref": "ExternalId"},
        "aws:PrincipalOrgID": cfn.if_("InOrganization", {"Ref": "OrganizationId"}),
    }
    condition = {"ArnLike": {"aws:PrincipalArn": principals}, "StringEquals": strings}
    return {"AWS": cfn.root(HOME)}, condition


def _forwarding_role(stage: str) -> Value:
    """Return the role of one region: another region's would have to be there before the rule is.

    EventBridge takes no target whose role it cannot assume, and StackSets deploys to an account
    that joins in no order that could be asked for.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackSetOperationPreferences.html
    """
    rule = cfn.arn("events", f"rule/{forwarding_rule(stage)}")
    bus = cfn.arn("events", "event-bus/default", region="${HomeRegion}", account=HOME)
    return cfn.resource(
        "IAM::Role",
        {
            "RoleName": forwarding_role(stage, REGION),
            "Description": f"Firebreak {stage}: hands this account's events to it",
            "AssumeRolePolicyDocument": policy(assumed_by_service("events.amazonaws.com", rule)),
            "Policies": [
                {
                    "PolicyName": "forwarding",
                    "PolicyDocument": policy(may("Forward", "events:PutEvents", bus)),
                }
            ],
        },
        Condition="Forwards",
    )


def _forwarding(stage: str) -> dict[str, Value]:
    """Return the rule, and the queue of what it cannot hand over.

    The queue has no alarm: Firebreak's reconciler finds findings that never came.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
    """
    name = forwarding_rule(stage)
    rule = cfn.arn("events", f"rule/{name}")
    queue = {
        "QueueName": name,
        "MessageRetentionPeriod": queues.KEPT,
        "SqsManagedSseEnabled": True,
    }
    return {
        "Undelivered": cfn.resource("SQS::Queue", queue, Condition="Forwards"),
        "UndeliveredPolicy": queues.queue_policy("Undelivered", [rule], Condition="Forwards"),
        "ForwardingRule": cfn.resource(
            "Events::Rule",
            {
                "Name": name,
                "Description": f"Firebreak {stage}: forwards to the security account",
                "State": "ENABLED",
                "EventPattern": pattern(),
                "Targets": [_target()],
            },
            Condition="Forwards",
        ),
    }


def _target() -> Value:
    return {
        "Id": "firebreak",
        "Arn": cfn.arn("events", "event-bus/default", region="${HomeRegion}", account=HOME),
        "RoleArn": {"Fn::GetAtt": ["ForwardingRole", "Arn"]},
        "DeadLetterConfig": {"Arn": "${Undelivered.Arn}"},
        "RetryPolicy": {"MaximumEventAgeInSeconds": DAY, "MaximumRetryAttempts": MOST_ATTEMPTS},
    }
