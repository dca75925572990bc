"""Whom a finding is about does not decide, under whatever name the finding or AWS knows them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.deciding.involved import refuse_involved
from chalicelib.deciding.people import IAM_ROLE, IAM_USER, IDENTITY_CENTER, Person
from chalicelib.errors import NotDecided
from chalicelib.finding import Finding, Resource, document
from tests.deciding.drive import PERMISSION_SET, Waiting, key_event, waiting
from tests.worlds import HOME, MEMBER, finding_event

ROLE = Person(
    IAM_ROLE,
    f"arn:aws:iam::{HOME}:role/Admin",
    f"arn:aws:sts::{HOME}:assumed-role/Admin/bob",
    HOME,
    "Admin",
    "bob",
    "AROAEXAMPLE0ADMIN0000",
    "ASIAEXAMPLE0000000ME",
)
USER = replace(
    ROLE,
    kind=IAM_USER,
    id=f"arn:aws:iam::{HOME}:user/alice",
    arn=f"arn:aws:iam::{HOME}:user/alice",
    name="alice",
    session="",
    principal_id="AIDAEXAMPLE0ALICE0000",
)
PERSON = replace(ROLE, kind=IDENTITY_CENTER, id="bob", name=PERMISSION_SET)
ELSEWHERE = "AWSReservedSSO_Developer_fedcba9876543210"


DESK: Any = None  # nothing is looked up


def key(user_name: str, user_type: str = "AssumedRole", **more: Any) -> Resource:
    role = {"role_name": user_name} if user_type == "AssumedRole" else {}
    at = {"user_name": user_name, "user_type": user_type, **role, **more}
    return Resource("access_key", "ASIAOTHER", None, at)


def role(name: str, **more: Any) -> Resource:
    return Resource("iam_role", name, None, {"role_name": name, **more})


def refused(person: Person, resource: Resource, account: str = HOME, *, first: bool = True) -> bool:
    """Say whether a person is refused for a resource, the finding's own or another of it."""
    other = Resource("bucket", "other")
    finding = Finding(
        id="f",
        source="aws.guardduty",
        type="t",
        title="t",
        severity=8.0,
        account=account,
        region="us-east-1",
        resource=resource if first else other,
        resources=(other, resource),
    )
    stored = json.loads(json.dumps(document(finding)))
    try:
        refuse_involved(DESK, person, stored)
    except NotDecided as wrong:
        assert (403, "involved") == (wrong.status, wrong.code)
        return True
    return False


SAME = [
    (ROLE, key("Admin")),
    (ROLE, key("ADMIN")),
    (ROLE, key("a/path/Admin")),
    (ROLE, role("Admin")),
    (ROLE, role("Admin", session_name="mallory")),
    (ROLE, Resource("iam_role", "x", f"arn:aws:iam::{HOME}:role/a/path/Admin", {})),
    (ROLE, Resource("iam_role", f"arn:aws:sts::{HOME}:assumed-role/Admin/mallory", None, {})),
    (ROLE, Resource("iam_role", "AROAEXAMPLE0ADMIN0000", None, {})),
    (ROLE, Resource("lambda_function", "f", None, {"role_name": "Admin"})),
    (
        ROLE,
        Resource("lambda_function", "f", None, {"role_arn": f"arn:aws:iam::{HOME}:role/p/Admin"}),
    ),
    (ROLE, Resource("lambda_function", "bob", None, {})),
    (ROLE, Resource("instance", "bob", None, {})),
    (ROLE, Resource("ecs_task", "arn:aws:ecs:us-east-1:111122223333:task/c/bob", None, {})),
    (ROLE, Resource("ecs_task", "another", None, {})),
    (ROLE, Resource("eks_cluster", "c", None, {})),
    (ROLE, Resource("kubernetes_user", f"arn:aws:iam::{HOME}:role/Admin", None, {})),
    (USER, key("alice", "IAMUser")),
    (USER, Resource("iam_user", "Alice", None, {"user_name": "Alice"})),
    (USER, Resource("iam_user", "AIDAEXAMPLE0ALICE0000", None, {})),
    (USER, Resource("principal", f"{HOME}:alice", None, {"principal_id": f"{HOME}:alice"})),
    (PERSON, key(PERMISSION_SET, session_name="carol")),
    (PERSON, key(PERMISSION_SET, session_name="bob")),
]


@pytest.mark.parametrize("first", [True, False], ids=["primary", "another"])
@pytest.mark.parametrize(("person", "resource"), SAME, ids=str)
def test_whom_a_finding_at_home_is_about(person: Person, resource: Resource, first: bool) -> None:
    """By name, whatever its case and path, by IAM's own id, and by what they run."""
    assert refused(person, resource, first=first)


OTHERS = [
    (ROLE, key("Administrator")),
    (ROLE, key("Adm")),
    (ROLE, role("Other", session_name="bob")),
    (ROLE, Resource("lambda_function", "f", None, {"role_name": "Other"})),
    (ROLE, Resource("instance", "i-1", None, {})),
    (ROLE, Resource("bucket", "Admin", None, {})),
    (USER, key("alicea", "IAMUser")),
    (USER, Resource("ecs_task", "another", None, {})),
    (USER, Resource("instance", "i-1", None, {"profile_arn": "arn:aws:iam::1:instance-profile/x"})),
    (PERSON, role("Other", session_name="bob")),
    (PERSON, key(ELSEWHERE, session_name="carol")),
    (PERSON, Resource("ecs_task", "another", None, {})),
]


@pytest.mark.parametrize(("person", "resource"), OTHERS, ids=str)
def test_whom_a_finding_is_not_about(person: Person, resource: Resource) -> None:
    """A name that is only like theirs, or a session named like a person, keeps nobody out."""
    assert not refused(person, resource)


@pytest.mark.parametrize("known", ["AROAEXAMPLE0OTHER0000:x", None])
def test_a_name_in_another_account(known: str | None) -> None:
    """There it is another's where IAM's id says so; where nothing says so, it may be theirs."""
    more = {"principal_id": known} if known else {}

    assert (known is None) == refused(ROLE, key("Admin", **more), MEMBER)


def test_an_id_counts_everywhere() -> None:
    """A finding of another account that names the very principal, or its key, is about them."""
    theirs = {"principal_id": "AROAEXAMPLE0ADMIN0000:mallory"}

    assert refused(ROLE, key("Renamed", **theirs), MEMBER)
    assert refused(ROLE, Resource("access_key", "ASIAEXAMPLE0000000ME"), MEMBER)


def test_a_person_of_identity_center_is_the_same_in_every_account() -> None:
    """Their session in any account, by whichever permission set, is theirs, whatever its case."""
    more = {"principal_id": "AROAEXAMPLE0OTHER0000:BOB"}

    assert refused(PERSON, role(ELSEWHERE, **more), MEMBER)
    assert not refused(ROLE, role(ELSEWHERE, **more), MEMBER)


# --- through the route ----------------------------------------------------------------------------


def profile(asked: Waiting, name: str, *roles: str) -> None:
    """Make an instance profile of the security account with these roles in it."""
    iam = asked.stage.cloud.session().client("iam")
    iam.create_instance_profile(InstanceProfileName=name)
    for each in roles:
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=each)


def instance_at_home() -> dict[str, Any]:
    event = finding_event()
    event["account"] = event["detail"]["accountId"] = HOME
    arn = f"arn:aws:iam::{HOME}:instance-profile/a/path/web"
    event["detail"]["resource"]["instanceDetails"]["iamInstanceProfile"] = {"arn": arn}
    return event


def test_the_role_of_the_instance_does_not_decide() -> None:
    """Whatever the profile and the session are called; another role, and a user, do."""
    with waiting(instance_at_home()) as asked:
        theirs, other = asked.session("server", "x1"), asked.session("other", "x1")
        profile(asked, "web", "server")

        status, answer = asked.decide(theirs)

        assert (403, "involved") == (status, answer["error"])
        assert "wait" == asked.head.phase
        assert 200 == asked.decide(other)[0]


def test_where_the_profile_is_gone_a_role_does_not_decide() -> None:
    """Nobody knows any more as which role the instance ran: a user has to decide."""
    with waiting(instance_at_home()) as asked:
        assert 403 == asked.decide(asked.session("other", "x1"))[0]
        assert 200 == asked.decide(asked.user())[0]


def test_whose_key_was_stolen_does_not_decide() -> None:
    """Neither with the key nor otherwise; the other users do."""
    event = key_event(userName="alice", userType="IAMUser", principalId="AIDAIOSFODNN7OTHER00")
    with waiting(event) as asked:
        alice, bob = asked.user("Alice", "/a/path/"), asked.user("bob")
        head, kinds = asked.head, asked.kinds

        status, answer = asked.decide(alice)

        assert (403, "involved") == (status, answer["error"])
        assert (head, kinds) == (asked.head, asked.kinds)
        assert 200 == asked.decide(bob)[0]


def test_no_session_of_a_stolen_role_decides() -> None:
    """The role is one person, whichever session was stolen, and whatever the role's path is."""
    event = key_event(userName="Admin", userType="AssumedRole")
    with waiting(event) as asked:
        assert 403 == asked.decide(asked.session("Admin", "somebody-else", "/a/path/"))[0]
        assert 403 == asked.decide(asked.session("Admin", "x1"), "denied")[0]
        assert "wait" == asked.head.phase
