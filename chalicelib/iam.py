"""What several actions read of IAM: users and their keys, roles and the sessions they have out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.effect import JSON, Call, Reader, canonical_text, probe
from chalicelib.errors import NotApplicable, Refused
from chalicelib.gone import gone, is_code

SETTLES = 15  # seconds for which IAM, made for reading, may still show what was before a change
ABSENT = "NoSuchEntity"

# Firebreak's own name: the console's AWSRevokeOlderSessions stays the one of whoever pressed it.
REVOKING_POLICY = "FirebreakRevokeOlderSessions"
DIFFERS = "(not what Firebreak writes)"  # sorts before every time, so it satisfies no cut-off
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

# A session lasts at most 12 hours. The role's own MaxSessionDuration may have been lowered since it
# began, and does not bind the credentials of EC2 instances (IAM API reference, UpdateRole).
LONGEST_SESSION = 43_200

# Characters other than white space in all inline policies of a role together; not adjustable.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
INLINE_QUOTA = 10_240


def refuse_responder(aws: Reader, arn: str) -> None:
    """Raise Refused for those who respond to incidents: Firebreak must not lock them or itself out.

    Responders are ARNs of users and roles, with or without their path, or plain names of roles;
    all may hold wildcards.
    """
    kind, _, path = arn.partition("/")
    name = path.rpartition("/")[2]
    known_as = {arn, f"{kind}/{name}"} | ({name} if kind.endswith(":role") else set())
    for pattern in aws.responders:
        if any(fnmatchcase(each, pattern) for each in known_as):
            raise Refused("responder", f"{arn} is one of the responders ({pattern})")


# --- users ----------------------------------------------------------------------------------------


def user_arn(aws: Reader, user_name: str) -> str:
    """Return the ARN of a user. Raise NotApplicable once the user is gone."""
    with gone(f"user {user_name}", ABSENT):
        return str(aws.read("iam", "get_user", UserName=user_name)["User"]["Arn"])


def access_keys(aws: Reader, user_name: str) -> dict[str, str]:
    """Return the status of each access key of a user by id."""
    with gone(f"user {user_name}", ABSENT):
        keys = aws.pages("iam", "list_access_keys", "AccessKeyMetadata", UserName=user_name)
    return {each["AccessKeyId"]: each["Status"] for each in keys}


@probe("iam:access-key:{access_key_id}", settles=SETTLES, scope="account")
def access_key_status(aws: Reader, *, user_name: str, access_key_id: str) -> JSON:
    """Return the status of an access key: Active, Inactive or Expired."""
    status = access_keys(aws, user_name).get(access_key_id)
    if status is None:
        raise NotApplicable(f"user {user_name} has no access key {access_key_id} (any more)")
    return status


def last_used(aws: Reader, access_key_id: str) -> dict[str, JSON] | None:
    """Return when, where and for which service an access key was last used; None if never."""
    used = aws.read("iam", "get_access_key_last_used", AccessKeyId=access_key_id)
    shown = used["AccessKeyLastUsed"]
    if "LastUsedDate" not in shown:
        return None
    moment = shown["LastUsedDate"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"at": moment, "service": shown["ServiceName"], "region": shown["Region"]}


def has_console_password(aws: Reader, user_name: str) -> bool:
    """Say whether a user can sign in to the console with a password."""
    try:
        aws.read("iam", "get_login_profile", UserName=user_name)
    except ClientError as error:
        if is_code(error, ABSENT):
            return False
        raise
    return True


# --- roles ----------------------------------------------------------------------------------------


def role(aws: Reader, role_name: str) -> dict[str, Any]:
    """Return the role as GetRole shows it. Raise NotApplicable once it is gone."""
    with gone(f"role {role_name}", ABSENT):
        return dict(aws.read("iam", "get_role", RoleName=role_name)["Role"])


def role_of_profile(aws: Reader, profile_name: str) -> str:
    """Return the name of the role in an instance profile. Raise NotApplicable without one."""
    with gone(f"instance profile {profile_name}", ABSENT):
        shown = aws.read("iam", "get_instance_profile", InstanceProfileName=profile_name)
    for each in shown["InstanceProfile"]["Roles"]:
        return str(each["RoleName"])
    raise NotApplicable(f"instance profile {profile_name} holds no role")


def inline_policies(aws: Reader, role_name: str) -> dict[str, Mapping[str, JSON]]:
    """Return the inline policies of a role by name."""
    names: list[Any] = aws.pages("iam", "list_role_policies", "PolicyNames", RoleName=role_name)
    return {name: _inline_policy(aws, role_name, name) for name in names}


def size(policies: Iterable[Mapping[str, JSON]]) -> int:
    """Return the size of policies as IAM counts it: without white space."""
    return sum(len("".join(canonical_text(each).split())) for each in policies)


def _inline_policy(aws: Reader, role_name: str, policy_name: str) -> Mapping[str, JSON]:
    found = aws.read("iam", "get_role_policy", RoleName=role_name, PolicyName=policy_name)
    return dict(found["PolicyDocument"])


# --- the cut-off of a role's sessions -------------------------------------------------------------


@probe("iam:role-sessions-cut-off:{role_name}", order="at_least", settles=SETTLES, scope="account")
def sessions_cut_off(aws: Reader, *, role_name: str) -> JSON:
    """Return the time before which the role's sessions are denied everything, None without one."""
    try:
        policy = _inline_policy(aws, role_name, REVOKING_POLICY)
    except ClientError as error:
        if not is_code(error, ABSENT):
            raise
        role(aws, role_name)
        return None
    text = canonical_text(policy)
    moment = MOMENT.search(text)
    ours = moment is not None and text == canonical_text(revoking(moment[0]))
    return moment[0] if moment and ours else DIFFERS


def revoking(cut_off: str) -> dict[str, JSON]:
    """Return the policy that denies everything to sessions issued before a time.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
    """
    statement = {
        "Effect": "Deny",
        "Action": ["*"],
        "Resource": ["*"],
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": cut_off}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def put_cut_off(role_name: str, cut_off: str) -> Call:
    """Return the call that denies everything to the role's sessions issued before a time."""
    return Call(
        "iam",
        "put_role_policy",
        RoleName=role_name,
        PolicyName=REVOKING_POLICY,
        PolicyDocument=canonical_text(revoking(cut_off)),
    )


def remove_cut_off(role_name: str) -> Call:
    """Return the call that lets the role's older sessions live again."""
    return Call("iam", "delete_role_policy", RoleName=role_name, PolicyName=REVOKING_POLICY)
