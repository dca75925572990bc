"""Act as AWS's own services do: in a role that trusts them, with what its policies allow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from botocore.exceptions import ClientError

from firebreak.cloud import limits
from firebreak.cloud.clients import with_keys
from firebreak.cloud.identity import Identities, Principal
from firebreak.cloud.policy import Context, Document, Request, applies

_SECONDS = 43_200  # that a service keeps a role before it takes it anew


@dataclass(frozen=True, slots=True)
class Keys:
    """The credentials of a session of a role."""

    role_arn: str
    access_key: str
    secret: str
    token: str


@dataclass(frozen=True, slots=True)
class Denied:
    """What a service of AWS could not do: in which role or for which resource, and why."""

    who: str
    service: str
    operation: str
    message: str


class NotAdmitted(Exception):
    """A policy of the resource does not let the service do it."""


class Roles:
    """The roles of a world as AWS's services take them, and what was refused to them."""

    def __init__(self, identities: Identities) -> None:
        self.denied: list[Denied] = []
        self._identities = identities

    def assume(self, role_arn: str, service: str, session_name: str, context: Context) -> Keys:
        """Return a new session of a role. Raise NotAdmitted where it does not trust the service.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
        """
        from moto.sts.models import sts_backends

        account = role_arn.split(":")[4]
        wanted = Request("sts:AssumeRole", role_arn, context)
        if not service_may(_trust(role_arn), service, wanted):
            self.deny(role_arn, "sts", "AssumeRole", f"{role_arn} cannot be assumed by {service}")
        made = sts_backends[account]["aws"].assume_role(
            "us-east-1", session_name[:64], role_arn, "", _SECONDS, ""
        )
        self._identities.note_session(made.access_key_id)
        return Keys(role_arn, made.access_key_id, made.secret_access_key, made.session_token)

    def check(self, keys: Keys, action: str, resource: str) -> None:
        """Raise NotAdmitted, and keep it in `denied`, where a role's policies do not allow it."""
        principal = self._identities.of_key(keys.access_key)
        if principal_may(principal, action, resource):
            return
        service, _, operation = action.partition(":")
        message = f"{principal.arn} is not authorized to perform: {action} on resource: {resource}"
        self.deny(keys.role_arn, service, operation, message)

    def deny(self, who: str, service: str, operation: str, message: str) -> NoReturn:
        """Keep what a service was refused, and raise NotAdmitted."""
        self.denied.append(Denied(who, service, operation, message))
        raise NotAdmitted(message)

    def call(self, keys: Keys, service: str, region: str, operation: str, **params: Any) -> Any:
        """Call a service in a role. What is refused is kept in `denied`, and raised."""
        account = keys.role_arn.split(":")[4]
        client = with_keys(account, region, service, keys.access_key, keys.secret, keys.token)
        try:
            return getattr(client, operation)(**params)
        except ClientError as error:
            told = error.response["Error"]
            if is_denial(told["Code"]):
                self.denied.append(Denied(keys.role_arn, service, operation, told["Message"]))
            raise


def is_denial(code: str) -> bool:
    """Say whether an error says that a policy does not allow the call."""
    return code in {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "UnauthorizedOperation",
    }


def principal_may(principal: Principal, action: str, resource: str) -> bool:
    """Say whether the policies of a principal, and of its session, allow a request."""
    context = {
        "aws:principalarn": [principal.role_arn or principal.arn],
        "aws:principalaccount": [principal.account],
    }
    return limits.refusal(principal, Request(action, resource, context)) is None


def service_may(document: Document | None, service: str, request: Request) -> bool:
    """Say whether a resource's policy lets a service of AWS make a request."""
    statements = _listed((document or {}).get("Statement"))
    effects = {
        statement["Effect"]
        for statement in statements
        if _names(statement.get("Principal"), service) and applies(statement, request)
    }
    return effects == {"Allow"}


def parsed(policy: Any) -> Document | None:
    """Return a policy that moto keeps as a document or as its text; None where there is none."""
    if not policy:
        return None
    document: Document = json.loads(policy) if isinstance(policy, str | bytes) else policy
    return document


def _names(principal: Any, service: str) -> bool:
    if principal == "*":
        return True
    return isinstance(principal, Mapping) and service in _listed(principal.get("Service"))


def _listed(value: Any) -> Iterable[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _trust(role_arn: str) -> Document | None:
    from moto.iam.exceptions import NotFoundException
    from moto.iam.models import iam_backends

    try:
        role = iam_backends[role_arn.split(":")[4]]["aws"].get_role_by_arn(role_arn)
    except NotFoundException:
        return None
    return parsed(role.assume_role_policy_document)
