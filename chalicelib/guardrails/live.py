"""How guardrails read AWS: in a session that only reads, and not for every finding anew."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws import Access, Place
from chalicelib.errors import Outcome
from chalicelib.finding import Finding
from chalicelib.policy import reading_policy
from chalicelib.runner.reading import LiveReader

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk

READ = TypeVar("READ")
UNREADABLE = (BotoCoreError, ClientError, Outcome)  # what a read fails with
CACHED = 1_000

# What the session in the resource's account may do; the member role must have all of it.
PERMISSIONS = (
    "ec2:DescribeImages",
    "ec2:DescribeInstances",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshots",
    "ec2:DescribeVolumes",
    "iam:ListRoleTags",
    "iam:ListUserTags",
    "lambda:ListTags",
    "rds:DescribeDBInstances",
    "s3:GetBucketLocation",
    "s3:ListTagsForResource",
)
HOME_PERMISSIONS = ("organizations:ListParents",)  # of on_event's own role

_KEPT: WeakKeyDictionary[Access, dict[Hashable, tuple[float, Any]]] = WeakKeyDictionary()


def reader(desk: Desk, finding: Finding) -> LiveReader:
    """Return a reader of the account and region of a finding; its session is narrowed to reading.

    It is the same session for all findings of a place, so that a burst does not assume it anew.
    """
    policy = reading_policy(PERMISSIONS, finding.region)
    settings = desk.settings
    return LiveReader(
        access=desk.access,
        place=Place(finding.account, finding.region, policy, "firebreak-guardrails"),
        clock=desk.clock,
        partition=finding.partition,
        finding={},
        remediation="",
        playbook="",
        step="guardrails",
        topic_arn=settings.topic_arn,
        stage=settings.stage,
        responders=settings.responders,
        own_networks=settings.own_networks,
    )


def kept(desk: Desk, key: Hashable, seconds: float, read: Callable[[], READ]) -> READ:
    """Return what was read under a key not longer ago than so many seconds, else read it now."""
    held = _KEPT.setdefault(desk.access, {})
    now = desk.clock.seconds()
    until, value = held.get(key, (0.0, None))
    if now < until:
        found: READ = value
        return found
    found = read()
    if len(held) >= CACHED:
        held.clear()
    held[key] = (now + seconds, found)
    return found


def said(error: Exception) -> str:
    """Return why a read failed, in a few words; AWS's own message is left to the log."""
    if isinstance(error, ClientError):
        return f"{error.response['Error']['Code']} on {error.operation_name}"
    return str(error) if isinstance(error, Outcome) else type(error).__name__
