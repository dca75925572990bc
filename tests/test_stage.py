"""Tests of a stage in the embedded AWS: its roles have the policies of a deployment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib import actions as registry
from chalicelib import store
from chalicelib.actions import actions
from firebreak import iam, roles
from firebreak.cloud import Cloud
from firebreak.stage import Stage, staged
from tests.scheduled import blocking, contained, delivered, denied, head_of, prepared
from tests.worlds import HOME, MEMBER, finding_event, world

BOOK = {"block": blocking()}


@contextmanager
def without(monkeypatch: pytest.MonkeyPatch, maker: str, permission: str) -> Iterator[None]:
    """Leave one permission out of what a maker of policies makes."""
    made: Callable[..., dict[str, Any]] = getattr(iam, maker)

    def narrower(*given: Any) -> dict[str, Any]:
        policy = made(*given)
        kept = [
            {**each, "Action": [a for a in each["Action"] if a != permission]}
            for each in policy["Statement"]
        ]
        return {**policy, "Statement": [each for each in kept if each["Action"]]}

    with monkeypatch.context() as patch:
        patch.setattr(iam, maker, narrower)
        roles.member_texts.cache_clear()
        roles._function_policy.cache_clear()
        yield
    roles.member_texts.cache_clear()
    roles._function_policy.cache_clear()


def reasons(stage: Stage, identity: str) -> str:
    """Return what the steps of a remediation say."""
    found = store.results(stage.desk.tables, identity, "apply")
    return " ".join([*(each.reason for each in found), head_of(stage, identity).reason])


def test_it_contains_with_what_it_is_given() -> None:
    """Functions, machine and role do their work under the derived policies."""
    with world(BOOK) as stage:
        contained(stage)

        assert denied(stage)
        policies = [c for c in stage.cloud.calls if c.operation == "CreateNetworkAclEntry"]
        assert {"run_step"} == {call.function for call in policies}


@pytest.mark.parametrize(
    ("maker", "permission"),
    [
        ("member_policy", "ec2:CreateNetworkAclEntry"),
        ("member_boundary", "ec2:CreateNetworkAclEntry"),
        ("member_policy", "ec2:DescribeNetworkAcls"),
    ],
)
def test_what_the_role_may_not_fails_in_replay(
    monkeypatch: pytest.MonkeyPatch, maker: str, permission: str
) -> None:
    """Without one permission of policy or boundary the step fails, and says which."""
    with without(monkeypatch, maker, permission), world(BOOK) as stage:
        (decision,) = delivered(stage, prepared(stage, finding_event()))

        assert f"not authorized to perform: {permission}" in reasons(
            stage, str(decision["remediation"])
        )
        assert not denied(stage)


def test_what_an_action_does_not_declare_fails_in_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that its action does not declare is refused, whatever the role may do."""
    known = actions()["deny_in_network_acl"]
    fewer = tuple(each for each in known.permissions if each != "ec2:CreateNetworkAclEntry")
    monkeypatch.setitem(registry._REGISTERED, known.name, replace(known, permissions=fewer))
    actions.cache_clear()
    try:
        with world(BOOK) as stage:
            (decision,) = delivered(stage, prepared(stage, finding_event()))

            said = reasons(stage, str(decision["remediation"]))
    finally:
        monkeypatch.undo()
        actions.cache_clear()
        roles.member_texts.cache_clear()
    assert "not authorized to perform: ec2:CreateNetworkAclEntry" in said


@pytest.mark.parametrize(
    "permission",
    ["dynamodb:ConditionCheckItem", "dynamodb:BatchGetItem", "sts:AssumeRole"],
)
def test_what_a_function_may_not_fails_in_replay(
    monkeypatch: pytest.MonkeyPatch, permission: str
) -> None:
    """Without one permission of a function's own role nothing is contained."""
    with without(monkeypatch, "function_policy", permission), world(BOOK) as stage:
        stage.cloud.emit(prepared(stage, finding_event()))

        assert not denied(stage)


def test_a_machine_without_its_permission_runs_nothing() -> None:
    """A state machine invokes the function as its role, which has to be allowed to."""
    with world(BOOK) as stage:
        client = stage.cloud.session().client("iam")
        other = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "arn:aws:x"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [other]})
        client.put_role_policy(
            RoleName="firebreak-replay-machines", PolicyName=roles.NAME, PolicyDocument=policy
        )
        stage.cloud.emit(prepared(stage, finding_event()))
        for arn in stage.cloud.executions:
            assert "FAILED" == stage.cloud.wait(arn)["status"]

        assert not denied(stage)
        (refused, *_) = [c for c in stage.cloud.calls if c.operation == "Invoke"]
        assert ("AccessDeniedException", "states") == (refused.code, refused.session_name)


def test_the_desk_is_not_let_into_accounts() -> None:
    """Only functions assume the role; others where the stage is told to trust them."""
    administrator = f"arn:aws:iam::{HOME}:root"
    for trusted, wanted in (((), "AccessDenied"), ((administrator,), "ok")):
        with Cloud(HOME) as cloud, staged(cloud, {}, trusted=trusted) as stage:
            stage.admit_account(MEMBER)

            assert wanted == assumed(stage)


def assumed(stage: Stage, external_id: str = "firebreak-replay") -> str:
    """Try to assume the role in the member account as an administrator; return what is said."""
    try:
        stage.cloud.session().client("sts").assume_role(
            RoleArn=stage.settings.member_role_arn(MEMBER),
            RoleSessionName="desk",
            ExternalId=external_id,
        )
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def test_the_external_id_is_asked_for() -> None:
    """Who is trusted and does not know the external id is not let in."""
    with world() as stage:
        stage.admit_account(MEMBER)

        assert "AccessDenied" == assumed(stage, "another")


def test_firebreak_does_not_change_its_own_roles() -> None:
    """The role in the security account, which could change the functions' roles, is denied it."""
    with world() as stage:
        credentials = (
            stage.cloud.session()
            .client("sts")
            .assume_role(
                RoleArn=stage.settings.member_role_arn(HOME),
                RoleSessionName="desk",
                ExternalId="firebreak-replay",
            )["Credentials"]
        )
        client = stage.cloud.session().client("iam")
        session = boto3.Session(
            credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
        )
        tags = {"Tags": [{"Key": "k", "Value": "v"}]}
        client.create_role(RoleName="other", AssumeRolePolicyDocument="{}")
        session.client("iam").tag_role(RoleName="other", **tags)
        with pytest.raises(ClientError, match="with an explicit deny in an identity-based policy"):
            session.client("iam").tag_role(RoleName="firebreak-replay-run_step", **tags)
