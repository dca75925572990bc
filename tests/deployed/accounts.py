"""An organisation in the embedded AWS: the security account, a member, and an account outside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from firebreak.cloud import Cloud

HOME, MEMBER, OUTSIDE = "999900001111", "111122223333", "666677778888"
REGION, AWAY = "eu-west-1", "us-east-1"  # where Firebreak is, and where the member's findings are
UNITS = ("workloads", "sandboxes")


def organization(cloud: Cloud) -> tuple[str, str]:
    """Make an organisation of the security account and, in a unit, the member.

    Return its id, and the id of another unit.
    """
    from moto.organizations.models import organizations_backends

    client = cloud.session(HOME).client("organizations")
    made = client.create_organization(FeatureSet="ALL")["Organization"]
    root = client.list_roots()["Roots"][0]["Id"]
    unit, other = (
        client.create_organizational_unit(ParentId=root, Name=name)["OrganizationalUnit"]["Id"]
        for name in UNITS
    )
    created = client.create_account(Email="member@example.com", AccountName="member")
    number = created["CreateAccountStatus"]["AccountId"]
    client.move_account(AccountId=number, SourceParentId=root, DestinationParentId=unit)
    backend = organizations_backends[HOME]["aws"]
    for account in backend.accounts:
        if account.id == number:
            account.id = MEMBER
    return str(made["Id"]), str(other)


def user(cloud: Cloud, name: str, policies: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Make a user of the security account with these policies; return its credentials."""
    iam = cloud.session(HOME).client("iam")
    iam.create_user(UserName=name)
    for number, document in enumerate(policies):
        made = iam.create_policy(PolicyName=f"{name}-{number}", PolicyDocument=json.dumps(document))
        iam.attach_user_policy(UserName=name, PolicyArn=made["Policy"]["Arn"])
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
