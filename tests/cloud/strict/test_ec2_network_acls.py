"""Tests of network ACL entries."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.strict.conftest import Network, code_of


@pytest.fixture
def acl(network: Network) -> str:
    """Make a network ACL without entries of its own."""
    made = network.ec2.create_network_acl(VpcId=network.vpc)["NetworkAcl"]
    return str(made["NetworkAclId"])


def entry(acl: str, number: int, **fields: Any) -> dict[str, Any]:
    """Return an entry that denies an address."""
    return {
        "NetworkAclId": acl,
        "RuleNumber": number,
        "Protocol": "-1",
        "RuleAction": "deny",
        "Egress": False,
        "CidrBlock": "198.51.100.1/32",
        **fields,
    }


def test_number_is_taken_once(network: Network, acl: str) -> None:
    """A second entry of a number and direction is refused; the other direction is free."""
    create = network.ec2.create_network_acl_entry
    assert code_of(create, **entry(acl, 10)) == "ok"
    assert code_of(create, **entry(acl, 10)) == "NetworkAclEntryAlreadyExists"
    assert code_of(create, **entry(acl, 10, Egress=True)) == "ok"


def test_twenty_entries_each_way(network: Network, acl: str) -> None:
    """A twenty-first entry of a direction is refused."""
    create = network.ec2.create_network_acl_entry
    assert {code_of(create, **entry(acl, n)) for n in range(1, 21)} == {"ok"}
    assert code_of(create, **entry(acl, 21)) == "NetworkAclEntryLimitExceeded"
    assert code_of(create, **entry(acl, 21, Egress=True)) == "ok"


@pytest.mark.parametrize("number", [0, 32_767])
def test_numbers_are_rules_numbers(network: Network, acl: str, number: int) -> None:
    """The default entry's number, and none, are refused."""
    code = code_of(network.ec2.create_network_acl_entry, **entry(acl, number))
    assert code == "InvalidParameterValue"


def test_only_entries_that_are_there_are_deleted(network: Network, acl: str) -> None:
    """Deleting an entry twice is NotFound."""
    network.ec2.create_network_acl_entry(**entry(acl, 10))
    delete = network.ec2.delete_network_acl_entry
    where = {"NetworkAclId": acl, "RuleNumber": 10, "Egress": False}
    assert code_of(delete, **where) == "ok"
    assert code_of(delete, **where) == "InvalidNetworkAclEntry.NotFound"
