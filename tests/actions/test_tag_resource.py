"""One tag is set and taken back, on every kind of resource, and no other is touched."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import boto3
import jsonschema
import pytest

from chalicelib.actions.tag_resource import ARN, KEY
from chalicelib.tags import SUPPORTED
from tests.actions.drive import applied, planned

KEY_NAME, VALUE = "incident", "Backdoor:EC2/C_CActivity.B"
TRUST = '{"Version":"2012-10-17","Statement":[]}'
OWN = [{"Key": "owner", "Value": "web team"}]
FORMER = [*OWN, {"Key": KEY_NAME, "Value": "former value"}]
Scene = Callable[[boto3.Session], dict[str, Any]]


def account_of(session: boto3.Session) -> str:
    """Return the account the session is of."""
    return str(session.client("sts").get_caller_identity()["Account"])


def params(arn: str) -> dict[str, Any]:
    """Return the parameters of the action for an ARN."""
    return {"arn": arn, "key": KEY_NAME, "value": VALUE}


def ec2(
    session: boto3.Session, kind: str, made: str, tags: list[dict[str, str]] = OWN
) -> dict[str, Any]:
    """Tag an EC2 resource that was just made, and return the parameters that name it."""
    session.client("ec2").create_tags(Resources=[made], Tags=tags)
    return params(f"arn:aws:ec2:us-east-1:{account_of(session)}:{kind}/{made}")


def run_instance(session: boto3.Session) -> str:
    """Start an instance and return its id."""
    client = session.client("ec2")
    image = client.register_image(Name="web", RootDeviceName="/dev/xvda")["ImageId"]
    made = client.run_instances(ImageId=image, MinCount=1, MaxCount=1)
    return str(made["Instances"][0]["InstanceId"])


def instance(session: boto3.Session) -> dict[str, Any]:
    """Make an instance with a tag of its owner's."""
    return ec2(session, "instance", run_instance(session))


def tagged_instance(session: boto3.Session) -> dict[str, Any]:
    """Make an instance that has the tag, with another value."""
    return ec2(session, "instance", run_instance(session), FORMER)


def as_wanted(session: boto3.Session) -> dict[str, Any]:
    """Make an instance that has the tag as it is wanted."""
    return ec2(session, "instance", run_instance(session), [{"Key": KEY_NAME, "Value": VALUE}])


def image(session: boto3.Session) -> dict[str, Any]:
    """Make an image, whose ARN names no account."""
    client = session.client("ec2")
    made = client.register_image(Name="web", RootDeviceName="/dev/xvda")
    client.create_tags(Resources=[made["ImageId"]], Tags=OWN)
    return params(f"arn:aws:ec2:us-east-1::image/{made['ImageId']}")


def volume(session: boto3.Session) -> dict[str, Any]:
    """Make a volume."""
    made = session.client("ec2").create_volume(AvailabilityZone="us-east-1a", Size=8)
    return ec2(session, "volume", made["VolumeId"])


def snapshot(session: boto3.Session) -> dict[str, Any]:
    """Make a snapshot, whose ARN names no account."""
    client = session.client("ec2")
    made = client.create_volume(AvailabilityZone="us-east-1a", Size=8)
    shot = client.create_snapshot(VolumeId=made["VolumeId"])
    client.create_tags(Resources=[shot["SnapshotId"]], Tags=FORMER)
    return params(f"arn:aws:ec2:us-east-1::snapshot/{shot['SnapshotId']}")


def security_group(session: boto3.Session) -> dict[str, Any]:
    """Make a security group."""
    client = session.client("ec2")
    vpc = client.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    made = client.create_security_group(GroupName="web", Description="web", VpcId=vpc)
    return ec2(session, "security-group", made["GroupId"])


def network_interface(session: boto3.Session) -> dict[str, Any]:
    """Make a network interface."""
    client = session.client("ec2")
    vpc = client.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = client.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    made = client.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    return ec2(session, "network-interface", made["NetworkInterfaceId"], FORMER)


def user(session: boto3.Session) -> dict[str, Any]:
    """Make an IAM user under a path."""
    made = session.client("iam").create_user(UserName="deploy", Path="/service/", Tags=OWN)
    return params(made["User"]["Arn"])


def role(session: boto3.Session) -> dict[str, Any]:
    """Make an IAM role without any tag."""
    made = session.client("iam").create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
    return params(made["Role"]["Arn"])


def tagged_role(session: boto3.Session) -> dict[str, Any]:
    """Make an IAM role that has the tag, with another value."""
    made = session.client("iam").create_role(
        RoleName="web", AssumeRolePolicyDocument=TRUST, Tags=FORMER
    )
    return params(made["Role"]["Arn"])


def bucket(session: boto3.Session) -> dict[str, Any]:
    """Make a bucket with a tag of its owner's."""
    client = session.client("s3")
    client.create_bucket(Bucket="photos-1a2b")
    client.put_bucket_tagging(Bucket="photos-1a2b", Tagging={"TagSet": OWN})
    return params("arn:aws:s3:::photos-1a2b")


def untagged_bucket(session: boto3.Session) -> dict[str, Any]:
    """Make a bucket without any tag."""
    session.client("s3").create_bucket(Bucket="photos-1a2b")
    return params("arn:aws:s3:::photos-1a2b")


def function(session: boto3.Session) -> dict[str, Any]:
    """Make a Lambda function."""
    made = session.client("iam").create_role(RoleName="run", AssumeRolePolicyDocument=TRUST)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("main.py", "def handler(event, context): pass")
    client = session.client("lambda")
    shown = client.create_function(
        FunctionName="thumbnail",
        Runtime="python3.11",
        Role=made["Role"]["Arn"],
        Handler="main.handler",
        Code={"ZipFile": archive.getvalue()},
        Tags={"owner": "web team"},
    )
    return params(shown["FunctionArn"])


def database(session: boto3.Session) -> dict[str, Any]:
    """Make a database instance."""
    made = session.client("rds").create_db_instance(
        DBInstanceIdentifier="orders",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        MasterUsername="admin1",
        MasterUserPassword="not-a-secret",
        AllocatedStorage=20,
        Tags=OWN,
    )
    return params(made["DBInstance"]["DBInstanceArn"])


def cluster(session: boto3.Session) -> dict[str, Any]:
    """Make a database cluster."""
    made = session.client("rds").create_db_cluster(
        DBClusterIdentifier="orders",
        Engine="aurora-postgresql",
        MasterUsername="admin1",
        MasterUserPassword="not-a-secret",
        Tags=FORMER,
    )
    return params(made["DBCluster"]["DBClusterArn"])


SCENES: dict[str, Scene] = {
    "instance": instance,
    "tagged instance": tagged_instance,
    "as wanted": as_wanted,
    "image": image,
    "volume": volume,
    "snapshot": snapshot,
    "security group": security_group,
    "network interface": network_interface,
    "user": user,
    "role": role,
    "tagged role": tagged_role,
    "bucket": bucket,
    "untagged bucket": untagged_bucket,
    "function": function,
    "database": database,
    "cluster": cluster,
}


def instance_tags(session: boto3.Session, arn: str) -> dict[str, str]:
    """Return the tags of an instance."""
    shown = session.client("ec2").describe_instances(InstanceIds=[arn.rpartition("/")[2]])
    tags = shown["Reservations"][0]["Instances"][0].get("Tags", [])
    return {each["Key"]: each["Value"] for each in tags}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_the_tag_is_set_and_taken_back(account: boto3.Session, scene: Scene) -> None:
    """The tag has the value that was asked for, and afterwards the one it had, if any."""
    run = applied("tag_resource", account, **scene(account))

    assert "done" == run.status, run.reason
    (change,) = run.changes
    assert ("done", VALUE) == (change["state"], change["after"])
    assert (change["before"] == VALUE) == (change["call"] is None)
    (row,) = run.undo()
    assert ("already_back" if change["call"] is None else "restored") == row["result"]
    assert change["before"] == row["live"]


def test_other_tags_stay(account: boto3.Session) -> None:
    """Tags of others are there before, during and after."""
    given = tagged_instance(account)

    run = applied("tag_resource", account, **given)

    assert {"owner": "web team", KEY_NAME: VALUE} == instance_tags(account, given["arn"])
    run.undo()
    assert {"owner": "web team", KEY_NAME: "former value"} == instance_tags(account, given["arn"])


def test_a_new_tag_is_removed(account: boto3.Session) -> None:
    """A tag that was not there is not left behind, not even empty."""
    given = bucket(account)

    run = applied("tag_resource", account, **given)
    run.undo()

    shown = account.client("s3").get_bucket_tagging(Bucket="photos-1a2b")
    assert OWN == shown["TagSet"]


def test_a_value_is_made_fit(account: boto3.Session) -> None:
    """Characters that a tag cannot hold become underscores, and the facts say what is there."""
    given = instance(account) | {"value": "C&C\u202e <b>\n"}

    run = applied("tag_resource", account, **given)

    assert "C_C_ _b_" == run.facts["value"]
    assert run.facts["value"] == instance_tags(account, given["arn"])[KEY_NAME]


def test_a_plan_changes_nothing(account: boto3.Session) -> None:
    """A plan names the tag and its value, and writes nothing."""
    given = instance(account)

    run = planned("tag_resource", account, **given)

    (item,) = run.items
    assert [] == run.calls
    assert ("create_tags", VALUE) == (item["call"]["operation"], item["want"])
    assert {"owner": "web team"} == instance_tags(account, given["arn"])


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("arn:aws:sqs:us-east-1:{account}:orders", "unsupported_resource"),
        ("arn:aws:s3:::photos/key", "unsupported_resource"),
        ("arn:aws:iam::{account}:root", "unsupported_resource"),
        ("arn:aws:lambda:us-east-1:{account}:function:thumbnail:7", "unsupported_resource"),
        ("arn:aws:ec2:us-east-1:{account}:instance/", "unsupported_resource"),
        ("arn:aws:iam::999900001111:user/deploy", "elsewhere"),
        ("arn:aws:rds:eu-west-1:{account}:db:orders", "elsewhere"),
        ("arn:aws-cn:ec2:us-east-1:{account}:volume/vol-0123456789abcdef0", "elsewhere"),
    ],
)
def test_refused(account: boto3.Session, arn: str, code: str) -> None:
    """What cannot be tagged from here is refused, with the list of what can."""
    run = applied("tag_resource", account, **params(arn.format(account=account_of(account))))

    assert ("refused", []) == (run.status, run.calls)
    assert code in run.reason
    assert code != "unsupported_resource" or all(each in run.reason for each in SUPPORTED)


def test_a_bucket_of_another_region_is_refused(account: boto3.Session) -> None:
    """A bucket's tags are written in its own region; a finding about it comes from there."""
    account.client("s3").create_bucket(
        Bucket="photos", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )

    run = applied("tag_resource", account, **params("arn:aws:s3:::photos"))

    assert "refused" == run.status
    assert "eu-central-1" in run.reason


def test_a_key_that_differs_in_case_is_refused(account: boto3.Session) -> None:
    """To IAM upper and lower case are one, so that another's tag would be replaced."""
    given = user(account) | {"key": "Owner"}

    run = applied("tag_resource", account, **given)

    assert ("refused", []) == (run.status, run.calls)
    assert "key_in_other_case" in run.reason


@pytest.mark.parametrize(
    "arn",
    [
        *(
            f"arn:aws:ec2:us-east-1:{{account}}:{each}-0123456789abcdef0"
            for each in (
                "instance/i",
                "image/ami",
                "volume/vol",
                "snapshot/snap",
                "security-group/sg",
                "network-interface/eni",
            )
        ),
        "arn:aws:iam::{account}:user/gone",
        "arn:aws:iam::{account}:role/gone",
        "arn:aws:s3:::gone-1a2b",
        "arn:aws:lambda:us-east-1:{account}:function:gone",
        "arn:aws:rds:us-east-1:{account}:db:gone",
        "arn:aws:rds:us-east-1:{account}:cluster:gone",
    ],
)
def test_nothing_to_act_on(account: boto3.Session, arn: str) -> None:
    """A resource that is gone is not applicable."""
    run = applied("tag_resource", account, **params(arn.format(account=account_of(account))))

    assert ("not_applicable", []) == (run.status, run.calls)


def test_a_terminated_instance_is_gone(account: boto3.Session) -> None:
    """An instance that still shows after its end is not tagged."""
    given = instance(account)
    account.client("ec2").terminate_instances(InstanceIds=[given["arn"].rpartition("/")[2]])

    assert "not_applicable" == applied("tag_resource", account, **given).status


@pytest.mark.parametrize("key", ["aws:x", "AWS:x", "", " x", "x ", "a\nb", "a\n", "k" * 129, "a*b"])
def test_keys_that_no_playbook_may_use(key: str) -> None:
    """AWS's own keys, and keys that no service takes, do not pass the schema."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(key, KEY)


@pytest.mark.parametrize("key", ["incident", "firebreak:incident", "k" * 128, "a", "a b"])
def test_keys_that_pass(key: str) -> None:
    """Ordinary keys pass the schema."""
    jsonschema.validate(key, KEY)


@pytest.mark.parametrize(
    "arn", ["i-0123456789abcdef0", "arn:aws:ec2:*:*:*", "arn:aws:s3:::a*", "arn:aws:s3:::a\n"]
)
def test_arns_that_no_finding_may_name(arn: str) -> None:
    """Other texts, and ARNs with wildcards, do not pass the schema."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(arn, ARN)
