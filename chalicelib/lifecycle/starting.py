"""A remediation's execution: started under the remediation's id, and marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from botocore.exceptions import ClientError

from chalicelib.effect import JSON, canonical_text
from chalicelib.gone import is_code
from chalicelib.lifecycle.heads import move
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation


def start(desk: Desk, head: Remediation, by: Mapping[str, JSON]) -> None:
    """Start the execution, whose name is the remediation's id; started twice it is one."""
    first = "plan" if head.phase == "plan" else "apply"
    try:
        desk.access.home("stepfunctions").start_execution(
            stateMachineArn=desk.settings.state_machine_arn(str(head.playbook["name"])),
            name=head.id,
            input=canonical_text({"remediation": head.id, "pass": first}),
        )
    except ClientError as error:
        if not is_code(error, "ExecutionAlreadyExists"):
            raise
    move(desk, head.id, "started", _marked, by)


def _marked(head: Remediation) -> Remediation | None:
    return None if head.started else replace(head, started=True)
