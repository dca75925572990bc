"""Who makes a call: administrators of any account, IAM users, assumed roles and functions."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.client import BaseClient

Document = Mapping[str, Any]

ACCOUNT = re.compile(r"[0-9]{12}")
SECRET = "not-a-secret"  # noqa: S105 - the embedded AWS checks no signatures


@dataclass(frozen=True)
class Principal:
    """The identity behind a call.

    `policies` are what its identity allows, `boundary` the most that these may allow, and
    `session_policy` what the session is limited to; an administrator (`policies` is None) is never
    refused.
    """

    account: str
    arn: str
    access_key: str
    session_name: str | None = None
    policies: tuple[Document, ...] | None = None
    session_policy: Document | None = None
    role_arn: str | None = None
    issued: dt.datetime | None = None
    inactive: bool = False
    boundary: Document | None = None


@dataclass(frozen=True)
class Invocation:
    """One run of a Lambda function: whose name and permissions its calls carry."""

    function: str
    role_arn: str
    request_id: str
    policies: tuple[Document, ...] | None


current_invocation: ContextVar[Invocation | None] = ContextVar("current_invocation", default=None)


def administrator_key(account: str) -> str:
    """Return the access key id (20 characters, as AWS's) of an account's administrator."""
    return _key(account, "ROOT")


def default_key(account: str) -> str:
    """Return the key that is in the environment: of the function that runs, or an administrator."""
    return _key(account, "SELF")


def engine_key(account: str) -> str:
    """Return the key that Step Functions calls with, as the role of the machine that runs."""
    return _key(account, "STEP")


def _key(account: str, whose: str) -> str:
    if not ACCOUNT.fullmatch(account):
        raise ValueError(f"an account id has 12 digits, unlike {account!r}")
    return f"AKIA{account}{whose}"


_OURS = re.compile(r"AKIA([0-9]{12})(ROOT|SELF|STEP)")


class Identities:
    """Tell the account and the principal of an access key id.

    running_role: tells the ARN of the role of the state machine whose execution is calling.
    """

    def __init__(self, home_account: str, running_role: Callable[[], str] = str) -> None:
        self.home_account = home_account
        self._running_role = running_role
        self._issued: dict[str, dt.datetime] = {}

    def note_session(self, access_key: str) -> None:
        """Remember when a session's credentials were issued."""
        self._issued[access_key] = dt.datetime.now(dt.UTC)

    def account_of(self, access_key: str) -> str:
        """Return the account of a key; keys nobody issued belong to the home account."""
        if ours := _OURS.fullmatch(access_key):
            return ours[1]
        from moto.iam.models import iam_backends

        for account, partitions in list(iam_backends.items()):
            for backend in list(partitions.values()):
                if access_key in backend.access_keys:
                    return account
        return self.home_account

    def of_client(self, client: BaseClient) -> Principal:
        """Return the principal whose credentials a client signs with."""
        # The signer is where botocore keeps a client's credentials; there is no public accessor.
        credentials = client._request_signer._credentials  # type: ignore[attr-defined]
        key = credentials.get_frozen_credentials().access_key if credentials else ""
        return self.of_key(key)

    def of_key(self, access_key: str) -> Principal:
        """Return the principal of an access key id."""
        account, ours = self.account_of(access_key), _OURS.fullmatch(access_key)
        if ours:
            acting = {"SELF": self._function, "STEP": self._machine}.get(ours[2])
            found = acting(account, access_key) if acting else None
            return found or _administrator(account, access_key)
        return (
            self._assumed_role(account, access_key)
            or _iam_user(account, access_key)
            or _administrator(account, access_key)
        )

    def _function(self, account: str, access_key: str) -> Principal | None:
        """Return the function that runs; None outside of any."""
        running = current_invocation.get()
        if running is None:
            return None
        role = role_limits(account, running.role_arn)
        return Principal(
            account=account,
            arn=_session_arn(running.role_arn, running.function),
            access_key=access_key,
            session_name=running.function,
            policies=running.policies,
            role_arn=running.role_arn,
            boundary=role.boundary if role else None,
        )

    def _machine(self, account: str, access_key: str) -> Principal | None:
        """Return the role of the state machine that runs; None where nobody made it."""
        role_arn = self._running_role()
        role = role_limits(account, role_arn)
        if role is None:
            return None
        arn = _session_arn(role_arn, "states")
        return Principal(
            account,
            arn,
            access_key,
            "states",
            role.policies,
            None,
            role_arn,
            boundary=role.boundary,
        )

    def _assumed_role(self, account: str, access_key: str) -> Principal | None:
        from moto.sts.models import sts_backends

        for backend in list(sts_backends[account].values()):
            session = backend.get_assumed_role_from_access_key(access_key)
            if session is not None:
                role = role_limits(account, session.role_arn) or Limits(())
                return Principal(
                    account=account,
                    arn=session.arn,
                    access_key=access_key,
                    session_name=session.session_name,
                    policies=role.policies,
                    session_policy=parsed(session.policy) if session.policy else None,
                    role_arn=session.role_arn,
                    issued=self._issued.get(access_key),
                    boundary=role.boundary,
                )
        return None


def _session_arn(role_arn: str, name: str) -> str:
    account, role = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    return f"arn:aws:sts::{account}:assumed-role/{role}/{name}"


def _administrator(account: str, access_key: str) -> Principal:
    return Principal(account, f"arn:aws:iam::{account}:root", access_key)


def _iam_user(account: str, access_key: str) -> Principal | None:
    from moto.iam.models import iam_backends

    for user in list(iam_backends[account]["aws"].users.values()):
        for key in user.access_keys:
            if key.access_key_id == access_key:
                return Principal(
                    account=account,
                    arn=user.arn,
                    access_key=access_key,
                    policies=user_policies(account, user.name),
                    inactive=key.status == "Inactive",
                )
    return None


@dataclass(frozen=True, slots=True)
class Limits:
    """Hold the policies of a role, and its permissions boundary if it has one."""

    policies: tuple[Document, ...]
    boundary: Document | None = None


def role_limits(account: str, role_arn: str) -> Limits | None:
    """Return what limits a role now, None where there is no such role."""
    from moto.iam.models import iam_backends

    backend = iam_backends[account]["aws"]
    role = next((each for each in list(backend.roles.values()) if each.arn == role_arn), None)
    if role is None:
        return None
    documents = _documents(role.policies.values(), role.managed_policies.values())
    arn = role.permissions_boundary_arn
    if not arn:
        return Limits(documents)
    boundary = backend.managed_policies.get(arn)
    return Limits(documents, parsed(_default(boundary)) if boundary else _NOTHING)


def user_policies(account: str, user_name: str) -> tuple[Document, ...]:
    """Return the inline and attached policies of a user and of its groups."""
    from moto.iam.models import iam_backends

    backend = iam_backends[account]["aws"]
    user = backend.users[user_name]
    documents = _documents(user.policies.values(), user.managed_policies.values())
    for group in backend.get_groups_for_user(user_name):
        documents += _documents(group.policies.values(), group.managed_policies.values())
    return documents


_NOTHING: Document = {"Statement": []}  # a boundary that is no policy any more


def _documents(inline: Any, attached: Any) -> tuple[Document, ...]:
    texts = [*inline, *map(_default, attached)]
    return tuple(parsed(text) if isinstance(text, str) else text for text in texts)


def _default(managed: Any) -> str:
    """Return the version of a managed policy that holds."""
    return next(str(each.document) for each in managed.versions if each.is_default)


@lru_cache(maxsize=512)
def parsed(text: str) -> Document:
    """Return a policy's document, which nobody changes: it is read once for all calls."""
    document: Document = json.loads(text)
    return document
