"""Who a person is: what AWS authenticated, and nothing that anybody can choose for themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.credentials import ReadOnlyCredentials

from chalicelib.deciding.people import IAM_ROLE, IAM_USER, authenticated, person
from chalicelib.errors import NotDecided
from firebreak.cloud.identity import SECRET, administrator_key
from tests.deciding.drive import PERMISSION_SET, RESERVED, Waiting, waiting
from tests.worlds import HOME, MEMBER

START = f"arn:aws:iam::{HOME}"
STS = f"arn:aws:sts::{HOME}:assumed-role"


@pytest.fixture
def asked() -> Iterator[Waiting]:
    """Give a remediation that waits."""
    with waiting() as made:
        yield made


def identity(arn: str, caller: str = "AIDAEXAMPLE", **more: Any) -> dict[str, Any]:
    return {"userArn": arn, "caller": caller, "accountId": HOME, "accessKey": "AKIA", **more}


@pytest.mark.parametrize(
    ("arn", "caller", "kind", "who", "name"),
    [
        (f"{START}:user/alice", "AIDAX", IAM_USER, f"{START}:user/alice", "alice"),
        (f"{START}:user/a/b/alice", "AIDAX", IAM_USER, f"{START}:user/a/b/alice", "alice"),
        (f"{STS}/Admin/alice", "AROAX:alice", IAM_ROLE, f"{START}:role/Admin", "Admin"),
        (f"{STS}/Admin/i-0abc", "AROAX:i-0abc", IAM_ROLE, f"{START}:role/Admin", "Admin"),
        (
            f"{STS}/{PERMISSION_SET}/alice",
            "AROAX:alice",
            IAM_ROLE,
            f"{START}:role/{PERMISSION_SET}",
            PERMISSION_SET,
        ),
    ],
)
def test_a_person_is_a_user_or_a_role(
    arn: str, caller: str, kind: str, who: str, name: str
) -> None:
    """A user is its ARN; all sessions of a role are the role, unless AWS says otherwise of it."""
    found = authenticated(identity(arn, caller))

    assert (kind, who, name) == (found.kind, found.id, found.name)


@pytest.mark.parametrize(
    "said",
    [
        None,
        {},
        "arn:aws:iam::111122223333:user/alice",
        identity(""),
        identity(f"{START}:user/alice", ""),
        identity(f"{START}:root", HOME),
        identity(f"{START}:user/"),
        identity(f"{START}:user/alice\n"),
        identity(f"{START}:role/Admin", "AROAX"),
        identity(f"{STS}/Admin", "AROAX"),
        identity(f"{STS}/Admin/alice", "AROAX:bob"),
        identity(f"{STS}/Admin/alice", "AROAX"),
        identity(f"{START}:user/alice", "AIDAX:alice"),
        identity(f"{START}:user/alice", accountId=MEMBER),
        identity(f"arn:aws:sts::{HOME}:federated-user/alice", f"{HOME}:alice"),
        identity(f"arn:aws:sts::{HOME}:assumed-root/alice", "AROAX:alice"),
        {"sourceIp": "127.0.0.1", "user": "alice"},
    ],
    ids=str,
)
def test_who_cannot_be_told_is_nobody(said: Any) -> None:
    """No identity, root, a federated user, or parts that contradict each other: refused."""
    with pytest.raises(NotDecided) as wrong:
        authenticated(said)
    assert (403, "not_a_person") == (wrong.value.status, wrong.value.code)


def test_in_identity_center_a_person_is_the_session(asked: Waiting) -> None:
    """A role that Identity Center made tells people apart by the session's name."""
    who = asked.session(PERMISSION_SET, "alice@example.com", RESERVED)

    _, answer = asked.decide(who)

    assert "alice@example.com" == answer["by"]
    assert f"{STS}/{PERMISSION_SET}/alice@example.com" == answer["principal"]


@pytest.mark.parametrize(
    ("role", "path"),
    [
        ("Admin", "/"),
        ("Admin", "/a/b/"),
        (PERMISSION_SET, "/"),
        (PERMISSION_SET, "/aws-reserved/"),
        (PERMISSION_SET.lower(), "/"),
    ],
)
def test_a_session_named_like_a_person_is_the_role(asked: Waiting, role: str, path: str) -> None:
    """Whoever makes a role can name it and its sessions as they like: one person, the role."""
    _, answer = asked.decide(asked.session(role, "alice@example.com", path))

    assert f"{START}:role/{role}" == answer["by"]


def test_a_role_that_was_made_again_is_another(asked: Waiting) -> None:
    """A session of a role that is gone does not pass for one of the role that took its name."""
    asked.session(PERMISSION_SET, "alice", RESERVED)
    gone = identity(f"{STS}/{PERMISSION_SET}/alice", "AROAGONE:alice")

    with pytest.raises(NotDecided, match="gone"):
        person(asked.stage.desk, {"identity": gone})


def test_a_role_that_is_gone_is_nobody(asked: Waiting) -> None:
    """Where IAM does not know a role that is named like Identity Center's, nobody can be told."""
    gone = identity(f"{STS}/{PERMISSION_SET}/alice", "AROAGONE:alice")

    with pytest.raises(NotDecided, match="gone"):
        person(asked.stage.desk, {"identity": gone})


def test_who_is_of_another_account_is_refused(asked: Waiting) -> None:
    """People decide through the security account, whatever lets them in."""
    other = {**identity(f"arn:aws:iam::{MEMBER}:user/alice"), "accountId": MEMBER}

    with pytest.raises(NotDecided, match="security account"):
        person(asked.stage.desk, {"identity": other})


@pytest.mark.parametrize(
    "role",
    ["firebreak-replay-api_handler", "firebreak-replay-run_step", "Firebreak-Replay-ON_EVENT"],
)
def test_firebreak_itself_is_no_person(asked: Waiting, role: str) -> None:
    """The roles of Firebreak's own functions cannot approve what they then do."""
    status, answer = asked.decide(asked.session(role, "x1"))

    assert (403, "not_a_person") == (status, answer["error"])
    assert "wait" == asked.head.phase


def test_root_is_no_person(asked: Waiting) -> None:
    """Root's credentials name nobody."""
    root = ReadOnlyCredentials(administrator_key(HOME), SECRET, None)
    status, answer = asked.decide(root)

    assert (403, "not_a_person") == (status, answer["error"])
    assert "wait" == asked.head.phase
