"""Worlds with guardrails of their own, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chalicelib import lifecycle, sources
from chalicelib.intake import Decision
from chalicelib.playbook import Playbook
from chalicelib.store import Remediation
from firebreak import scene
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.worlds import finding_event, playbook, world


@contextmanager
def guarded(
    folder: Path,
    guardrails: Mapping[str, Any] | str,
    playbooks: Mapping[str, Playbook] | None = None,
    /,
    **environment: str,
) -> Iterator[Stage]:
    """Give a stage whose guardrails.yaml says this; without playbooks, it has one that enforces."""
    file = folder / "guardrails.yaml"
    text = guardrails if isinstance(guardrails, str) else json.dumps(guardrails)
    file.write_text(text, "utf-8")
    known = playbooks or {"test": playbook()}
    with world(known, GUARDRAILS=str(file), **environment) as stage:
        yield stage


def on_instance(number: int, **detail: Any) -> dict[str, Any]:
    """Return a finding about the n-th instance."""
    event = finding_event(**detail)
    instance = event["detail"]["resource"]["instanceDetails"]
    instance["instanceId"] = f"i-{number:017x}"
    interface = instance["networkInterfaces"][0]
    interface |= {"networkInterfaceId": f"eni-{number:017x}", "privateIpAddresses": []}
    interface["privateIpAddress"] = f"10.0.1.{number + 20}"
    instance["networkInterfaces"] = [interface]
    return event


def made(stage: Stage, event: dict[str, Any]) -> dict[str, Any]:
    """Make what an event speaks of, and the role that is assumed there; return the event."""
    for finding in sources.read(event).findings:
        stage.admit_account(finding.account)
        scene.make(stage.cloud, finding)
    return event


def decided(stage: Stage, event: dict[str, Any]) -> Decision:
    """Let EventBridge deliver an event; return the one decision that is made on it."""
    (answer,) = stage.cloud.emit(event)
    settle(stage)
    (decision,) = answer["decisions"]
    return Decision(**decision)


def admitted(stage: Stage, event: dict[str, Any]) -> Remediation:
    """Deliver an event; return the head of the remediation that it is about."""
    return lifecycle.head_of(stage.desk, decided(stage, event).remediation)


def told(stage: Stage) -> list[str]:
    """Return the subjects of what people were told of limits."""
    subjects = [c.params["Subject"] for c in stage.cloud.calls if c.operation == "Publish"]
    return [subject for subject in subjects if "limit" in subject]
