"""A remediation's execution: started under the remediation's id, and marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from botocore.exceptions import ClientError

from chalicelib import published
from chalicelib.effect import JSON
from chalicelib.gone import is_code
from chalicelib.lifecycle.heads import move
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation


def start(desk: Desk, head: Remediation, by: Mapping[str, JSON]) -> None:
    """Start the execution, whose name is the remediation's id; started twice it is one.

    It runs on the version of the machine that was the newest when the remediation was admitted.
    """
    given = {"remediation": head.id, "pass": "plan" if head.phase == "plan" else "apply"}
    name, version = str(head.playbook["name"]), head.machine_version
    try:
        _, version = published.start(desk, name, version, head.id, given)
    except ClientError as error:
        if not is_code(error, "ExecutionAlreadyExists"):
            raise

    def marked(now: Remediation) -> Remediation | None:
        return None if now.started else replace(now, started=True, machine_version=version)

    move(desk, head.id, "started", marked, by)
