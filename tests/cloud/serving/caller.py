"""A boto3 client in another process: reads calls from its input, a line each, and answers them."""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=60)


def carry_out(asked: dict[str, Any]) -> dict[str, Any]:
    """Make one call; return its response, or the error as the client saw it."""
    client = boto3.client(asked["service"], config=ONCE, **asked["place"])
    try:
        response = getattr(client, asked["operation"])(**_with_bytes(asked["params"]))
    except ClientError as error:
        told = error.response
        return {"error": told["Error"]["Code"], "message": told["Error"]["Message"]}
    for name in ("Payload", "Body"):
        if hasattr(response.get(name), "read"):
            response[name] = response[name].read().decode()
    return {"response": response}


def _with_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        return (
            bytes.fromhex(value["hex"])
            if {"hex"} == set(value)
            else {name: _with_bytes(each) for name, each in value.items()}
        )
    return [_with_bytes(each) for each in value] if isinstance(value, list) else value


def main() -> None:
    """Answer every line until there are no more."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(carry_out(json.loads(line)), default=str) + "\n")
        sys.stdout.flush()


main()
