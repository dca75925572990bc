"""Users, access keys, roles and instance profiles, by the names and ids in the event."""

from __future__ import annotations

import json
from collections.abc import Mapping

from chalicelib.finding import Resource
from firebreak.scene.ids import given
from firebreak.scene.making import Making, NotMade

# What begins a role's name, and the path that IAM keeps such roles under.
PATHS: Mapping[str, str] = {
    "AWSServiceRoleFor": "/aws-service-role/amazonaws.com/",
    "AWSReservedSSO_": "/aws-reserved/sso.amazonaws.com/",
}
INLINE = "application"
ALLOWED = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}
NO_NAME = "the event has its unique id only, not its name"


def iam_user(making: Making, resource: Resource) -> None:
    """Make a user without a password."""
    name = resource.attributes.get("user_name")
    if name is None:
        raise NotMade(NO_NAME)
    _ensure_user(making, name, resource.attributes.get("principal_id"))


def _ensure_user(making: Making, name: str, user_id: str | None) -> None:
    if name in making.iam.users:
        return
    with given(user=user_id):
        making.iam.create_user(making.finding.region, name)
    making.made.append(f"user {name}")


def access_key(making: Making, resource: Resource) -> None:
    """Make the user and its active key, or the role whose session has the key."""
    at = resource.attributes
    issuer = at.get("issuer_account", making.finding.account)
    if issuer != making.finding.account:
        raise NotMade(f"it belongs to account {issuer}")
    if at.get("role_name"):
        iam_role(making, resource)
    elif at.get("user_type") == "IAMUser" and at.get("user_name"):
        _key_of_user(making, resource, at["user_name"])
    else:
        raise NotMade(f"there is nothing to make for {at.get('user_type', 'an unknown caller')}")


def _key_of_user(making: Making, resource: Resource, user_name: str) -> None:
    _ensure_user(making, user_name, resource.attributes.get("principal_id"))
    if resource.id.startswith("ASIA"):
        raise NotMade("a user's temporary key is nothing that IAM shows")
    if resource.id in making.iam.access_keys:
        return
    with given(access_key=resource.id):
        making.iam.create_access_key(user_name)
    making.made.append(f"active access key {resource.id} of {user_name}")


def iam_role(making: Making, resource: Resource) -> None:
    """Make a role, and an instance profile where an instance has the session."""
    at = resource.attributes
    name = at.get("role_name")
    if name is None:
        raise NotMade(NO_NAME)
    if at.get("session_name", "").startswith("i-"):
        ensure_profile(making, name, name)
    ensure_role(making, name, role_id=at.get("principal_id", "").partition(":")[0])


def ensure_role(making: Making, name: str, *, path: str | None = None, role_id: str = "") -> None:
    """Make a role with an inline policy, unless it is there."""
    if any(each.name == name for each in making.iam.roles.values()):
        return
    reserved = next((at for start, at in PATHS.items() if name.startswith(start)), "/")
    with given(role=role_id or _known_id(making, name)):
        making.iam.create_role(name, _trust(making), path or reserved, None, "", [], "3600")
    making.iam.put_role_policy(name, INLINE, json.dumps(ALLOWED))
    making.made.append(f"role {name} with an inline policy")


def _known_id(making: Making, role_name: str) -> str | None:
    """Return the unique id of a role in the event: what is before the colon of AROA…:session."""
    ids = (
        each.attributes.get("principal_id", "").partition(":")[0]
        for each in making.resources
        if each.attributes.get("role_name") == role_name
    )
    return next((each for each in ids if each), None)


def _trust(making: Making) -> str:
    root = f"arn:{making.finding.partition}:iam::{making.finding.account}:root"
    principal = {"AWS": root, "Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def ensure_profile(making: Making, name: str, role_name: str) -> None:
    """Make an instance profile with a role in it, unless it is there."""
    if name in making.iam.instance_profiles:
        return
    ensure_role(making, role_name)
    making.iam.create_instance_profile(name, "/", [role_name])
    making.made.append(f"instance profile {name} with role {role_name}")


def role_of_instance(making: Making, instance_id: str) -> str | None:
    """Return the role whose session, in the event, bears the instance's id."""
    for each in making.resources:
        if each.attributes.get("session_name") == instance_id:
            return each.attributes.get("role_name")
    return None
