"""Who makes a call: administrators of any account, IAM users, assumed roles and functions."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.client import BaseClient

Document = Mapping[str, Any]

ACCOUNT = re.compile(r"[0-9]{12}")
SECRET = "not-a-secret"  # noqa: S105 - the embedded AWS checks no signatures


@dataclass(frozen=True)
class Principal:
    """The identity behind a call.

    `policies` are what its identity allows and `session_policy` what the session is limited to;
    an administrator (`policies` is None) is never refused.
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
    if not ACCOUNT.fullmatch(account):
        raise ValueError(f"an account id has 12 digits, unlike {account!r}")
    return f"AKIA{account}ROOT"


class Identities:
    """Tell the account and the principal of an access key id."""

    def __init__(self, home_account: str) -> None:
        self.home_account = home_account
        self._issued: dict[str, dt.datetime] = {}

    def note_session(self, access_key: str) -> None:
        """Remember when a session's credentials were issued."""
        self._issued[access_key] = dt.datetime.now(dt.UTC)

    def account_of(self, access_key: str) -> str:
        """Return the account of a key; keys nobody issued belong to the home account."""
        if access_key.startswith("AKIA") and access_key.endswith("ROOT"):
            return access_key[4:16]
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
        account = self.account_of(access_key)
        if access_key == administrator_key(self.home_account):
            return self._function_or_administrator(account, access_key)
        return (
            self._assumed_role(account, access_key)
            or _iam_user(account, access_key)
            or _administrator(account, access_key)
        )

    def _function_or_administrator(self, account: str, access_key: str) -> Principal:
        invocation = current_invocation.get()
        if invocation is None:
            return _administrator(account, access_key)
        role_name = invocation.role_arn.rsplit("/", 1)[-1]
        return Principal(
            account=account,
            arn=f"arn:aws:sts::{account}:assumed-role/{role_name}/{invocation.function}",
            access_key=access_key,
            session_name=invocation.function,
            policies=invocation.policies,
            role_arn=invocation.role_arn,
        )

    def _assumed_role(self, account: str, access_key: str) -> Principal | None:
        from moto.sts.models import sts_backends

        for backend in list(sts_backends[account].values()):
            session = backend.get_assumed_role_from_access_key(access_key)
            if session is not None:
                return Principal(
                    account=account,
                    arn=session.arn,
                    access_key=access_key,
                    session_name=session.session_name,
                    policies=role_policies(account, session.role_arn),
                    session_policy=json.loads(session.policy) if session.policy else None,
                    role_arn=session.role_arn,
                    issued=self._issued.get(access_key),
                )
        return None


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


def role_policies(account: str, role_arn: str) -> tuple[Document, ...]:
    """Return the inline and attached policies a role has now."""
    from moto.iam.exceptions import NotFoundException
    from moto.iam.models import iam_backends

    try:
        role = iam_backends[account]["aws"].get_role_by_arn(role_arn)
    except NotFoundException:
        return ()
    return _documents(role.policies.values(), role.managed_policies.values())


def user_policies(account: str, user_name: str) -> tuple[Document, ...]:
    """Return the inline and attached policies of a user and of its groups."""
    from moto.iam.models import iam_backends

    backend = iam_backends[account]["aws"]
    user = backend.users[user_name]
    documents = _documents(user.policies.values(), user.managed_policies.values())
    for group in backend.get_groups_for_user(user_name):
        documents += _documents(group.policies.values(), group.managed_policies.values())
    return documents


def _documents(inline: Any, attached: Any) -> tuple[Document, ...]:
    texts = [*inline, *(policy.document for policy in attached)]
    return tuple(json.loads(text) if isinstance(text, str) else text for text in texts)
