"""A small network for the tests of EC2, and a way to name errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import Cloud


@dataclass(frozen=True)
class Network:
    """A VPC with a subnet and two security groups, and another VPC with one."""

    ec2: Any
    vpc: str
    subnet: str
    group: str
    other_group: str
    foreign_group: str

    def instance(self) -> tuple[str, str]:
        """Run an instance; return its id and that of its interface."""
        run = self.ec2.run_instances(
            ImageId="ami-12345678",
            MinCount=1,
            MaxCount=1,
            SubnetId=self.subnet,
            SecurityGroupIds=[self.group],
            BlockDeviceMappings=[
                {"DeviceName": name, "Ebs": {"VolumeSize": 8, "DeleteOnTermination": True}}
                for name in ("/dev/sda1", "/dev/sdb")
            ],
        )["Instances"][0]
        return run["InstanceId"], run["NetworkInterfaces"][0]["NetworkInterfaceId"]


@pytest.fixture
def network(cloud: Cloud) -> Network:
    """Make the network in the home account."""
    ec2 = cloud.session().client("ec2")
    vpcs = [ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in range(2)]
    subnet = ec2.create_subnet(VpcId=vpcs[0], CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]

    def group(name: str, vpc: str) -> str:
        return str(
            ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        )

    return Network(
        ec2, vpcs[0], subnet, group("a", vpcs[0]), group("b", vpcs[0]), group("c", vpcs[1])
    )


def code_of(call: Callable[..., object], **params: Any) -> str:
    """Return the code of the error a call raises, or `ok`."""
    try:
        call(**params)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"
