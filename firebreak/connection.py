"""The desk of a deployed stage, for commands that look at it or act on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import settings, wiring
from chalicelib.aws import new_session
from chalicelib.clock import Clock
from chalicelib.errors import InvalidSettings
from chalicelib.runner.work import Desk

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def stage_option(function: Decorated) -> Decorated:
    """Add the option that names the stage."""
    return click.option(
        "--stage", default="", help="The deployed stage; FIREBREAK_STAGE if not given."
    )(function)


def caller(desk: Desk) -> str:
    """Return the ARN of whoever runs a command. Raise InvalidSettings where AWS does not say."""
    try:
        return str(desk.access.home("sts").get_caller_identity()["Arn"])
    except (BotoCoreError, ClientError) as wrong:
        raise InvalidSettings(f"AWS does not say whose credentials these are: {wrong}") from wrong


def connect(stage: str) -> Desk:
    """Return the desk of a stage, in the account and region that the credentials are of.

    Raise InvalidSettings where no stage is named, or AWS does not let us in.
    """
    if os.environ.get("FIREBREAK_HOME_ACCOUNT") and not stage:
        return wiring.ours()
    stage = stage or os.environ.get("FIREBREAK_STAGE", "")
    if not stage:
        raise InvalidSettings("no stage: give --stage, or set FIREBREAK_STAGE")
    try:
        session = new_session()
    except BotoCoreError as wrong:
        raise InvalidSettings(f"AWS configuration: {wrong}") from wrong
    region = session.region_name or os.environ.get("AWS_REGION", "")
    if not region:
        raise InvalidSettings("no region: set AWS_REGION to the one Firebreak is deployed in")
    try:
        account = session.client("sts", region_name=region).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as wrong:
        raise InvalidSettings(f"AWS does not say whose credentials these are: {wrong}") from wrong
    known = settings.defaults(stage, account, region)
    return wiring.desk(settings.from_environment(known), Clock())
