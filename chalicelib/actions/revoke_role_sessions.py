"""End the sessions that a role has out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib import iam
from chalicelib.actions import action
from chalicelib.effect import Change, Effects, Reader
from chalicelib.errors import NotApplicable, Refused
from chalicelib.parameters import ROLE_NAME

PROFILE_ARN = {
    "type": ["string", "null"],
    "pattern": r"^arn:[a-z0-9-]+:iam::[0-9]{12}:[A-Za-z0-9+=,.@_/-]+(?!\n)$",
    "maxLength": 700,
    "default": None,
    "description": "ARN of the instance profile whose role is meant; used without a role_name",
}
# With and without a path: no name that merely ends the same.
ROLE = (
    "arn:{partition}:iam::{account}:role/{role_name}",
    "arn:{partition}:iam::{account}:role/*/{role_name}",
)
ON_ROLE = (
    "iam:GetRole",
    "iam:ListRolePolicies",
    "iam:GetRolePolicy",
    "iam:PutRolePolicy",
    "iam:DeleteRolePolicy",
)
TAKES_EFFECT = "within seconds to minutes, as IAM spreads the change"
SURVIVES = (
    "new sessions: whoever may assume the role can do so again (trust policy, source key)",
    "instances with the role get new credentials (IMDS): isolate them, change their profile",
    "long-term access keys of users (deactivate_access_key)",
)


@action(
    params={
        "role_name": {**ROLE_NAME, "type": ["string", "null"], "default": None},
        "profile_arn": PROFILE_ARN,
    },
    permissions=("iam:GetInstanceProfile", *ON_ROLE),
    facts=("role_name", "role_arn", "cut_off", "takes_effect", "survives"),
    target={
        "*": ROLE,
        "iam:GetInstanceProfile": ("arn:{partition}:iam::{account}:instance-profile/*",),
    },
)
def revoke_role_sessions(aws: Reader, role_name: str | None, profile_arn: str | None) -> Effects:
    """Deny everything to the sessions of a role that were issued before now, good ones included.

    The role is `role_name`, or else the one in the instance profile `profile_arn`. It gets an
    inline policy of Firebreak's own. What survives is in the facts: sessions issued later. Refused:
    service-linked roles, roles of Identity Center, responders' roles, a role whose inline policies
    leave no room (`policy_quota`), or that has a policy of this name with other content
    (`policy_differs`). Undo restores the cut-off that was there before, or none, but not within the
    12 hours that a session may last, since the stolen ones would live again.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
    """
    name = role_name or _role_of_profile(aws, profile_arn)
    role = iam.role(aws, name)
    _refuse_unchangeable(aws, role)
    probe = iam.sessions_cut_off(role_name=name)
    before = aws.look(probe)
    _refuse_policies(aws, name, before)
    now = aws.now()
    cut_off = yield Change(
        probe,
        want=now,
        do=iam.put_cut_off(name, now),
        undo=iam.put_cut_off(name, before) if before else iam.remove_cut_off(name),
        not_undone_before=iam.LONGEST_SESSION,
    )
    return {
        "role_name": name,
        "role_arn": role["Arn"],
        "cut_off": cut_off,
        "takes_effect": TAKES_EFFECT,
        "survives": list(SURVIVES),
    }


def _role_of_profile(aws: Reader, profile_arn: str | None) -> str:
    if profile_arn is None:
        raise NotApplicable("the instance has no profile, and no role is named")
    if profile_arn.split(":")[:5] != ["arn", aws.partition, "iam", "", aws.account]:
        raise NotApplicable(f"instance profile {profile_arn} is not of account {aws.account}")
    return iam.role_of_profile(aws, profile_arn.rpartition("/")[2])


def _refuse_unchangeable(aws: Reader, role: Mapping[str, Any]) -> None:
    name, path = role["RoleName"], role["Path"]
    if path.startswith("/aws-service-role/"):
        raise Refused(
            "service_linked_role", f"{name} belongs to an AWS service; IAM cannot edit it"
        )
    if path.startswith("/aws-reserved/") or name.startswith("AWSReservedSSO_"):
        raise Refused(
            "identity_center_role",
            f"{name} is made by IAM Identity Center: end the sessions and change the permission"
            " set there",
        )
    iam.refuse_responder(aws, role["Arn"])


def _refuse_policies(aws: Reader, role_name: str, before: str | None) -> None:
    if before == iam.DIFFERS:
        raise Refused(
            "policy_differs",
            f"the policy {iam.REVOKING_POLICY} of role {role_name} is not as Firebreak writes it:"
            " remove it or give it another name",
        )
    others = iam.inline_policies(aws, role_name)
    others.pop(iam.REVOKING_POLICY, None)
    needed = iam.size([*others.values(), iam.revoking("2000-01-01T00:00:00Z")])
    if needed > iam.INLINE_QUOTA:
        raise Refused(
            "policy_quota",
            f"the inline policies of role {role_name} would have {needed} characters, IAM takes"
            f" {iam.INLINE_QUOTA}: move some to a managed policy",
        )
