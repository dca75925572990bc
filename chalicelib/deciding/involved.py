"""Whom a finding is about: they do not decide what becomes of it.

Everything is compared without regard to case, since IAM takes two names that differ in case only
for the same. A name counts in the finding's account; in another only where the finding does not
give IAM's own id of the principal, which would tell the two apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.deciding.people import IAM_ROLE, IDENTITY_CENTER, RESERVED, Person
from chalicelib.errors import NotDecided
from chalicelib.gone import is_code
from chalicelib.runner.work import Desk

PRINCIPALS = ("access_key", "iam_user", "iam_role", "root", "principal", "kubernetes_user")
# What runs under a role that no finding names.
UNNAMED = ("ecs_cluster", "ecs_task", "container", "eks_cluster", "kubernetes_workload")


@dataclass(frozen=True, slots=True)
class Trace:
    """Hold under what a resource's principal may be known, all in lower case.

    ids: IAM's own and access keys'. told: IAM's own is among them. workload: under which session
    name a machine calls, which is its own id.
    """

    names: frozenset[str]
    sessions: frozenset[str]
    ids: frozenset[str]
    told: bool
    workload: str


def refuse_involved(desk: Desk, person: Person, finding: Mapping[str, Any]) -> None:
    """Raise NotDecided for whom a finding is about, whichever of its resources names them."""
    for resource in (finding["resource"], *finding["resources"]):
        about = _about(desk, person, str(finding["account"]), resource)
        if about:
            raise NotDecided(
                403, "involved", f"{person.id} does not decide: the finding is about {about}"
            )


def _about(desk: Desk, person: Person, account: str, resource: Mapping[str, Any]) -> str:
    """Say what of a resource a person is; "" where it is nothing."""
    trace, same = _trace(resource), person.account == account
    anywhere = resource["kind"] in PRINCIPALS and not trace.told
    if {person.principal_id.casefold(), person.access_key.casefold()} & trace.ids:
        return f"the very {resource['kind']}"
    if person.kind == IDENTITY_CENTER and _is_session(person, trace):
        return "a session of this person's"
    if person.name.casefold() in trace.names and (same or anywhere):
        return person.name
    return _runs(desk, person, resource, trace) if same and person.kind == IAM_ROLE else ""


def _runs(desk: Desk, person: Person, resource: Mapping[str, Any], trace: Trace) -> str:
    """Say what may call as a role of its account; "" where that is nothing."""
    if person.session.casefold() == trace.workload:
        return f"{resource['id']}, whose session this is"
    if resource["kind"] in UNNAMED:
        return f"{resource['kind']} {resource['id']}, which may run as this role"
    if person.name.casefold() in _profile_roles(desk, resource):
        return f"{resource['id']}, which runs as this role"
    return ""


def _is_session(person: Person, trace: Trace) -> bool:
    """Say whether it is a session of this person's, through whichever account's role it was."""
    reserved = any(name.startswith(RESERVED.casefold()) for name in trace.names)
    return reserved and person.session.casefold() in trace.sessions


def _trace(resource: Mapping[str, Any]) -> Trace:
    attributes, principal = resource["attributes"], resource["kind"] in PRINCIPALS
    said = str(attributes.get("principal_id") or "").casefold()
    own, _, session = said.partition(":")
    ids = {own} | ({_text(resource["id"])} if principal else set())
    named = [_text(attributes.get(each)) for each in ("user_name", "role_name", "role_arn")]
    if principal:
        named += [_text(resource["id"]), _text(resource["arn"])]
    return Trace(
        names=frozenset(part for name in named for part in _parts(name)),
        sessions=frozenset({session, _text(attributes.get("session_name"))} - {""}),
        ids=frozenset(ids - {""}),
        told=bool(re.match("a[a-z]{3}[a-z0-9]{12,}", own)),
        workload="" if principal else _text(resource["id"]).rpartition("/")[2],
    )


def _parts(name: str) -> Iterator[str]:
    """Yield a name, without its path; of an ARN each part that may be the name."""
    parts = name.rpartition(":")[2].split("/")
    yield from (part for part in (name, *(parts[1:] if ":" in name else ()), parts[-1]) if part)


def _text(value: Any) -> str:
    return str(value or "").casefold()


def _profile_roles(desk: Desk, resource: Mapping[str, Any]) -> set[str]:
    """Return the roles of the profile of an instance at home: its name need not be theirs.

    Raise NotDecided where the profile is gone, so that nobody knows its role any more.
    """
    profile = str(resource["attributes"].get("profile_arn") or "")
    if not profile:
        return set()
    name = profile.rpartition("/")[2]
    try:
        found = desk.access.home("iam").get_instance_profile(InstanceProfileName=name)
    except ClientError as error:
        if is_code(error, "NoSuchEntity"):
            reason = f"the profile of {resource['id']} is gone: a user has to decide, not a role"
            raise NotDecided(403, "involved", reason) from error
        raise
    return {str(role["RoleName"]).casefold() for role in found["InstanceProfile"]["Roles"]}
