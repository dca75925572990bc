"""A responder's desk: commands run as a person of the security account."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from click.testing import CliRunner, Result

from firebreak.cli import firebreak
from tests.deployed.accounts import AWAY, MEMBER
from tests.deployed.clone import STAGE
from tests.deployed.world import EVENTS, Deployed

EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


@dataclass(frozen=True, slots=True)
class Person:
    """Hold who sits at the desk, by their credentials."""

    key: Mapping[str, str]

    def does(self, *words: str, given: str = "") -> str:
        """Run a `firebreak` command that has to succeed; return what it says."""
        result: Result = CliRunner(env=dict(self.key)).invoke(
            firebreak, [*words, "--stage", STAGE], input=given, catch_exceptions=False
        )
        assert 0 == result.exit_code, result.output
        return result.output


def recorded(name: str) -> dict[str, Any]:
    """Return a recorded event."""
    event: dict[str, Any] = json.loads((EVENTS / name).read_text("utf-8"))
    return event


def of_instance(name: str, instance: str, **detail: Any) -> dict[str, Any]:
    """Return a GuardDuty event about another instance, with interfaces of its own.

    Keywords replace parts of its detail.
    """
    event = recorded(name)
    before = event["detail"]["resource"]["instanceDetails"]["instanceId"]

    def other(match: re.Match[str]) -> str:
        return f"eni-{sha256((instance + match[0]).encode()).hexdigest()[:17]}"

    text = re.sub(r"eni-[0-9a-f]{17}", other, json.dumps(event).replace(before, instance))
    changed: dict[str, Any] = json.loads(text)
    changed["detail"] |= {"id": instance[2:].rjust(32, "0"), **detail}
    return changed


def groups(stage: Deployed, instance: str) -> set[str]:
    """Return the names of the groups that an instance's interfaces are in."""
    ec2 = stage.cloud.session(MEMBER, AWAY).client("ec2")
    wanted = [{"Name": "attachment.instance-id", "Values": [instance]}]
    shown = ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    return {group["GroupName"] for each in shown for group in each["Groups"]}
