"""Who a person is: whom AWS authenticated, never what a request says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.effect import JSON
from chalicelib.errors import NotDecided
from chalicelib.gone import is_code
from chalicelib.runner.work import Desk
from chalicelib.settings import FUNCTIONS, Settings

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
NAME = r"[A-Za-z0-9_+=,.@-]{1,64}"
ARN = r"arn:(?P<partition>aws[a-z-]*)"
USER = re.compile(rf"{ARN}:iam::(?P<account>[0-9]{{12}}):user/(?:[!-.0-~]+/)*(?P<name>{NAME})")
ROLE = re.compile(
    rf"{ARN}:sts::(?P<account>[0-9]{{12}}):assumed-role/(?P<name>{NAME})/(?P<session>{NAME})"
)
ROOT = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:root")

# The roles of Identity Center, which nobody else can make under this path.
# https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
RESERVED = "AWSReservedSSO_"
RESERVED_PATH = "/aws-reserved/sso.amazonaws.com/"

IAM_USER, IAM_ROLE, IDENTITY_CENTER = "iam_user", "iam_role", "identity_center"


@dataclass(frozen=True, slots=True)
class Person:
    """Hold who decides.

    id: the same for the same person: the ARN of an IAM user, the ARN (without a path) of a role,
    whose sessions are all one person, or the user's name in Identity Center. name: of the user or
    role, without a path. principal_id: IAM's own, such as AROA…, which no other ever has again.
    """

    kind: str
    id: str
    arn: str
    account: str
    name: str
    session: str
    principal_id: str
    access_key: str

    @property
    def recorded(self) -> dict[str, JSON]:
        """Return what the audit trail says of who decided."""
        return {"principal": self.arn, "person": self.id, "account": self.account}


def person(desk: Desk, context: Mapping[str, Any]) -> Person:
    """Return who AWS says has signed a request, by API Gateway's context of it.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
    Raise NotDecided for whoever is no person, or cannot be told apart from others.
    """
    found = authenticated(context.get("identity"))
    settings = desk.settings
    if found.account != settings.home_account:
        raise _refused(f"{found.arn} is not of the security account {settings.home_account}")
    if found.kind != IAM_ROLE:
        return found
    if found.name.casefold() in _ours(settings):
        raise _refused(f"{found.arn} is a part of Firebreak: a person has to decide")
    return _of_identity_center(desk, found) if found.name.startswith(RESERVED) else found


def _ours(settings: Settings) -> set[str]:
    """Return the names of the roles that Firebreak itself works with."""
    start = f"firebreak-{settings.stage}"
    named = {settings.member_role.rpartition("/")[2], start, *(f"{start}-{f}" for f in FUNCTIONS)}
    return {name.casefold() for name in named}


def authenticated(identity: Any) -> Person:
    """Return whom an API's identity names. Raise NotDecided where that is nobody in particular."""
    said = identity if isinstance(identity, Mapping) else {}
    arn, caller, account, key = (
        str(said.get(each) or "") for each in ("userArn", "caller", "accountId", "accessKey")
    )
    if not arn or not caller:
        raise _refused("the request is not signed: AWS does not say who sent it")
    if ROOT.fullmatch(arn):
        raise _refused("root is not one person: sign in as a user or through Identity Center")
    match = USER.fullmatch(arn) or ROLE.fullmatch(arn)
    if match is None or match["account"] != account:
        raise _refused(f"{arn:.200} is neither an IAM user nor a role's session")
    parts = match.groupdict()
    session, (principal_id, _, called) = parts.get("session") or "", caller.partition(":")
    if called != session:
        raise _refused(f"{arn} is not who called")
    kind = IAM_ROLE if session else IAM_USER
    who = f"arn:{parts['partition']}:iam::{account}:role/{parts['name']}" if session else arn
    return Person(kind, who, arn, account, parts["name"], session, principal_id, key)


def _of_identity_center(desk: Desk, found: Person) -> Person:
    """Return the person behind a session of a role that Identity Center itself made.

    Whoever may make roles can give one such a name, and a session any name; the path is AWS's own.
    """
    try:
        role = desk.access.home("iam").get_role(RoleName=found.name)["Role"]
    except ClientError as error:
        if is_code(error, "NoSuchEntity"):
            raise _refused(f"{found.arn} is a session of a role that is gone") from error
        raise
    if role["RoleId"] != found.principal_id:
        raise _refused(f"{found.arn} is a session of a role that is gone")
    if not str(role["Path"]).startswith(RESERVED_PATH):
        return found
    return replace(found, kind=IDENTITY_CENTER, id=found.session)


def _refused(reason: str) -> NotDecided:
    return NotDecided(403, "not_a_person", reason)
