"""The roles of a stage in an embedded AWS: with the very policies that a deployment gives them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from chalicelib.effect import canonical_text
from chalicelib.settings import Settings, function_role, machine_role
from firebreak import iam
from firebreak.cloud import Cloud
from firebreak.iam import Place

NAME = "firebreak"  # of a role's inline policy


@dataclass(frozen=True, slots=True)
class Role:
    """Hold the name of a role, and its policy."""

    name: str
    policy: dict[str, Any]


def of_function(settings: Settings, function: str) -> Role:
    """Return the role of a function."""
    policy = _function_policy(function, _place(settings), settings.firewall_log_buckets)
    return Role(function_role(settings.stage, function), policy)


def make_machines(cloud: Cloud, settings: Settings, function_arn: str) -> None:
    """Make the role of the state machines, which invokes a function that has another name here."""
    (only,) = iam.machine_policy(_place(settings))["Statement"]
    policy = {"Version": "2012-10-17", "Statement": [{**only, "Resource": [function_arn]}]}
    client = cloud.session().client("iam")
    trust = {"Service": "states.amazonaws.com"}
    name = machine_role(settings.stage)
    client.create_role(RoleName=name, AssumeRolePolicyDocument=canonical_text(_trusting(trust)))
    client.put_role_policy(RoleName=name, PolicyName=NAME, PolicyDocument=canonical_text(policy))


def make_member(cloud: Cloud, settings: Settings, account: str, trusted: tuple[str, ...]) -> None:
    """Make the role that Firebreak assumes in an account, with its boundary.

    trusted: ARNs of those at a desk who may assume it, beside the functions.
    """
    client = cloud.session(account).client("iam")
    place = Place(settings.partition, account, settings.region, settings.stage)
    trust = iam.member_trust(place, settings.home_account)
    trust["Statement"][0]["Condition"]["ArnEquals"]["aws:PrincipalArn"] += trusted
    boundary = client.create_policy(
        PolicyName=f"{settings.member_role}-boundary", PolicyDocument=member_texts(place)[1]
    )["Policy"]["Arn"]
    client.create_role(
        RoleName=settings.member_role,
        AssumeRolePolicyDocument=canonical_text(trust),
        PermissionsBoundary=boundary,
    )
    client.put_role_policy(
        RoleName=settings.member_role, PolicyName=NAME, PolicyDocument=member_texts(place)[0]
    )


def _place(settings: Settings) -> Place:
    return Place(settings.partition, settings.home_account, settings.region, settings.stage)


def _trusting(principal: dict[str, str]) -> dict[str, Any]:
    allowed = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [allowed]}


@cache
def _function_policy(function: str, place: Place, buckets: tuple[str, ...]) -> dict[str, Any]:
    return iam.function_policy(function, place, buckets)


@cache
def member_texts(place: Place) -> tuple[str, str]:
    """Return policy and boundary as text."""
    return canonical_text(iam.member_policy(place)), canonical_text(iam.member_boundary(place))
