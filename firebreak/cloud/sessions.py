"""Administrators' sessions in every account, and the clients Step Functions uses."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from firebreak.cloud.identity import SECRET, administrator_key, default_key, engine_key


def session(account: str, region: str) -> boto3.Session:
    """Return an administrator's session, which keeps the clients made of it."""
    return _session(administrator_key(account), region)


@cache
def _session(access_key: str, region: str) -> boto3.Session:
    """Return the session of a key, which keeps the clients made of it.

    Sessions and clients hold no state of a world (credentials follow from the account), so those
    of one world serve the next: making a client takes longer than most calls.
    """
    core = botocore.session.get_session()
    core.register_component("data_loader", _loader())
    made = boto3.Session(
        aws_access_key_id=access_key,
        aws_secret_access_key=SECRET,
        region_name=region,
        botocore_session=core,
    )
    vars(made)["client"] = cache(made.client)
    return made


@cache
def engine_client(account: str, region: str, service: str) -> Any:
    """Return the client with which Step Functions calls a service."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    engine: Any = _session(engine_key(account), region)
    return engine.client(service, config=config)


def credentials(account: str, region: str) -> dict[str, str]:
    """Return the environment in which a function acts as itself, others as administrators."""
    return {
        "AWS_ACCESS_KEY_ID": default_key(account),
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
    }


@cache
def _loader() -> Any:
    """Share the parsed service models between all sessions of the process."""
    return botocore.session.get_session().get_component("data_loader")
