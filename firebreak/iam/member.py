"""The role that Firebreak assumes in an account: what it may do, at most, and who may assume it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from chalicelib import grants, playbook
from chalicelib.actions import On, actions
from chalicelib.effect import canonical_text
from chalicelib.errors import InvalidSettings
from chalicelib.settings import (
    FUNCTIONS,
    defaults,
    forwarding_role,
    function_role,
    machine_role,
)
from firebreak.iam.declared import ANY, Need, needs, of_actions, reads
from firebreak.iam.documents import Document, Statement, document, filled, statement
from firebreak.iam.place import Place
from firebreak.reference import resource_types

_NAMED = defaults("{stage}", "{account}", "{region}", "{partition}")
# Each by its name: a role that only begins like them may be somebody's, and has to be contained.
OWN_ROLES = tuple(
    f"arn:{{partition}}:iam::{{account}}:role/{name}"
    for name in (
        _NAMED["FIREBREAK_MEMBER_ROLE"],
        forwarding_role("{stage}", "*-*-?"),  # of a region
        machine_role("{stage}"),
        *(function_role("{stage}", name) for name in FUNCTIONS),
    )
)


def member_policy(place: Place) -> Document:
    """Return what the role may do in its account: what is declared, in whichever region."""
    return document([*_allowed(needs(), place), *_own_roles_stay(needs(), place)])


def member_boundary(place: Place) -> Document:
    """Return the role's permissions boundary: never more than what is declared.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
    """
    every = {each.permission for each in needs()}
    return document([statement("Declared", every, (ANY,)), *_own_roles_stay(needs(), place)])


def playbook_policy(name: str, place: Place) -> Document:
    """Return what the steps of a playbook need, in the account and, to tell people, at home.

    Raise InvalidSettings where there is no such playbook.
    """
    known = playbook.load(playbook.FOLDER)
    if name not in known:
        raise InvalidSettings(f"playbook {name!r}: there are {', '.join(sorted(known))}")
    used = [actions()[each] for each in sorted({step.action for step in known[name].all_steps()})]
    mine = tuple(of_actions(used))
    home = [
        statement(each.name, each.actions, map(place.filled, each.resources))
        for action in used
        for each in grants.at_home(action)
    ]
    return document([*_allowed(mine, place), *home, *_own_roles_stay(mine, place)])


# --- what is allowed ------------------------------------------------------------------------------


def _allowed(found: Iterable[Need], place: Place) -> list[Statement]:
    """Return a statement for each set of resources that permissions have in common."""
    anywhere = replace(place, region=ANY)
    grouped: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for permission, on in _touched(found).items():
        for condition, arns in _by_condition(on).items():
            key = tuple(sorted(set(map(anywhere.filled, arns)))), condition
            grouped.setdefault(key, []).append(permission)
    return [
        statement("", each, arns, filled(json.loads(condition), place.filled))
        for (arns, condition), each in sorted(grouped.items())
    ]


def _touched(found: Iterable[Need]) -> dict[str, list[On]]:
    touched: dict[str, list[On]] = {}
    for need in found:
        touched.setdefault(need.permission, []).extend(need.on)
    return touched


def _by_condition(on: Sequence[On]) -> dict[str, list[str]]:
    """Return what a permission may touch, by condition; what is free anyway is not said again."""
    free = [each.arn for each in on if not each.condition]
    found: dict[str, list[str]] = {}
    for each in on:
        wider = (arn for arn in free if arn != each.arn or each.condition)
        if not any(fnmatchcase(each.arn, arn) for arn in wider):
            found.setdefault(canonical_text(each.condition), []).append(each.arn)
    return found


# --- what is not ----------------------------------------------------------------------------------


def _own_roles_stay(found: Iterable[Need], place: Place) -> list[Statement]:
    """Return what denies that Firebreak's own roles are changed by what it does to others."""
    changing = [each.permission for each in found if _changes_roles(each.permission)]
    if not changing:
        return []
    own = map(place.filled, OWN_ROLES)
    return [statement("OwnRolesStay", changing, own, effect="Deny")]


def _changes_roles(permission: str) -> bool:
    service, _, name = permission.partition(":")
    return service == "iam" and "role" in resource_types(service, name) and not reads(permission)


# --- who may assume it ----------------------------------------------------------------------------


def member_trust(place: Place, home: str, organization: str = "") -> Document:
    """Return who may assume the role: the functions that act in accounts, by their roles' ARNs.

    home: the security account. It trusts that account's root, on condition of the caller's ARN: a
    role named as the principal would have to exist first, and no longer be meant once it was made
    anew. organization: the id of the organisation that the caller must belong to, where there is.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    at_home = replace(place, account=home)
    role = "arn:{partition}:iam::{account}:role/"
    equal = {"sts:ExternalId": place.filled(_NAMED["FIREBREAK_EXTERNAL_ID"])}
    callers = [at_home.filled(role + function_role("{stage}", f)) for f in grants.assuming()]
    return document(
        [
            {
                "Effect": "Allow",
                "Principal": {"AWS": at_home.filled("arn:{partition}:iam::{account}:root")},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {**equal, **_member_of(organization)},
                    "ArnEquals": {"aws:PrincipalArn": sorted(callers)},
                },
            }
        ]
    )


def _member_of(organization: str) -> dict[str, str]:
    return {"aws:PrincipalOrgID": organization} if organization else {}
