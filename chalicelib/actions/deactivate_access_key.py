"""Stop a long-term access key from being used."""

from __future__ import annotations

from chalicelib import iam
from chalicelib.actions import action
from chalicelib.effect import Call, Change, Effects, Reader
from chalicelib.errors import NotApplicable, Refused
from chalicelib.parameters import ACCESS_KEY_ID, USER_NAME

# With and without a path: no name that merely ends the same.
USER = (
    "arn:{partition}:iam::{account}:user/{user_name}",
    "arn:{partition}:iam::{account}:user/*/{user_name}",
)
SURVIVES = (
    "sessions that were begun with the key (GetSessionToken, GetFederationToken: up to 36 hours)",
    "roles that were assumed with the key (revoke_role_sessions)",
    "other keys, the console password, and whatever was created with the key",
)


@action(
    params={"access_key_id": ACCESS_KEY_ID, "user_name": USER_NAME},
    permissions=(
        "iam:GetUser",
        "iam:ListAccessKeys",
        "iam:GetAccessKeyLastUsed",
        "iam:GetLoginProfile",
        "iam:UpdateAccessKey",
    ),
    facts=("user_arn", "last_used", "other_active_keys", "console_access", "survives"),
    target={"*": USER, "iam:GetAccessKeyLastUsed": ("*",)},
)
def deactivate_access_key(aws: Reader, access_key_id: str, user_name: str) -> Effects:
    """Set a long-term access key of an IAM user to Inactive; undo gives it its former status.

    What survives: sessions begun with the key (aws:TokenIssueTime is in temporary credentials
    only, so revoking does nothing to the key, and the reverse), the user's other keys and password;
    they are in the facts. Not applicable: the key is gone, expired or another user's. Refused: a
    temporary key (`temporary_credentials`), a responder's key (`responder`). The root user's keys
    have no user name, so they are not applicable either.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html
    """
    if access_key_id.startswith("ASIA"):
        raise Refused(
            "temporary_credentials",
            f"{access_key_id} is temporary and has no status: for a role use revoke_role_sessions",
        )
    arn = iam.user_arn(aws, user_name)
    iam.refuse_responder(aws, arn)
    status = iam.access_key_status(user_name=user_name, access_key_id=access_key_id)
    before = aws.look(status)
    if before == "Expired":
        raise NotApplicable(f"access key {access_key_id} has expired: it cannot be used")
    keys = iam.access_keys(aws, user_name)
    facts = {
        "user_arn": arn,
        "last_used": iam.last_used(aws, access_key_id),
        "other_active_keys": sorted(
            each for each in keys if each != access_key_id and keys[each] == "Active"
        ),
        "console_access": iam.has_console_password(aws, user_name),
        "survives": list(SURVIVES),
    }
    yield Change(
        status,
        want="Inactive",
        do=_update(user_name, access_key_id, "Inactive"),
        undo=_update(user_name, access_key_id, before),
    )
    return facts


def _update(user_name: str, access_key_id: str, status: str) -> Call:
    return Call(
        "iam",
        "update_access_key",
        UserName=user_name,
        AccessKeyId=access_key_id,
        Status=status,
    )
