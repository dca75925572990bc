from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib import guardrails, reconciling
from chalicelib.actions import Action, actions
from chalicelib.aws import Place
from chalicelib.errors import Failed
from chalicelib.network_firewall import GUARD
from chalicelib.policy import Scope, reading_policy, session_policy
from firebreak.stage import Stage
from tests.worlds import MEMBER, world

AT_MOST = 1_600  # of AWS's 2,048 characters: what is packed beside the policy also counts
SCOPE = Scope(
    "aws-us-gov",
    "123456789012",
    "ap-southeast-2",
    "arn:aws-us-gov:sns:ap-southeast-2:123456789012:firebreak-nineteen-characters-notifications",
    "nineteen-characters",
)
LONGEST: dict[str, str] = {  # of each parameter that stands in an ARN, what AWS lets it be
    "arn": "arn:aws-us-gov:ec2:ap-southeast-2:123456789012:network-interface/eni-" + "0" * 100,
    "bucket": "b" * 63,
    "firewall_name": "f" * 128,
    "group_id": "sg-" + "0" * 17,
    "instance_id": "i-" + "0" * 17,
    "role_name": "r" * 64,
    "rule_group": "g" * 128,
    "user_name": "u" * 64,
}
AT_RESOURCE = {name: each for name, each in actions().items() if each.at == "resource"}


def templates(action: Action) -> list[str]:
    return [each.arn for touched in action.target.values() for each in touched]


def in_arns(action: Action) -> set[str]:
    """Return the parameters that an action's ARNs are made of."""
    names = {n for t in templates(action) for _, n, _, _ in string.Formatter().parse(t) if n}
    return names & set(action.params)


def policy(action: Action, **params: Any) -> list[dict[str, Any]]:
    """Return the statements of an action's session policy."""
    document = json.loads(session_policy(action, {**LONGEST, **params}, SCOPE))
    assert "2012-10-17" == document["Version"]
    statements: list[dict[str, Any]] = document["Statement"]
    return statements


@pytest.mark.parametrize("name", actions())
def test_a_session_policy_is_short_enough(name: str) -> None:
    """Whatever an action's parameters, its session policy stays well under what AWS takes."""
    action = actions()[name]

    assert in_arns(action) <= set(LONGEST)
    assert len(session_policy(action, LONGEST, SCOPE)) < AT_MOST


@pytest.mark.parametrize("name", AT_RESOURCE)
def test_a_session_policy_allows_what_is_declared(name: str) -> None:
    """Each permission that an action declares is in a statement, and nothing else is."""
    action = AT_RESOURCE[name]
    statements = policy(action)

    assert set(action.permissions) == {a for each in statements for a in each["Action"]}
    assert {"Allow"} == {each["Effect"] for each in statements}


@pytest.mark.parametrize("name", AT_RESOURCE)
def test_a_session_policy_is_bound_to_its_region(name: str) -> None:
    """What is regional is allowed in the step's region only."""
    for statement in policy(AT_RESOURCE[name]):
        services = {permission.partition(":")[0] for permission in statement["Action"]}
        asked = statement.get("Condition", {}).get("StringEquals", {}).get("aws:RequestedRegion")
        named = {arn.split(":")[3] for arn in statement["Resource"] if arn != "*"}
        bound = SCOPE.region == asked or {SCOPE.region} == named

        assert (services <= {"iam", "s3", "sts"}) != bound


NARROWED = [
    ("revoke_role_sessions", {"role_name": "web"}, "iam:PutRolePolicy", "iam::{a}:role/web"),
    ("deactivate_access_key", {"user_name": "joe"}, "iam:UpdateAccessKey", "iam::{a}:user/joe"),
    (
        "block_bucket_public_access",
        {"bucket": "shop"},
        "s3:PutBucketPublicAccessBlock",
        "s3:::shop",
    ),
    (
        "protect_from_termination",
        {"instance_id": "i-12345678"},
        "ec2:ModifyInstanceAttribute",
        "ec2:{r}:{a}:instance/i-12345678",
    ),
    (
        "revoke_open_ingress",
        {"group_id": "sg-12345678"},
        "ec2:RevokeSecurityGroupIngress",
        "ec2:{r}:{a}:security-group/sg-12345678",
    ),
]


@pytest.mark.parametrize(("name", "params", "permission", "arn"), NARROWED)
def test_a_session_policy_is_narrowed_to_its_target(
    name: str, params: dict[str, str], permission: str, arn: str
) -> None:
    """A step's session can change what the step is about; of users and roles the path is open."""
    (resources,) = [
        s["Resource"] for s in policy(actions()[name], **params) if permission in s["Action"]
    ]
    wanted = f"arn:{SCOPE.partition}:" + arn.format(a=SCOPE.account, r=SCOPE.region)

    assert wanted in [re.sub("(role|user)/[*]/?", r"\1/", each) for each in resources]
    assert "*" not in resources


WIDENING = ["*", "a*", "a?", "${aws:username}", "$", 'a"', "a b", "a\n", "a\\", "é", "\u2028", ""]


@pytest.mark.parametrize("value", WIDENING, ids=ascii)
@pytest.mark.parametrize(
    ("name", "parameter"),
    [(n, p) for n, each in AT_RESOURCE.items() for p in sorted(in_arns(each))],
)
def test_a_parameter_cannot_widen_a_policy(name: str, parameter: str, value: str) -> None:
    """A value with a wildcard, a variable or a quote in it, or with nothing, is refused."""
    with pytest.raises(Failed, match="cannot stand in an ARN"):
        policy(AT_RESOURCE[name], **{parameter: value})


@pytest.mark.parametrize("parameter", ["account", "region", "partition", "stage", "topic_arn"])
def test_a_parameter_cannot_move_a_policy(parameter: str) -> None:
    """Account, region and partition are those the step acts in, whatever its parameters are."""
    action = actions()["revoke_open_ingress"]
    moved = session_policy(action, {**LONGEST, parameter: "elsewhere"}, SCOPE)

    assert session_policy(action, LONGEST, SCOPE) == moved


def test_a_parameter_that_is_not_given_narrows_nothing() -> None:
    """Where the target is only found by looking, the policy holds for all of its kind."""
    (resources,) = [
        each["Resource"]
        for each in policy(actions()["revoke_role_sessions"], role_name=None)
        if "iam:PutRolePolicy" in each["Action"]
    ]

    assert ["*"] == resources


def test_a_policy_that_is_too_long_is_refused() -> None:
    """A policy that AWS would not take fails the step with its length, before AWS is asked."""
    with pytest.raises(Failed, match="characters, AWS takes 2,048"):
        policy(actions()["block_bucket_public_access"], bucket="b" * 2_048)


def test_the_same_step_has_the_same_policy() -> None:
    """A policy is the key of a cached session: its text does not vary."""
    for action in AT_RESOURCE.values():
        again = dict(reversed(LONGEST.items()))

        assert session_policy(action, LONGEST, SCOPE) == session_policy(action, again, SCOPE)


def test_what_only_reads_is_allowed_no_more() -> None:
    """Guardrails and finders open sessions in accounts that can change nothing."""
    for permissions in (guardrails.PERMISSIONS, reconciling.permissions()):
        document = json.loads(reading_policy(permissions, SCOPE.region))
        allowed = {action for each in document["Statement"] for action in each["Action"]}

        assert set(permissions) == allowed
        assert all(re.match("[a-z0-9-]+:(Describe|Get|List)", each) for each in allowed)


# --- what AWS makes of it -------------------------------------------------------------------------


class Session:
    """Calls as a step of an action would, in the session of its policy."""

    def __init__(self, stage: Stage, action: str, **params: Any) -> None:
        scope = Scope("aws", MEMBER, "us-east-1", stage.settings.topic_arn, "replay")
        self.place = Place(MEMBER, "us-east-1", session_policy(actions()[action], params, scope))
        self.access = stage.desk.access

    def tried(self, service: str, operation: str, **params: Any) -> str:
        """Return `ok`, or the code of the error."""
        try:
            getattr(self.access.client(self.place, service), operation)(**params)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "ok"


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Give a stage with the role in a member account."""
    with world() as made:
        made.admit_account(MEMBER)
        yield made


def group(stage: Stage, name: str, **tags: str) -> str:
    """Make a security group; return its id."""
    ec2 = stage.cloud.session(MEMBER).client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made: str = ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"]
    if tags:
        ec2.create_tags(Resources=[made], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
    return made


def test_isolating_touches_no_group_but_its_own(stage: Stage) -> None:
    """Rules of a group without Firebreak's tag are not changed, and no group is tagged later."""
    session = Session(stage, "isolate_instance", instance_id="i-0123456789abcdef0")
    own = group(stage, "own", **{"firebreak:fixture": "quarantine"})
    other = group(stage, "other", **{"firebreak:fixture": "blocklist"})
    rule = {"IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}

    for change in ("revoke_security_group_egress", "authorize_security_group_egress"):
        assert "UnauthorizedOperation" == session.tried("ec2", change, GroupId=other, **rule)
        assert "ok" == session.tried("ec2", change, GroupId=own, **rule)
    tag = {"Resources": [other], "Tags": [{"Key": "firebreak:fixture", "Value": "quarantine"}]}
    assert "UnauthorizedOperation" == session.tried("ec2", "create_tags", **tag)


def test_isolating_makes_no_group_but_its_own(stage: Stage) -> None:
    """A group is born with the tag that makes it Firebreak's, or not at all."""
    session = Session(stage, "isolate_instance", instance_id="i-0123456789abcdef0")
    ec2 = stage.cloud.session(MEMBER).client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    named = {"GroupName": "g", "Description": "d", "VpcId": vpc}
    tags = [{"Key": "firebreak:fixture", "Value": "quarantine"}]
    born = [{"ResourceType": "security-group", "Tags": tags}]

    assert "UnauthorizedOperation" == session.tried("ec2", "create_security_group", **named)
    assert "ok" == session.tried("ec2", "create_security_group", **named, TagSpecifications=born)


def test_blocking_writes_no_rule_group_but_its_own(stage: Stage) -> None:
    """A group of another name, or without the tag, is neither made nor changed."""
    session = Session(stage, "block_in_network_firewall", firewall_name="f", rule_group=None)
    client = stage.cloud.session(MEMBER).client("network-firewall")
    document = {"RulesSource": {"RulesString": GUARD}}

    def made(name: str, *tags: dict[str, str]) -> dict[str, Any]:
        given = {"RuleGroupName": name, "Type": "STATEFUL", "Capacity": 10, "RuleGroup": document}
        return given | ({"Tags": list(tags)} if tags else {})

    own, tag = "firebreak-replay-blocklist", {"Key": "firebreak:fixture", "Value": "x"}
    assert ACCESS_DENIED == session.tried("network-firewall", "create_rule_group", **made(own))
    assert ACCESS_DENIED == session.tried(
        "network-firewall", "create_rule_group", **made("other", tag)
    )
    assert "ok" == session.tried("network-firewall", "create_rule_group", **made(own, tag))
    client.create_rule_group(**made("firebreak-replay-blocklist-untagged"))
    client.create_rule_group(**made("other", tag))
    for name, said in (
        (own, "ok"),
        ("firebreak-replay-blocklist-untagged", ACCESS_DENIED),
        ("other", ACCESS_DENIED),
    ):
        shown = client.describe_rule_group(RuleGroupName=name, Type="STATEFUL")
        update = {"RuleGroupName": name, "Type": "STATEFUL", "RuleGroup": document}
        token = shown["UpdateToken"]
        assert said == session.tried(
            "network-firewall", "update_rule_group", **update, UpdateToken=token
        )


ACCESS_DENIED = "AccessDeniedException"


def test_a_group_that_a_step_names_is_the_only_one(stage: Stage) -> None:
    """Where the step names a rule group, its session cannot touch the usual one."""
    policies = policy(actions()["block_in_network_firewall"], rule_group="mine")
    (updated,) = [
        p["Resource"] for p in policies if "network-firewall:UpdateRuleGroup" in p["Action"]
    ]

    assert [arn for arn in updated if arn.endswith("stateful-rulegroup/mine")] == updated


def test_snapshots_are_tagged_as_they_are_made(stage: Stage) -> None:
    """A snapshot that exists is not tagged, whoever made it."""
    ec2 = stage.cloud.session(MEMBER).client("ec2")
    volume = ec2.create_volume(Size=1, AvailabilityZone="us-east-1a")["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    session = Session(stage, "snapshot_instance_volumes", instance_id="i-0123456789abcdef0")
    tag = {"Resources": [snapshot], "Tags": [{"Key": "k", "Value": "v"}]}

    assert "UnauthorizedOperation" == session.tried("ec2", "create_tags", **tag)


def test_a_region_in_the_arn_bounds_as_well(stage: Stage) -> None:
    """Where the ARNs name the region no condition has to; elsewhere nothing is allowed."""
    session = Session(stage, "protect_from_termination", instance_id="i-0123456789abcdef0")
    elsewhere = Place(MEMBER, "eu-west-1", session.place.policy)
    client = session.access.client(elsewhere, "ec2")

    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        client.modify_instance_attribute(
            InstanceId="i-0123456789abcdef0", DisableApiTermination={"Value": True}
        )
