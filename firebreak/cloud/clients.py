"""Make boto3 clients one at a time: threads that make them at once get in each other's way.

https://docs.aws.amazon.com/boto3/latest/guide/clients.html#multithreading-or-multiprocessing-with-clients
"""

from __future__ import annotations

import threading
from typing import Any

import boto3
from botocore.config import Config

from firebreak.cloud.sessions import session

_ONCE = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
_making = threading.Lock()


def administrators(account: str, region: str, service: str) -> Any:
    """Return an administrator's client, which is kept."""
    made: Any = session(account, region)
    with _making:
        return made.client(service)


def with_keys(account: str, region: str, service: str, key: str, secret: str, token: str) -> Any:
    """Return a client that signs with these credentials, and tries once."""
    make: Any = boto3.Session.client
    with _making:
        return make(
            session(account, region),
            service,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=_ONCE,
        )
