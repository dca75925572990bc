"""A long-term key is switched off, and people learn what else its user can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from firebreak.cloud import Cloud
from firebreak.stage import staged
from tests.actions.drive import ACCOUNT, Bench, applied, planned
from tests.worlds import DESK


def user_with_key(
    session: boto3.Session, name: str = "deploy", status: str = "Active"
) -> dict[str, Any]:
    """Make a user with one access key, and return the parameters that name it."""
    iam = session.client("iam")
    iam.create_user(UserName=name, Path="/service/")
    return {"access_key_id": key_of(session, name, status), "user_name": name}


def key_of(session: boto3.Session, name: str, status: str = "Active") -> str:
    """Make one more access key of a user, and return its id."""
    iam = session.client("iam")
    key = str(iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"])
    if status != "Active":
        iam.update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")
    return key


def active(session: boto3.Session) -> dict[str, Any]:
    """Make a user with an active key."""
    return user_with_key(session)


def inactive(session: boto3.Session) -> dict[str, Any]:
    """Make a user whose key somebody switched off already."""
    return user_with_key(session, status="Inactive")


def one_of_two(session: boto3.Session) -> dict[str, Any]:
    """Make a user with two active keys and a console password."""
    params = user_with_key(session)
    key_of(session, "deploy")
    session.client("iam").create_login_profile(UserName="deploy", Password="Fr3e-br3ak!")
    return params


SCENES: dict[str, Callable[[boto3.Session], dict[str, Any]]] = {
    "active": active,
    "inactive": inactive,
    "one of two": one_of_two,
}


def status_of(session: boto3.Session, params: dict[str, Any]) -> str:
    """Return the status of the key that the parameters name."""
    keys = session.client("iam").list_access_keys(UserName=params["user_name"])
    shown = {each["AccessKeyId"]: each["Status"] for each in keys["AccessKeyMetadata"]}
    return str(shown[params["access_key_id"]])


def test_the_key_is_inactive_and_active_after_undo(account: boto3.Session) -> None:
    """The key cannot be used until the remediation is taken back."""
    params = active(account)

    run = applied("deactivate_access_key", account, **params)

    assert ("done", ["iam:update_access_key"]) == (run.status, run.calls)
    assert "Inactive" == status_of(account, params)
    assert ["restored"] == [each["result"] for each in run.undo()]
    assert "Active" == status_of(account, params)


def test_a_key_that_was_inactive_stays_inactive(account: boto3.Session) -> None:
    """A key that somebody else switched off is not switched on by undo."""
    params = inactive(account)

    run = applied("deactivate_access_key", account, **params)
    run.undo()

    assert [] == run.calls
    assert "Inactive" == status_of(account, params)


def test_facts_say_what_else_the_user_can_do(account: boto3.Session) -> None:
    """Other active keys and the console password are named; inactive keys are not."""
    params = one_of_two(account)
    keys = account.client("iam").list_access_keys(UserName="deploy")["AccessKeyMetadata"]
    other = next(k["AccessKeyId"] for k in keys if k["AccessKeyId"] != params["access_key_id"])

    facts = applied("deactivate_access_key", account, **params).facts

    assert [other] == facts["other_active_keys"]
    assert facts["console_access"] is True
    assert facts["last_used"] is None
    assert facts["user_arn"].endswith(":user/service/deploy")
    assert any("GetSessionToken" in each for each in facts["survives"])


def test_a_key_without_company(account: boto3.Session) -> None:
    """A user with one key and no password has nothing else to show."""
    facts = applied("deactivate_access_key", account, **active(account)).facts

    assert ([], False) == (facts["other_active_keys"], facts["console_access"])


def test_a_plan_changes_nothing(account: boto3.Session) -> None:
    """A plan names the call that apply makes, and leaves the key as it is."""
    params = active(account)

    run = planned("deactivate_access_key", account, **params)

    assert "Active" == status_of(account, params)
    assert ["Inactive"] == [each["want"] for each in run.items]


def test_a_temporary_key_is_refused(account: boto3.Session) -> None:
    """A key of a session has no status; the way to end sessions is named."""
    run = applied(
        "deactivate_access_key", account, access_key_id="ASIA2222333344445555", user_name="deploy"
    )

    assert "refused" == run.status
    assert "temporary_credentials" in run.reason
    assert "revoke_role_sessions" in run.reason


@pytest.mark.parametrize("user_name", ["nobody", "deploy", "Root"])
def test_nothing_to_act_on(account: boto3.Session, user_name: str) -> None:
    """A user that is gone, a key of somebody else, and the root user are not applicable."""
    user_with_key(account)

    run = applied(
        "deactivate_access_key",
        account,
        access_key_id="AKIA2222333344445555",
        user_name=user_name,
    )

    assert ("not_applicable", []) == (run.status, run.calls)
    assert user_name in run.reason


def test_a_responder_is_refused() -> None:
    """Firebreak does not lock out those who respond, nor itself."""
    pattern = {"FIREBREAK_RESPONDERS": "arn:aws:iam::*:user/*deploy"}
    with Cloud() as cloud, staged(cloud, {}, pattern, trusted=DESK) as stage:
        stage.admit_account(ACCOUNT)
        Bench.stage = stage
        account = cloud.session(ACCOUNT)

        run = applied("deactivate_access_key", account, **active(account))

    assert ("refused", []) == (run.status, run.calls)
    assert "responder" in run.reason
