"""No permission can be taken away without something failing."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import pytest

from chalicelib.grants import grants
from chalicelib.permissions import iam_action
from chalicelib.settings import FUNCTIONS, forwarding_role, function_role, machine_role
from firebreak.cloud.policy import Request
from firebreak.cloud.roles import is_denial
from tests.deployed.accounts import AWAY, HOME, MEMBER
from tests.deployed.clone import STAGE
from tests.deployed.desk import of_instance
from tests.deployed.removing import unneeded
from tests.deployed.world import LOG_BUCKET, Deployed


def asked_of(stage: Deployed, role_arn: str) -> list[Request]:
    """Return all that a role was allowed in the tests before this one."""
    return [request for role, request in stage.asked if role == role_arn]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_lambda_does_in_a_functions_role_is_needed(stage: Deployed, function: str) -> None:
    """With any one permission less, Lambda is refused something that it did above."""
    arn = f"arn:aws:iam::{HOME}:role/{function_role(STAGE, function)}"
    spare = {each.action for each in unneeded(arn, asked_of(stage, arn))}
    lambdas = {a for g in grants(function, (LOG_BUCKET,)) if g.by_lambda for a in g.actions}

    assert set() == spare & lambdas


OTHERS = [
    f"arn:aws:iam::{HOME}:role/{machine_role(STAGE)}",
    f"arn:aws:iam::{HOME}:role/firebreak-{STAGE}-firewall-logs",
    f"arn:aws:iam::{MEMBER}:role/{forwarding_role(STAGE, AWAY)}",
]


@pytest.mark.parametrize("arn", OTHERS)
def test_what_services_do_in_a_role_is_needed(stage: Deployed, arn: str) -> None:
    """With any one permission less, no machine runs, and no event or log arrives."""
    assert [] == unneeded(arn, asked_of(stage, arn))


TAKEN = [
    (MEMBER, f"firebreak-{STAGE}-member", "ec2:ModifyNetworkInterfaceAttribute"),
    (MEMBER, forwarding_role(STAGE, AWAY), "events:PutEvents"),
    (HOME, function_role(STAGE, "on_event"), "states:StartExecution"),
    (HOME, function_role(STAGE, "run_step"), "sts:AssumeRole"),
    (HOME, function_role(STAGE, "run_step"), "sns:Publish"),
    (HOME, machine_role(STAGE), "lambda:InvokeFunction"),
]


@pytest.mark.parametrize(("account", "role", "action"), TAKEN)
def test_what_is_taken_away_is_missed_by_its_name(
    stage: Deployed, account: str, role: str, action: str
) -> None:
    """With a permission taken from the deployed role, containing fails there, and says which."""
    instance = f"i-{sha256(f'{role} {action}'.encode()).hexdigest()[:17]}"
    before, told = len(stage.cloud.calls), len(stage.cloud.denied)
    with without(stage, account, role, action):
        stage.happen(of_instance("guardduty/crypto_currency_ec2.json", instance))
    refused = {
        name
        for call in stage.cloud.calls[before:]
        if is_denial(call.code)
        for name in iam_action(call.service, call.operation)
    }
    refused |= {f"{each.service}:{each.operation}" for each in stage.cloud.denied[told:]}
    del stage.cloud.denied[told:]

    assert {action} == refused


@contextmanager
def without(stage: Deployed, account: str, role: str, action: str) -> Iterator[None]:
    """Take one action out of a role's policies for the length of a `with`."""
    iam = stage.cloud.session(account).client("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    kept = {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in names
    }
    for name, document in kept.items():
        less = copy.deepcopy(document)
        for statement in less["Statement"]:
            listed = statement["Action"]
            actions = listed if isinstance(listed, list) else [listed]
            statement["Action"] = [each for each in actions if each != action]
        less["Statement"] = [each for each in less["Statement"] if each["Action"]]
        if less["Statement"]:
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(less))
        else:
            iam.delete_role_policy(RoleName=role, PolicyName=name)
    try:
        yield
    finally:
        for name, document in kept.items():
            text = json.dumps(document)
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=text)
