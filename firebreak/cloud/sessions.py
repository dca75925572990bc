"""Administrators' sessions in every account, and the clients Step Functions uses."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from firebreak.cloud.identity import SECRET, administrator_key


class Sessions:
    """The sessions of a world, made once each."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, str], boto3.Session] = {}
        self._clients: dict[tuple[str, str, str], Any] = {}

    def get(self, account: str, region: str) -> boto3.Session:
        """Return an administrator's session."""
        key = (account, region)
        if key not in self._sessions:
            self._sessions[key] = _session(account, region)
        return self._sessions[key]

    def engine_client(self, account: str, region: str, service: str) -> Any:
        """Return the client with which Step Functions calls a service."""
        key = (account, region, service)
        if key not in self._clients:
            config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
            session: Any = self.get(account, region)
            self._clients[key] = session.client(service, config=config)
        return self._clients[key]


def credentials(account: str, region: str) -> dict[str, str]:
    """Return the environment that makes an account's administrator the default identity."""
    return {
        "AWS_ACCESS_KEY_ID": administrator_key(account),
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
    }


def _session(account: str, region: str) -> boto3.Session:
    core = botocore.session.get_session()
    core.register_component("data_loader", _loader())
    return boto3.Session(
        aws_access_key_id=administrator_key(account),
        aws_secret_access_key=SECRET,
        region_name=region,
        botocore_session=core,
    )


@cache
def _loader() -> Any:
    """Share the parsed service models between all sessions of the process."""
    return botocore.session.get_session().get_component("data_loader")
