"""The desk of a deployed stage, for commands that look at it or act on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from chalicelib import settings, wiring
from chalicelib.aws import new_session
from chalicelib.clock import Clock
from chalicelib.errors import InvalidSettings
from chalicelib.runner.work import Desk

DESKS = (f"{settings.PREFIX}API_URL",)  # what a desk is told beside the stage's derived names
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


@dataclass(frozen=True, slots=True)
class Identity:
    """Say whose the credentials are, and which region they are used in."""

    account: str
    arn: str
    region: str


def identity() -> Identity:
    """Return whose credentials these are. Raise InvalidSettings where AWS does not let us in."""
    try:
        session = new_session()
    except BotoCoreError as wrong:
        raise InvalidSettings(f"AWS configuration: {wrong}") from wrong
    region = os.environ.get("AWS_REGION") or session.region_name or ""  # as the AWS CLI takes it
    if not region:
        raise InvalidSettings("no region: set AWS_REGION to the one Firebreak is deployed in")
    try:
        found = session.client("sts", region_name=region).get_caller_identity()
    except NoCredentialsError as wrong:
        why = "no AWS credentials: log in, or set AWS_PROFILE"
        raise InvalidSettings(why) from wrong
    except (BotoCoreError, ClientError) as wrong:
        why = f"AWS does not say whose credentials these are: {wrong}"
        again = "; log in again, if they expired" if "xpired" in str(wrong) else ""
        raise InvalidSettings(f"{why}{again}") from wrong
    return Identity(str(found["Account"]), str(found["Arn"]), region)


def connect(stage: str) -> Desk:
    """Return the desk of a stage, in the account and region that the credentials are of.

    Raise InvalidSettings where no stage is named, or AWS does not let us in.
    """
    if os.environ.get("FIREBREAK_HOME_ACCOUNT") and not stage:
        return wiring.ours()
    stage = stage or os.environ.get("FIREBREAK_STAGE", "")
    if not stage:
        raise InvalidSettings("no stage: give --stage, or set FIREBREAK_STAGE")
    who = identity()
    known = settings.defaults(stage, who.account, who.region)
    own = {name: os.environ[name] for name in DESKS if name in os.environ}
    return wiring.desk(settings.from_environment(known | own), Clock())
