"""What was contained and is changed by hand: told once, with three values, and left alone."""

from __future__ import annotations

from typing import Any

from chalicelib import lifecycle
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.scheduled import (
    closing,
    contained,
    head_of,
    kinds,
    open_group,
    reconciled,
    told,
)
from tests.worlds import world

HOME = "111122223333"
GROUP = "sg-0a1b2c3d4e5f60718"
CLOSED = {"close": closing()}
SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def ec2(stage: Stage) -> Any:
    return stage.cloud.session(HOME).client("ec2")


def reopen(stage: Stage) -> None:
    """Open the port again, as a colleague or an attacker would."""
    ec2(stage).authorize_security_group_ingress(GroupId=GROUP, IpPermissions=[SSH])


def is_open(stage: Stage) -> bool:
    (group,) = ec2(stage).describe_security_groups(GroupIds=[GROUP])["SecurityGroups"]
    return any(
        rule.get("FromPort") == 22 and "0.0.0.0/0" in [each["CidrIp"] for each in rule["IpRanges"]]
        for rule in group["IpPermissions"]
    )


def drifted(stage: Stage) -> list[str]:
    return [message for message in told(stage) if "changed since" in message]


def test_what_stands_as_it_was_left_is_no_matter() -> None:
    """Nothing is found where nothing changed."""
    with world(CLOSED) as stage:
        contained(stage, open_group())

        assert {} == reconciled(stage)
        assert [] == drifted(stage)


def test_a_group_that_is_opened_again_is_told_once() -> None:
    """People get the three values and the commands; the group is not touched, nor told of twice."""
    with world(CLOSED) as stage:
        identity = contained(stage, open_group())
        reopen(stage)
        found = reconciled(stage)

        assert ["drift"] == list(found)
        (message,) = drifted(stage)
        assert {"Before", "As it was left", "Now", "What"} <= {
            line.partition(":")[0] for line in message.splitlines()
        }
        assert f"firebreak rollback {identity} --plan" in message
        assert {} == reconciled(stage)
        assert 1 == len(drifted(stage))
        assert is_open(stage)
        assert 1 == kinds(stage, identity).count("drifted")


def test_a_drift_that_was_mended_is_told_again_when_it_is_back() -> None:
    """Closed by hand, the matter is over; opened once more, it is a new one."""
    with world(CLOSED) as stage:
        contained(stage, open_group())
        reopen(stage)
        reconciled(stage)
        ec2(stage).revoke_security_group_ingress(GroupId=GROUP, IpPermissions=[SSH])
        assert ["drift"] == list(reconciled(stage))
        reopen(stage)
        reconciled(stage)

        assert 2 == len(drifted(stage))


def test_what_no_longer_exists_is_noted_once() -> None:
    """A group that was deleted is on record, and nobody is woken for it."""
    with world(CLOSED) as stage:
        identity = contained(stage, open_group())
        ec2(stage).delete_security_group(GroupId=GROUP)
        found = [reconciled(stage), reconciled(stage)]

        assert [["drift"], []] == [list(each) for each in found]
        assert "gone" in kinds(stage, identity)
        assert [] == drifted(stage)


def test_what_was_taken_back_is_not_looked_at() -> None:
    """After a roll-back an open group is as it should be."""
    with world(CLOSED) as stage:
        identity = contained(stage, open_group())
        lifecycle.start_undo(stage.desk, identity, {"by": "a person"})
        settle(stage)

        assert "rolled_back" == head_of(stage, identity).status
        assert is_open(stage)
        assert {} == reconciled(stage)
