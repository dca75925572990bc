"""Tags of resources of several services: how one tag is read, written and removed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib import ec2, iam
from chalicelib.effect import JSON, Call, Reader, probe
from chalicelib.errors import NotApplicable, Refused
from chalicelib.gone import gone

# For each type: the call that shows it, the key of what it shows, the parameter for ids, and the
# error code that means it does not exist. Instances are read by chalicelib.ec2.
EC2: Mapping[str, tuple[str, str, str, str]] = {
    "image": ("describe_images", "Images", "ImageIds", "InvalidAMIID.NotFound"),
    "network-interface": (
        "describe_network_interfaces",
        "NetworkInterfaces",
        "NetworkInterfaceIds",
        "InvalidNetworkInterfaceID.NotFound",
    ),
    "security-group": (
        "describe_security_groups",
        "SecurityGroups",
        "GroupIds",
        "InvalidGroup.NotFound",
    ),
    "snapshot": ("describe_snapshots", "Snapshots", "SnapshotIds", "InvalidSnapshot.NotFound"),
    "volume": ("describe_volumes", "Volumes", "VolumeIds", "InvalidVolume.NotFound"),
}
RDS: Mapping[str, tuple[str, str, str, str]] = {
    "cluster": (
        "describe_db_clusters",
        "DBClusters",
        "DBClusterIdentifier",
        "DBClusterNotFoundFault",
    ),
    "db": ("describe_db_instances", "DBInstances", "DBInstanceIdentifier", "DBInstanceNotFound"),
}
SUPPORTED = (
    "ec2:instance",
    *(f"ec2:{each}" for each in EC2),
    "iam:role",
    "iam:user",
    "lambda:function",
    *(f"rds:{each}" for each in RDS),
    "s3:bucket",
)


@dataclass(frozen=True, slots=True)
class Arn:
    """Hold the parts of an ARN; `name` is the last part of what it names, without a path."""

    text: str
    partition: str
    service: str
    region: str
    account: str
    type: str
    name: str


def parse(text: str) -> Arn:
    """Return the parts of an ARN of a form that `parameters` has checked."""
    _, partition, service, region, account, resource = text.split(":", 5)
    if service == "s3":
        kind = "object" if "/" in resource else "bucket"
        return Arn(text, partition, service, region, account, kind, resource)
    kind, *rest = re.split("[/:]", resource, maxsplit=1)
    name = "".join(rest).rpartition("/")[2]
    return Arn(text, partition, service, region, account, kind, name)


def supported(aws: Reader, text: str) -> Arn:
    """Return the parts of an ARN that can be tagged from here. Raise Refused for any other."""
    arn = parse(text)
    qualified = arn.service == "lambda" and ":" in arn.name
    if f"{arn.service}:{arn.type}" not in SUPPORTED or not arn.name or qualified:
        raise Refused("unsupported_resource", f"{text} is none of {', '.join(SUPPORTED)}")
    here = (aws.partition, arn.region and aws.region, arn.account and aws.account)
    if (arn.partition, arn.region, arn.account) != here:
        raise Refused("elsewhere", f"{text} is not in account {aws.account}, region {aws.region}")
    return arn


@probe("tag:{arn}:{key}", settles=iam.SETTLES, scope="account")
def tag(aws: Reader, *, arn: str, key: str) -> JSON:
    """Return the value of one tag of a resource, None where it has no such tag."""
    return tags(aws, arn).get(key)


def tags(aws: Reader, text: str) -> dict[str, str]:
    """Return the tags of a resource. Raise NotApplicable once it is gone."""
    arn = parse(text)
    match arn.service:
        case "ec2":
            return _ec2_tags(aws, arn)
        case "iam":
            return _iam_tags(aws, arn)
        case "lambda":
            with gone(text, "ResourceNotFoundException"):
                return dict(aws.read("lambda", "list_tags", Resource=text)["Tags"])
        case "rds":
            return _rds_tags(aws, arn)
    return _bucket_tags(aws, arn)


def put(account: str, text: str, key: str, value: str) -> Call:
    """Return the call that sets one tag and leaves all others alone."""
    arn, pairs = parse(text), [{"Key": key, "Value": value}]
    match arn.service:
        case "ec2":
            return Call("ec2", "create_tags", Resources=[arn.name], Tags=pairs)
        case "iam":
            return Call("iam", f"tag_{arn.type}", **_named(arn), Tags=pairs)
        case "lambda":
            return Call("lambda", "tag_resource", Resource=text, Tags={key: value})
        case "rds":
            return Call("rds", "add_tags_to_resource", ResourceName=text, Tags=pairs)
    return Call("s3control", "tag_resource", AccountId=account, ResourceArn=text, Tags=pairs)


def remove(account: str, text: str, key: str) -> Call:
    """Return the call that removes one tag and leaves all others alone."""
    arn, keys = parse(text), [key]
    match arn.service:
        case "ec2":
            return Call("ec2", "delete_tags", Resources=[arn.name], Tags=[{"Key": key}])
        case "iam":
            return Call("iam", f"untag_{arn.type}", **_named(arn), TagKeys=keys)
        case "lambda":
            return Call("lambda", "untag_resource", Resource=text, TagKeys=keys)
        case "rds":
            return Call("rds", "remove_tags_from_resource", ResourceName=text, TagKeys=keys)
    return Call("s3control", "untag_resource", AccountId=account, ResourceArn=text, TagKeys=keys)


def _ec2_tags(aws: Reader, arn: Arn) -> dict[str, str]:
    if arn.type == "instance":
        return _pairs(ec2.instance(aws, arn.name).get("Tags", ()))
    operation, shown_as, by, code = EC2[arn.type]
    with gone(arn.name, code):
        found = aws.pages("ec2", operation, shown_as, **{by: [arn.name]})
    for each in found:
        return _pairs(each.get("TagSet" if arn.type == "network-interface" else "Tags", ()))
    raise NotApplicable(f"{arn.name} does not exist (any more)")


def _iam_tags(aws: Reader, arn: Arn) -> dict[str, str]:
    with gone(f"{arn.type} {arn.name}", iam.ABSENT):
        return _pairs(aws.pages("iam", f"list_{arn.type}_tags", "Tags", **_named(arn)))


def _rds_tags(aws: Reader, arn: Arn) -> dict[str, str]:
    operation, shown_as, by, code = RDS[arn.type]
    with gone(arn.name, code):
        found = aws.pages("rds", operation, shown_as, **{by: arn.name})
    for each in found:
        return _pairs(each.get("TagList", ()))
    raise NotApplicable(f"{arn.name} does not exist (any more)")


def _bucket_tags(aws: Reader, arn: Arn) -> dict[str, str]:
    """Return a bucket's tags by the call of S3's control plane, one tag at a time.

    PutBucketTagging would replace all tags, others' too, and is not to be had where the bucket has
    attribute-based access control. The control plane is regional.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_TagResource.html
    """
    with gone(f"bucket {arn.name}", "NoSuchBucket"):
        shown = aws.read(
            "s3", "get_bucket_location", Bucket=arn.name, ExpectedBucketOwner=aws.account
        )
    located = shown.get("LocationConstraint") or "us-east-1"
    region = "eu-west-1" if located == "EU" else located
    if region != aws.region:
        raise Refused("elsewhere", f"bucket {arn.name} is in {region}, not in {aws.region}")
    shown = aws.read(
        "s3control", "list_tags_for_resource", AccountId=aws.account, ResourceArn=arn.text
    )
    return _pairs(shown.get("Tags", ()))


def _named(arn: Arn) -> dict[str, JSON]:
    return {"UserName" if arn.type == "user" else "RoleName": arn.name}


def _pairs(shown: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in shown}
