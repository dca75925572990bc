"""What a finding speaks of: a builder for each part of `resource`, in one table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chalicelib.fields import Fields
from chalicelib.finding import Resource
from chalicelib.sources.guardduty import sequence, storage, workloads
from chalicelib.sources.guardduty.identities import Caller, identities
from chalicelib.sources.guardduty.parts import account, groups, known, moment, tags, unique

Builder = Callable[[Fields], Iterator[Resource]]


def resources(detail: Fields) -> tuple[Resource, ...]:
    """Return every resource of the finding, the one its resourceType names first.

    https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Resource.html
    """
    stated = detail.identifier("resource.resourceType", max_length=128)
    if stated == SEQUENCE:
        return sequence.resources(detail)
    primary = _primary(detail, stated)
    others = (each for build in BUILDERS.values() for each in build(detail))
    return unique([*primary, *others])


def _primary(detail: Fields, stated: str) -> list[Resource]:
    name = _plain(stated)
    if name not in PATHS:
        known_types = ", ".join((*TYPES, SEQUENCE, *SERVICES))
        detail.child("resource.resourceType").reject(
            f"'{stated}' is not a known resource type; known are {known_types}"
        )
    path = PATHS[name]
    found = list(BUILDERS[path](detail)) if path else []
    if not found and (path is None or detail.optional("customDetectionRuleName")):
        found = [*_caller(detail), account(detail)]
    if not found:
        missing = Fields(None, f"{detail.at('resource').path}.{path}")
        missing.reject(f"is missing, while resourceType is '{stated}'")
    return found


def _instance(detail: Fields) -> Iterator[Resource]:
    """Yield the instance, without role_name: a profile's name need not be that of its role."""
    at = detail.at("resource.instanceDetails")
    instance_id = at.identifier("instanceId", None)
    if instance_id is None:
        return
    interfaces = [_interface(each) for each in at.each("networkInterfaces")]
    attributes = known(
        interfaces=interfaces,
        vpc_ids=sequence.named(interfaces, "vpc_id"),
        subnet_ids=sequence.named(interfaces, "subnet_id"),
        availability_zone=at.identifier("availabilityZone", None),
        image_id=at.identifier("imageId", None),
        instance_type=at.identifier("instanceType", None),
        platform=at.text("platform", None),
        launch_time=moment(at, "launchTime"),
        profile_arn=at.identifier("iamInstanceProfile.arn", None, max_length=2048),
        outpost_arn=at.identifier("outpostArn", None, max_length=2048),
        tags=tags(at),
    )
    yield Resource("instance", instance_id, None, attributes)


def _interface(at: Fields) -> dict[str, Any]:
    return {
        "id": at.identifier("networkInterfaceId", None),
        "vpc_id": at.identifier("vpcId", None),
        "subnet_id": at.identifier("subnetId", None),
        "private_ip": at.address("privateIpAddress", None),
        "public_ip": at.address("publicIp", None),
        "ipv6": [address.address() for address in at.each("ipv6Addresses")],
        "groups": groups(at),
    }


def _caller(detail: Fields) -> Iterator[Resource]:
    at = detail.at("resource.accessKeyDetails")
    login = detail.text("service.action.awsApiCallAction.api", None) == "ConsoleLogin"
    yield from identities(
        Caller(
            account=detail.identifier("accountId"),
            key_id=at.identifier("accessKeyId", None),
            user_type=at.identifier("userType", None),
            user_name=at.identifier("userName", None),
            principal_id=at.identifier("principalId", None),
            console=True if login else None,
        )
    )


# What must be there for a resource to be read, under `resource`, and what reads it.
BUILDERS: Mapping[str, Builder] = {
    "instanceDetails.instanceId": _instance,
    "accessKeyDetails": _caller,
    "s3BucketDetails": storage.buckets,
    "s3BucketDetails.s3ObjectDetails": storage.objects,
    "eksClusterDetails.name": workloads.eks_cluster,
    "kubernetesDetails.kubernetesWorkloadDetails.name": workloads.kubernetes_workload,
    "kubernetesDetails.kubernetesUserDetails.username": workloads.kubernetes_user,
    "ecsClusterDetails.name": workloads.ecs_cluster,
    "ecsClusterDetails.taskDetails.arn": workloads.ecs_task,
    "containerDetails.id": workloads.container,
    "lambdaDetails.functionName": workloads.lambda_function,
    "rdsDbInstanceDetails.dbInstanceIdentifier": storage.rds_instance,
    "rdsLimitlessDbDetails.dbShardGroupIdentifier": storage.rds_shard_group,
    "ebsVolumeDetails.scannedVolumeDetails": storage.volumes,
    "ebsSnapshotDetails.snapshotArn": storage.snapshot,
    "ec2ImageDetails.imageArn": storage.image,
    "recoveryPointDetails.recoveryPointArn": storage.recovery_point,
}

SEQUENCE = "AttackSequence"
# What a resourceType names. Those of scanned backups are nowhere documented letter for letter.
TYPES: Mapping[str, str] = {
    "Instance": "instanceDetails.instanceId",
    "AccessKey": "accessKeyDetails",
    "S3Bucket": "s3BucketDetails",
    "S3Object": "s3BucketDetails.s3ObjectDetails",
    "EKSCluster": "eksClusterDetails.name",
    "KubernetesCluster": "eksClusterDetails.name",
    "ECSCluster": "ecsClusterDetails.name",
    "Container": "containerDetails.id",
    "Lambda": "lambdaDetails.functionName",
    "RDSDBInstance": "rdsDbInstanceDetails.dbInstanceIdentifier",
    "RDSLimitlessDB": "rdsLimitlessDbDetails.dbShardGroupIdentifier",
    "EBSVolume": "ebsVolumeDetails.scannedVolumeDetails",
    "EBSSnapshot": "ebsSnapshotDetails.snapshotArn",
    "EC2Image": "ec2ImageDetails.imageArn",
    "EC2AMI": "ec2ImageDetails.imageArn",
    "AMI": "ec2ImageDetails.imageArn",
    "RecoveryPoint": "recoveryPointDetails.recoveryPointArn",
    "EBSRecoveryPoint": "recoveryPointDetails.recoveryPointArn",
    "EC2RecoveryPoint": "recoveryPointDetails.recoveryPointArn",
    "S3RecoveryPoint": "recoveryPointDetails.recoveryPointArn",
}
# Custom detection rules watch whole services, without a part of `resource` for what was touched:
# the caller is what there is to act on, or else the account.
# https://docs.aws.amazon.com/guardduty/latest/ug/findings-custom-detection-rules.html
SERVICES: tuple[str, ...] = (
    "EC2", "IAM", "Organizations", "RDS", "RolesAnywhere", "Route53Resolver", "S3", "SageMaker",
    "SES",
)  # fmt: skip


def _plain(name: str) -> str:
    """Return the name without its case, spaces, slashes and underscores."""
    return re.sub(r"[ /_]", "", name).casefold()


PATHS: Mapping[str, str | None] = {
    **{_plain(name): path for name, path in TYPES.items()},
    **{_plain(name): None for name in SERVICES},
}
