from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firebreak.stage import Stage
from tests.guarded import admitted, guarded, made, on_instance, told
from tests.worlds import MEMBER, failing, playbook, refusal

STEPS = [
    {
        "name": "keep",
        "action": "protect_from_termination",
        "with": {"instance_id": "$.finding.resource.id"},
    }
]
KNOWN = {"test": playbook(steps=STEPS, guardrails={"mode": "enforce", "cooldown": "0s"})}


def share(percent: int) -> dict[str, Any]:
    return {"limits": {"share": {"instance": {"percent": percent, "of": "vpc", "per": "24h"}}}}


def fleet(stage: Stage, count: int) -> list[dict[str, Any]]:
    """Make so many instances, all in one VPC; return a finding about each."""
    return [made(stage, on_instance(number)) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("percent", "count", "most"), [(20, 10, 2), (20, 1, 1), (1, 6, 1), (34, 6, 2), (100, 3, 3)]
)
def test_a_share_of_a_vpc_is_isolated_and_no_more(
    tmp_path: Path, percent: int, count: int, most: int
) -> None:
    """At most so many percent of a VPC's instances go by themselves, and at least one."""
    with guarded(tmp_path, share(percent), KNOWN) as stage:
        found = [admitted(stage, event).mode for event in fleet(stage, count)]

        assert ["enforce"] * most + ["approve"] * (count - most) == found
        assert (1 if most < count else 0) == len(told(stage))


def test_an_instance_is_counted_once(tmp_path: Path) -> None:
    """A second finding about the same instance takes no more of the fleet."""
    with guarded(tmp_path, share(20), KNOWN) as stage:
        events = fleet(stage, 5)
        again = {**events[0], "detail": {**events[0]["detail"], "severity": 9}}
        found = [admitted(stage, each).mode for each in (events[0], again, events[1])]

        assert ["enforce", "enforce", "approve"] == found


def test_what_is_terminated_is_no_part_of_the_fleet(tmp_path: Path) -> None:
    """Of ten instances of which five are gone, a fifth is one."""
    with guarded(tmp_path, share(20), KNOWN) as stage:
        events = fleet(stage, 10)
        gone = [f"i-{number:017x}" for number in range(6, 11)]
        stage.cloud.session(MEMBER).client("ec2").terminate_instances(InstanceIds=gone)

        assert ["enforce", "approve"] == [admitted(stage, each).mode for each in events[:2]]


def test_a_vpc_that_the_event_does_not_name_is_looked_up(tmp_path: Path) -> None:
    """Where the event names no VPC, EC2 is asked which it is."""
    with guarded(tmp_path, share(20), KNOWN) as stage:
        events = fleet(stage, 5)
        for event in events:
            event["detail"]["resource"]["instanceDetails"]["networkInterfaces"] = []

        assert ["enforce", "approve"] == [admitted(stage, each).mode for each in events[:2]]


def test_a_fleet_that_cannot_be_counted_asks(tmp_path: Path) -> None:
    """Where nobody can say how large a share would be, a person is asked."""
    with guarded(tmp_path, share(50), KNOWN) as stage:
        events = fleet(stage, 4)
        stage.cloud.inject = failing("DescribeInstances", lambda: refusal("UnauthorizedOperation"))
        head = admitted(stage, events[0])

        assert "approve" == head.mode
        assert "share of the fleet cannot be read: UnauthorizedOperation" in head.why
        assert [] == told(stage)


def test_what_only_tells_takes_no_share(tmp_path: Path) -> None:
    """A playbook without a containing step isolates nothing."""
    with guarded(tmp_path, share(1)) as stage:
        assert ["enforce"] * 3 == [admitted(stage, each).mode for each in fleet(stage, 3)]
