"""Tests of the form of EC2's identifiers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.strict.conftest import Network, code_of

ENI = "eni-0123456789abcdef0"


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("describe_instances", {"InstanceIds": ["i-bogus"]}, "InvalidInstanceID.Malformed"),
        ("describe_instances", {"InstanceIds": ["sg-12345678"]}, "InvalidInstanceID.Malformed"),
        ("describe_instances", {"InstanceIds": ["i-12345678"]}, "InvalidInstanceID.NotFound"),
        (
            "describe_security_groups",
            {"GroupIds": ["GeneratedFindingSecurityId1"]},
            "InvalidGroupId.Malformed",
        ),
        (
            "modify_network_interface_attribute",
            {"NetworkInterfaceId": "eni-x", "Groups": ["sg-12345678"]},
            "InvalidNetworkInterfaceId.Malformed",
        ),
        (
            "modify_network_interface_attribute",
            {"NetworkInterfaceId": ENI, "Groups": ["sg-x"]},
            "InvalidGroupId.Malformed",
        ),
        ("describe_volumes", {"VolumeIds": ["vol-1"]}, "InvalidVolumeID.Malformed"),
        ("describe_vpcs", {"VpcIds": ["vpc-0123456789ABCDEF0"]}, "InvalidVpcID.Malformed"),
    ],
)
def test_malformed_identifiers(
    network: Network, operation: str, params: dict[str, Any], code: str
) -> None:
    """What cannot be an identifier is Malformed, what could be is looked for."""
    assert code_of(getattr(network.ec2, operation), **params) == code
