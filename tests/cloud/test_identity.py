"""Tests of who makes a call."""

from __future__ import annotations

import boto3
import pytest

from firebreak.cloud import Cloud
from firebreak.cloud.identity import Identities, administrator_key
from tests.cloud.conftest import HOME, MEMBER


def test_administrators_keys_name_their_account(cloud: Cloud) -> None:
    """The account of an administrator is read from the key, without looking anywhere."""
    principal = Identities(HOME).of_key(administrator_key(MEMBER))
    assert (principal.account, principal.policies) == (MEMBER, None)
    assert len(administrator_key(MEMBER)) == 20


@pytest.mark.parametrize("account", ["abc", "1234567890123", ""])
def test_accounts_have_twelve_digits(cloud: Cloud, account: str) -> None:
    """There is no administrator of what is no account."""
    with pytest.raises(ValueError, match="12 digits"):
        administrator_key(account)


def test_keys_of_users_belong_to_the_users_account(cloud: Cloud) -> None:
    """A user's key leads to its account, name and policies."""
    iam = cloud.session(MEMBER).client("iam")
    iam.create_user(UserName="eve")
    key = iam.create_access_key(UserName="eve")["AccessKey"]["AccessKeyId"]
    principal = Identities(HOME).of_key(key)
    assert (principal.account, principal.arn) == (MEMBER, f"arn:aws:iam::{MEMBER}:user/eve")
    assert principal.policies == ()


def test_keys_nobody_issued_belong_to_home(cloud: Cloud) -> None:
    """Credentials a test makes up act as the home account's administrator."""
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
    identity = session.client("sts", region_name="us-east-1").get_caller_identity()
    assert identity["Account"] == HOME
