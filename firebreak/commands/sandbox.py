"""`firebreak sandbox`: an AWS on loopback, to try a deployment on."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from boto3 import Session

from chalicelib import sources
from chalicelib.errors import FirebreakError, InvalidSettings
from firebreak import render, scene
from firebreak.cloud import Cloud
from firebreak.cloud.server import serve
from firebreak.event_files import events

USER = "administrator"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
ACCOUNT = re.compile("[0-9]{12}")
HOW = """
Set these lines in another terminal, and work there. Here, type the file of an event, as EventBridge
delivers it, to let it happen. Ctrl-C ends it, and all is forgotten."""
LONGEST = 1_000  # characters of an error
SETTLED = 300.0  # seconds that what an event starts may take


def right(_context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Return an option's value. Raise BadParameter where it is no account or no region of AWS's."""
    known = Session().get_available_regions("lambda")
    if parameter.name == "account" and not ACCOUNT.fullmatch(value):
        raise click.BadParameter("an account id has 12 digits")
    if parameter.name == "region" and value not in known:
        raise click.BadParameter(f"is none of {', '.join(known)}")
    return value


@click.command("sandbox")
@click.option("--account", default="111122223333", callback=right, help="The security account.")
@click.option("--region", default="us-east-1", callback=right, help="Where its stage will be.")
def command(account: str, region: str) -> None:
    """Serve an embedded AWS on 127.0.0.1, to deploy a stage into; nothing of it outlives this.

    It prints what another terminal has to set. A line that is typed here is the file of an event,
    which then happens: what it speaks of is made, and AWS puts it on its account's bus.
    """
    with Cloud(account, region) as cloud, serve(cloud) as url:
        click.echo("unset AWS_PROFILE AWS_SESSION_TOKEN")
        for name, value in _environment(cloud, url, region):
            click.echo(f"export {name}={value}")
        click.echo(HOW, err=True)
        with contextlib.suppress(KeyboardInterrupt):
            for line in sys.stdin:
                _happen(cloud, line.strip())
            threading.Event().wait()


def _environment(cloud: Cloud, url: str, region: str) -> Iterator[tuple[str, str]]:
    """Yield what leads AWS's tools here, as an administrator of the security account."""
    iam = cloud.session().client("iam")
    iam.create_user(UserName=USER)
    policy = {"Version": "2012-10-17", "Statement": [EVERYTHING]}
    iam.put_user_policy(UserName=USER, PolicyName=USER, PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=USER)["AccessKey"]
    yield "AWS_ENDPOINT_URL", url
    yield "AWS_REGION", region
    yield "AWS_DEFAULT_REGION", region  # which boto3 asks for
    yield "AWS_ACCESS_KEY_ID", key["AccessKeyId"]
    yield "AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"]


def _happen(cloud: Cloud, path: str) -> None:
    """Let the events of a file happen; say what each came to."""
    if not path:
        return
    try:
        for event in events([Path(path)]):
            if event.unreadable or not isinstance(event.value, dict) or "detail" not in event.value:
                raise InvalidSettings(f"{event.name}: is no event as EventBridge delivers it")
            for line in _came_to(cloud, event.value):
                click.echo(line)
    except (FirebreakError, OSError) as wrong:
        click.echo(f"firebreak: {render.shown(str(wrong), LONGEST)}", err=True)


def _came_to(cloud: Cloud, event: dict[str, Any]) -> Iterator[str]:
    for finding in sources.read(event).findings:
        scene.make(cloud, finding)
    before = set(cloud.executions)
    answers = cloud.emit(event, str(event.get("account")), str(event.get("region")))
    for decision in [each for answer in answers for each in (answer or {}).get("decisions", ())]:
        said = f"{decision['decision']}: {decision['reason']}".removesuffix(": ")
        yield f"{said} (firebreak audit show {decision['audit']})"
    for execution in [each for each in cloud.executions if each not in before]:
        status = cloud.wait(execution, SETTLED)["status"]
        waits = " (it may wait: firebreak waiting)" if status == "RUNNING" else ""
        yield f"remediation {execution.rpartition(':')[2]}: execution {status}{waits}"
    if not answers:
        yield "no rule matched it: is a stage deployed, in the event's region or by a member stack?"
