"""Tests of roles that belong to AWS services."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firebreak.cloud import Cloud
from tests.cloud.strict.conftest import code_of

ROLE = "AWSServiceRoleForAutoScaling"
DENY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}],
    }
)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("put_role_policy", {"PolicyName": "p", "PolicyDocument": DENY}),
        ("attach_role_policy", {"PolicyArn": "arn:aws:iam::aws:policy/AWSDenyAll"}),
        ("update_assume_role_policy", {"PolicyDocument": DENY}),
        ("delete_role", {}),
        ("tag_role", {"Tags": [{"Key": "k", "Value": "v"}]}),
    ],
)
def test_service_linked_role_is_protected(
    cloud: Cloud, operation: str, params: dict[str, Any]
) -> None:
    """Nobody but AWS changes a service-linked role."""
    iam = cloud.session().client("iam")
    iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")
    code = code_of(getattr(iam, operation), RoleName=ROLE, **params)
    assert code == "UnmodifiableEntity"
