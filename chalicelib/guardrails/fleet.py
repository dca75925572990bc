"""Limits as a share of a fleet: at most so many of the instances of a VPC in so long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib import ec2
from chalicelib.actions import actions
from chalicelib.errors import NotApplicable
from chalicelib.finding import Finding
from chalicelib.guardrails.configuration import Configuration, Share
from chalicelib.guardrails.limits import LARGEST, Window
from chalicelib.guardrails.live import UNREADABLE, kept, reader, said
from chalicelib.playbook import Playbook

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk

ALIVE = ["pending", "running"]  # the states of what counts as the fleet
SECONDS = 60.0  # for which a fleet's size is kept


def windows(
    desk: Desk, configuration: Configuration, playbook: Playbook, finding: Finding
) -> tuple[tuple[Window, ...], str]:
    """Return what an instance counts towards in each of its VPCs; and why that is not known.

    Only playbooks that contain something take a share of a fleet.
    """
    share = configuration.shares.get(finding.resource.kind)
    if share is None or not _contains(playbook):
        return (), ""
    try:
        found = [_window(desk, finding, share, vpc) for vpc in _vpcs(desk, finding)]
    except NotApplicable:
        return (), ""  # what is gone is no part of a fleet
    except UNREADABLE as error:
        return (), f"the share of the fleet cannot be read: {said(error)}"
    return tuple(found), ""


def _contains(playbook: Playbook) -> bool:
    known = actions()
    used = (known.get(step.action) for step in playbook.all_steps())
    return any(action is None or action.contains for action in used)


def _vpcs(desk: Desk, finding: Finding) -> list[str]:
    """Return the VPCs that an instance has interfaces in, from the event, else from EC2."""
    given = finding.resource.attributes.get("vpc_ids")
    if isinstance(given, list) and given:
        return sorted({str(each) for each in given})
    shown = ec2.instance(reader(desk, finding), finding.resource.id)
    return sorted({str(each["VpcId"]) for each in shown.get("NetworkInterfaces", ())})


def _window(desk: Desk, finding: Finding, share: Share, vpc: str) -> Window:
    key = ("fleet", finding.account, finding.region, vpc)
    size = kept(desk, key, SECONDS, lambda: _size(desk, finding, vpc))
    most = min(max(1, size * share.percent // 100), LARGEST)
    name = f"share/{finding.resource.kind}/{finding.account}/{finding.region}/{vpc}"
    return Window(name, most, share.per, distinct=True)


def _size(desk: Desk, finding: Finding, vpc: str) -> int:
    """Return how many instances a VPC has.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
    """
    filters: list[Any] = [
        {"Name": "vpc-id", "Values": [vpc]},
        {"Name": "instance-state-name", "Values": ALIVE},
    ]
    found = reader(desk, finding).pages(
        "ec2", "describe_instances", "Reservations", Filters=filters
    )
    return sum(len(each["Instances"]) for each in found)
