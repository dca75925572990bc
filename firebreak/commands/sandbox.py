"""`firebreak sandbox`: an AWS on loopback, to try a deployment on."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from chalicelib import sources
from chalicelib.errors import FirebreakError, InvalidSettings
from firebreak import render, scene
from firebreak.cloud import Cloud
from firebreak.cloud.server import serve
from firebreak.event_files import events

USER = "administrator"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
LONGEST = 1_000  # characters of an error
SETTLED = 300.0  # seconds that what an event starts may take


@click.command("sandbox")
@click.option("--account", default="111122223333", help="The security account.")
@click.option("--region", default="us-east-1", help="Where its stage will be.")
def command(account: str, region: str) -> None:
    """Serve an embedded AWS on 127.0.0.1, to deploy a stage into; nothing of it outlives this.

    It prints what another terminal has to set. A line that is typed here is the file of an event,
    which then happens: what it speaks of is made, and AWS puts it on its account's bus.
    """
    with Cloud(account, region) as cloud, serve(cloud) as url:
        for name, value in _environment(cloud, url, region):
            click.echo(f"export {name}={value}")
        click.echo("\nType the file of an event to let it happen; Ctrl-C ends.", err=True)
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
    before = len(cloud.executions)
    cloud.emit(event, str(event.get("account")), str(event.get("region")))
    for execution in cloud.executions[before:]:
        status = cloud.wait(execution, SETTLED)["status"]
        waits = " (it may wait: firebreak waiting)" if status == "RUNNING" else ""
        yield f"remediation {execution.rpartition(':')[2]}: execution {status}{waits}"
    if len(cloud.executions) == before:
        yield "nothing was started; firebreak status and the audit trail say what is known of it"
