from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib import guardrails
from chalicelib.finding import RESOLVED, Finding, Resource
from chalicelib.settings import Settings
from tests.guarded import admitted, decided, guarded, made
from tests.worlds import HOME, MEMBER, finding_event, playbook, recorded

INSTANCE = Resource("instance", "i-1")
USER = Resource("iam_user", "deploy", attributes={"user_name": "deploy"})
BUCKET = Resource("bucket", "b", "arn:aws:s3:::b")
FINDING = Finding("id", "aws.guardduty", "T", "t", 8.0, MEMBER, "us-east-1", INSTANCE)
KEY, ROLE = "guardduty/stolen_access_key_user.json", "guardduty/stolen_role_credentials.json"
MINER, OPENED = "guardduty/crypto_currency_ec2.json", "guardduty/public_bucket.json"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"status": RESOLVED}, "resolved"),
        ({"archived": True}, "archived"),
        ({"status": RESOLVED, "archived": True}, "resolved"),
        ({"resource": USER}, "iam_user deploy is a responder (arn:aws:iam::*:user/deploy)"),
        ({"resource": USER, "partition": "aws-cn"}, ""),
        ({"resource": BUCKET}, ""),
        ({"resource": BUCKET, "resources": (BUCKET, USER)}, ""),
        ({"resource": Resource("instance", "i-2")}, "instance i-2 is a responder"),
        ({"resource": Resource("instance", "i-2"), "account": "9" * 12}, ""),
    ],
)
def test_some_findings_are_left_alone(changes: dict[str, Any], reason: str) -> None:
    """What is resolved, archived or about a responder is left alone, and why is said."""
    responders = ("arn:aws:iam::*:user/deploy", f"arn:aws:ec2:*:{MEMBER}:instance/i-2")
    settings = Settings("test", HOME, "us-east-1", responders=responders)
    found = guardrails.exempt(settings, replace(FINDING, **changes))

    assert bool(reason) == bool(found)
    assert reason in found


@pytest.mark.parametrize(
    ("event", "exempt", "said"),
    [
        (MINER, {"accounts": [MEMBER]}, f"account {MEMBER} is exempt"),
        (MINER, {"accounts": ["9" * 12]}, ""),
        (MINER, {"resources": ["arn:aws:ec2:*:*:instance/i-0a1b2c3d4e5f60718"]}, "is exempt (arn"),
        (MINER, {"resources": [f"arn:aws:ec2:*:{MEMBER}:instance/i-0a1b*"]}, "is exempt (arn"),
        (MINER, {"resources": ["arn:aws:ec2:*:*:instance/i-0b*"]}, ""),
        (OPENED, {"resources": ["arn:aws:s3:::shop-*"]}, "bucket shop-invoices is exempt"),
        (OPENED, {"resources": ["arn:aws:s3:::other-*"]}, ""),
        (KEY, {"principals": [f"arn:aws:iam::{MEMBER}:user/*"]}, "is a responder"),
        (KEY, {"principals": [f"arn:aws:iam::{MEMBER}:role/*"]}, ""),
        (ROLE, {"principals": ["web-*"]}, "is a responder (web-*)"),
        (ROLE, {"principals": ["WEB-*"]}, ""),
    ],
)
def test_what_the_security_account_exempts_is_left_alone(
    tmp_path: Path, event: str, exempt: dict[str, Any], said: str
) -> None:
    """An account, a resource or a principal that the file names starts nothing, on record."""
    with guarded(tmp_path, {"exempt": exempt}) as stage:
        raw = recorded(event)
        raw["account"] = raw["detail"]["accountId"] = MEMBER
        decision = decided(stage, raw)

        assert ("exempt" if said else "started") == decision.decision
        assert said in decision.reason
        if said:
            (record,) = stage.desk.tables.records(decision.audit)
            assert ("exempt", decision.reason) == (record.kind, record.what["reason"])


@pytest.mark.parametrize("said", ["FederatedUser", "AssumedRole", "SAMLUser", "AWSAccount"])
def test_a_name_that_its_bearer_chose_exempts_nobody(tmp_path: Path, said: str) -> None:
    """Whoever calls a federated session, or a role, like a responder's user is not that user."""
    principals = {"principals": ["arn:aws:iam::*:user/break-glass-*"]}
    with guarded(tmp_path, {"exempt": principals}) as stage:
        event = recorded(KEY)
        event["account"] = event["detail"]["accountId"] = MEMBER
        given = event["detail"]["resource"]["accessKeyDetails"]
        given |= {"userName": "break-glass-1", "userType": said}
        head = admitted(stage, event)

        assert ("enforce", "") == (head.mode, head.why)


@pytest.mark.parametrize(("issuer", "found"), [("9" * 12, False), (MEMBER, True), (None, True)])
def test_a_user_of_another_account_is_not_the_one_that_is_exempt(
    issuer: str | None, found: bool
) -> None:
    """The same name in an account of the attacker's own is another user."""
    given = {"user_name": "deploy", "user_type": "IAMUser", "issuer_account": issuer}
    key = Resource("access_key", "AKIA0", attributes=given)
    settings = Settings("test", HOME, "us-east-1", responders=("arn:aws:iam::*:user/deploy",))

    assert found == bool(guardrails.exempt(settings, replace(FINDING, resource=key)))


@pytest.mark.parametrize("text", ["{}", "no: guardrails: at all"])
def test_it_never_locks_itself_out(tmp_path: Path, text: str) -> None:
    """Firebreak's own roles are exempt, whatever the file says, also where it cannot be read."""
    with guarded(tmp_path, text) as stage:
        for name in ("firebreak-replay-member", "firebreak-replay-run_step"):
            event = recorded(ROLE)
            event["detail"]["resource"]["accessKeyDetails"]["userName"] = name
            event["account"] = event["detail"]["accountId"] = HOME

            assert "exempt" == decided(stage, event).decision


def test_a_principal_is_not_contained_by_any_finding(tmp_path: Path) -> None:
    """A step that would lock out who is exempt is refused, whatever the finding is about."""
    given = {"role_name": "web-shop"}
    steps = [{"name": "revoke", "action": "revoke_role_sessions", "with": given}]
    known = {"test": playbook(steps=steps)}
    with guarded(tmp_path, {"exempt": {"principals": ["web-*"]}}, known) as stage:
        event = made(stage, finding_event())
        trust = '{"Version":"2012-10-17","Statement":[]}'
        iam = stage.cloud.session(MEMBER).client("iam")
        iam.create_role(RoleName="web-shop", AssumeRolePolicyDocument=trust)
        head = admitted(stage, event)

        assert "failed" == head.status
        assert "responder: arn:aws:iam::222233334444:role/web-shop" in head.reason
