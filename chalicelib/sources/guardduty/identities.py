"""Whose credentials were used: the access key, and the user, role or root behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chalicelib.finding import Resource
from chalicelib.sources.guardduty.parts import known

# The kind of resource behind a user type; any other type is a `principal`.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
BEHIND: Mapping[str, str] = {
    "IAMUser": "iam_user",
    "AssumedRole": "iam_role",
    "Role": "iam_role",
    "Root": "root",
}
LONG_TERM: Mapping[str, bool] = {"AKIA": True, "ASIA": False}


@dataclass(frozen=True, slots=True)
class Caller:
    """Hold who called in which account; `user_name` is the role's name where one was assumed."""

    account: str
    key_id: str | None
    user_type: str | None
    user_name: str | None
    principal_id: str | None
    issuer_account: str | None = None
    console: bool | None = None


def identities(caller: Caller) -> Iterator[Resource]:
    """Yield the caller's access key, then the user, role, root or other principal behind it.

    GuardDuty gives an assumed role's name as userName, and `AROA…:session` as principalId.

    https://docs.aws.amazon.com/guardduty/latest/APIReference/API_AccessKeyDetails.html
    """
    kind = BEHIND.get(caller.user_type or "", "principal")
    if caller.issuer_account not in (None, caller.account):
        kind = "principal"  # a user or role of another account, where the same name is another's
    if caller.key_id:
        yield Resource("access_key", caller.key_id, None, _access_key(caller, kind))
    name = caller.account if kind == "root" else caller.user_name
    if kind == "principal":
        name = name or caller.principal_id
    if name:
        yield Resource(kind, name, None, _behind(caller, kind))


def _access_key(caller: Caller, kind: str) -> dict[str, object]:
    """Return what is said of a key; a role of another account is not named, for it is not ours."""
    assumed = kind == "iam_role"
    return known(
        user_name=caller.user_name,
        user_type=caller.user_type,
        principal_id=caller.principal_id,
        role_name=caller.user_name if assumed else None,
        session_name=_session(caller) if assumed else None,
        long_term=LONG_TERM.get((caller.key_id or "")[:4]),
        console=caller.console,
        issuer_account=caller.issuer_account,
    )


def _behind(caller: Caller, kind: str) -> dict[str, object]:
    every = known(
        principal_id=caller.principal_id,
        user_name=caller.user_name,
        user_type=caller.user_type,
        role_name=caller.user_name,
        session_name=_session(caller),
    )
    return {name: every[name] for name in HELD[kind] if name in every}


def _session(caller: Caller) -> str | None:
    """Return the session's name, which follows the colon in `AROA…:session`."""
    return (caller.principal_id or "").partition(":")[2] or None


HELD: Mapping[str, tuple[str, ...]] = {
    "iam_user": ("user_name", "principal_id"),
    "iam_role": ("role_name", "principal_id", "session_name"),
    "root": ("principal_id",),
    "principal": ("user_name", "user_type", "principal_id"),
}
