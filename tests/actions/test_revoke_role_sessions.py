"""The sessions a role has out are ended, for as long as they could live."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from chalicelib.effect import holds_placeholder
from chalicelib.iam import INLINE_QUOTA, LONGEST_SESSION, REVOKING_POLICY, revoking
from firebreak.cloud import Cloud
from firebreak.stage import staged
from tests.actions.drive import ACCOUNT, Bench, applied, planned
from tests.worlds import DESK

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
ALLOW = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}
EARLIER, LATER = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


def make_role(session: boto3.Session, name: str = "web", path: str = "/app/") -> None:
    """Make a role with an inline policy of its own."""
    iam = session.client("iam")
    iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=TRUST)
    put_policy(session, "own", ALLOW, name)


def put_policy(
    session: boto3.Session, policy: str, document: dict[str, Any], name: str = "web"
) -> None:
    """Put an inline policy on a role."""
    session.client("iam").put_role_policy(
        RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document, indent=1)
    )


def fresh(session: boto3.Session) -> dict[str, Any]:
    """Make a role whose sessions were never revoked."""
    make_role(session)
    return {"role_name": "web"}


def revoked_before(session: boto3.Session) -> dict[str, Any]:
    """Make a role with a cut-off of an earlier remediation."""
    make_role(session)
    put_policy(session, REVOKING_POLICY, revoking(EARLIER))
    return {"role_name": "web"}


def revoked_later(session: boto3.Session) -> dict[str, Any]:
    """Make a role with a cut-off later than now, which satisfies every wish."""
    make_role(session)
    put_policy(session, REVOKING_POLICY, revoking(LATER))
    return {"role_name": "web"}


def by_profile(session: boto3.Session) -> dict[str, Any]:
    """Make a role in an instance profile with another name, which is all a finding tells."""
    make_role(session)
    iam = session.client("iam")
    shown = iam.create_instance_profile(InstanceProfileName="web-servers", Path="/app/")
    iam.add_role_to_instance_profile(InstanceProfileName="web-servers", RoleName="web")
    return {"profile_arn": shown["InstanceProfile"]["Arn"]}


SCENES: dict[str, Callable[[boto3.Session], dict[str, Any]]] = {
    "fresh": fresh,
    "revoked before": revoked_before,
    "by profile": by_profile,
}


def policies(session: boto3.Session, name: str = "web") -> dict[str, Any]:
    """Return the inline policies of a role."""
    iam = session.client("iam")
    names = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return {
        each: iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
        for each in names
    }


def cut_off(session: boto3.Session) -> str:
    """Return the cut-off in Firebreak's policy, which must be the only thing in it."""
    (statement,) = policies(session)[REVOKING_POLICY]["Statement"]
    assert ("Deny", ["*"], ["*"]) == (
        statement["Effect"],
        statement["Action"],
        statement["Resource"],
    )
    return str(statement["Condition"]["DateLessThan"]["aws:TokenIssueTime"])


def test_older_sessions_are_denied_everything(account: boto3.Session) -> None:
    """The role gets a policy with now as the cut-off, and keeps its own policies."""
    run = applied("revoke_role_sessions", account, **fresh(account))

    assert ("done", ["iam:put_role_policy"]) == (run.status, run.calls)
    assert EARLIER < cut_off(account) == run.facts["cut_off"] < LATER
    assert ALLOW == policies(account)["own"]
    assert ("web", True) == (
        run.facts["role_name"],
        run.facts["role_arn"].endswith(":role/app/web"),
    )
    assert 3 == len(run.facts["survives"])


@pytest.mark.parametrize(("scene", "before"), [(fresh, None), (revoked_before, EARLIER)])
def test_undo_restores_the_cut_off_that_was_there(
    account: boto3.Session, scene: Callable[[boto3.Session], dict[str, Any]], before: str | None
) -> None:
    """Undo removes the policy, or writes the earlier cut-off again."""
    run = applied("revoke_role_sessions", account, **scene(account))
    document = {} if before is None else {REVOKING_POLICY: revoking(before)}

    (change,) = run.changes
    assert before == change["before"]
    assert REVOKING_POLICY in json.dumps(change["undo"], default=str)
    run.undo()

    assert {"own": ALLOW} | document == policies(account)


def test_a_later_cut_off_is_enough(account: boto3.Session) -> None:
    """A cut-off that is later already is neither moved back nor written again."""
    run = applied("revoke_role_sessions", account, **revoked_later(account))

    assert ("done", []) == (run.status, run.calls)
    assert LATER == cut_off(account) == run.facts["cut_off"]


def test_the_role_behind_an_instance_profile(account: boto3.Session) -> None:
    """A finding about an instance names the profile only; its role is looked up."""
    run = applied("revoke_role_sessions", account, **by_profile(account))

    assert ("done", "web") == (run.status, run.facts["role_name"])
    assert REVOKING_POLICY in policies(account)


def test_a_plan_writes_no_policy(account: boto3.Session) -> None:
    """The cut-off of a plan is not known yet, and nothing is written."""
    run = planned("revoke_role_sessions", account, **fresh(account))

    (item,) = run.items
    assert [] == run.calls
    assert "put_role_policy" == item["call"]["operation"]
    assert item["want"] in item["call"]["params"]["PolicyDocument"]
    assert holds_placeholder(item["want"])
    assert {"own": ALLOW} == policies(account)


def test_undo_waits_as_long_as_a_session_may_last() -> None:
    """Twelve hours: a role's own limit may have been lowered, and does not bind instances."""
    assert 12 * 3600 == LONGEST_SESSION


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({}, "no profile"),
        ({"role_name": "gone"}, "role gone does not exist"),
        ({"profile_arn": "arn:aws:iam::222233334444:instance-profile/gone"}, "gone"),
        ({"profile_arn": "arn:aws:iam::222233334444:instance-profile/x/empty"}, "holds no role"),
    ],
)
def test_nothing_to_act_on(account: boto3.Session, params: dict[str, Any], reason: str) -> None:
    """No profile, an empty one, or one or a role that is gone: not applicable."""
    account.client("iam").create_instance_profile(InstanceProfileName="empty", Path="/x/")

    run = applied("revoke_role_sessions", account, **params)

    assert ("not_applicable", []) == (run.status, run.calls)
    assert reason in run.reason


def test_a_service_linked_role_is_refused(account: boto3.Session) -> None:
    """A role of an AWS service cannot be edited, so its sessions cannot be revoked."""
    made = account.client("iam").create_service_linked_role(
        AWSServiceName="guardduty.amazonaws.com"
    )

    run = applied("revoke_role_sessions", account, role_name=made["Role"]["RoleName"])

    assert ("refused", []) == (run.status, run.calls)
    assert "service_linked_role" in run.reason


def test_an_identity_center_role_is_refused(account: boto3.Session) -> None:
    """A role of Identity Center is changed there and nowhere else."""
    name = "AWSReservedSSO_Admin_0123456789abcdef"
    make_role(account, name, "/aws-reserved/sso.amazonaws.com/eu-west-1/")

    run = applied("revoke_role_sessions", account, role_name=name)

    assert ("refused", []) == (run.status, run.calls)
    assert "identity_center_role" in run.reason
    assert "Identity Center" in run.reason


def test_a_full_role_is_refused(account: boto3.Session) -> None:
    """A role whose inline policies leave no room is told, before AWS says LimitExceeded."""
    make_role(account)
    resources = [f"arn:aws:s3:::bucket-{index:04}/*" for index in range(345)]
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": resources}
    put_policy(account, "large", {"Version": "2012-10-17", "Statement": [statement]})

    run = applied("revoke_role_sessions", account, role_name="web")

    assert ("refused", []) == (run.status, run.calls)
    assert "policy_quota" in run.reason
    assert str(INLINE_QUOTA) in run.reason


def test_a_policy_that_somebody_edited_is_refused(account: boto3.Session) -> None:
    """A policy of Firebreak's name with other content is not overwritten."""
    make_role(account)
    edited = {**revoking(EARLIER), "Id": "mine"}
    put_policy(account, REVOKING_POLICY, edited)

    run = applied("revoke_role_sessions", account, role_name="web")

    assert ("refused", []) == (run.status, run.calls)
    assert "policy_differs" in run.reason
    assert edited == policies(account)[REVOKING_POLICY]


def test_a_responder_is_refused() -> None:
    """Firebreak does not lock out those who respond, nor itself."""
    pattern = {"FIREBREAK_RESPONDERS": "web"}
    with Cloud() as cloud, staged(cloud, {}, pattern, trusted=DESK) as stage:
        stage.admit_account(ACCOUNT)
        Bench.stage = stage
        account = cloud.session(ACCOUNT)

        run = applied("revoke_role_sessions", account, **by_profile(account))

    assert ("refused", []) == (run.status, run.calls)
    assert "responder" in run.reason
