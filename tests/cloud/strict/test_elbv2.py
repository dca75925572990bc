"""Tests of which targets can be registered."""

from __future__ import annotations

from firebreak.cloud import Cloud
from tests.cloud.strict.conftest import Network, code_of


def test_target_must_exist(cloud: Cloud, network: Network) -> None:
    """An instance that does not exist is an InvalidTarget."""
    elbv2 = cloud.session().client("elbv2")
    group = elbv2.create_target_group(Name="t", Protocol="HTTP", Port=80, VpcId=network.vpc)
    arn = group["TargetGroups"][0]["TargetGroupArn"]
    instance, _ = network.instance()
    register = elbv2.register_targets
    missing = [{"Id": "i-0123456789abcdef0"}]
    assert code_of(register, TargetGroupArn=arn, Targets=missing) == "InvalidTarget"
    assert code_of(register, TargetGroupArn=arn, Targets=[{"Id": instance}]) == "ok"
