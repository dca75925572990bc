"""Tests of whose bucket it is, and of what object lock keeps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import Cloud
from tests.cloud.conftest import HOME, MEMBER


@pytest.fixture
def bucket(cloud: Cloud) -> Any:
    """Make a member's bucket; return the member's client."""
    client = cloud.session(MEMBER).client("s3")
    client.create_bucket(Bucket="theirs")
    return client


def put() -> str:
    """Write to the member's bucket with home credentials; return the error's code, or `ok`."""
    try:
        boto3.client("s3").put_object(Bucket="theirs", Key="k", Body=b"x")
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def policy(bucket: Any, effect: str, principal: str) -> None:
    """Give the bucket a policy."""
    statement = {
        "Effect": effect,
        "Principal": {"AWS": principal},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::theirs/*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    bucket.put_bucket_policy(Bucket="theirs", Policy=document)


def test_other_accounts_bucket_is_denied(cloud: Cloud, bucket: Any) -> None:
    """Knowing the name is not enough."""
    assert put() == "AccessDenied"


def test_bucket_policy_admits_an_account(cloud: Cloud, bucket: Any) -> None:
    """A bucket's policy may name another account, for what it says and nothing else."""
    policy(bucket, "Allow", f"arn:aws:iam::{HOME}:root")
    assert put() == "ok"
    with pytest.raises(ClientError, match="AccessDenied"):
        boto3.client("s3").list_objects_v2(Bucket="theirs")


def test_bucket_policy_can_shut_out_its_owner(cloud: Cloud, bucket: Any) -> None:
    """An explicit denial holds for the bucket's own account too."""
    policy(bucket, "Deny", "*")
    with pytest.raises(ClientError, match="AccessDenied"):
        bucket.put_object(Bucket="theirs", Key="k", Body=b"x")


@pytest.fixture
def locked(cloud: Cloud) -> Any:
    """Make a bucket that locks what is put into it, with one object; return a client."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    retain(client, {"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 1}}})
    client.put_object(Bucket="locked", Key="k", Body=b"first")
    return client


def retain(client: Any, rule: dict[str, Any]) -> None:
    client.put_object_lock_configuration(
        Bucket="locked", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", **rule}
    )


def versions(client: Any) -> list[str]:
    found = client.list_object_versions(Bucket="locked").get("Versions", [])
    return [each["VersionId"] for each in found]


@pytest.mark.parametrize("bypass", [False, True])
def test_a_locked_version_is_not_deleted(locked: Any, bypass: bool) -> None:
    """Neither one by one nor in bulk, nor with what bypasses the other mode."""
    (version,) = versions(locked)
    with pytest.raises(ClientError, match="AccessDenied"):
        locked.delete_object(
            Bucket="locked", Key="k", VersionId=version, BypassGovernanceRetention=bypass
        )
    answer = locked.delete_objects(
        Bucket="locked",
        Delete={"Objects": [{"Key": "k", "VersionId": version}]},
        BypassGovernanceRetention=bypass,
    )
    assert "AccessDenied" == answer["Errors"][0]["Code"]
    assert [version] == versions(locked)


def test_versioning_of_a_locked_bucket_stays_on(locked: Any) -> None:
    """Suspended, the next write would replace what has no version of its own."""
    with pytest.raises(ClientError, match="InvalidBucketState"):
        locked.put_bucket_versioning(
            Bucket="locked", VersioningConfiguration={"Status": "Suspended"}
        )


@pytest.mark.parametrize(
    ("mode", "days", "refused"),
    [("COMPLIANCE", 1, True), ("GOVERNANCE", 3_000, True), ("COMPLIANCE", 3_000, False)],
)
def test_a_lock_is_only_ever_prolonged(locked: Any, mode: str, days: int, refused: bool) -> None:
    """In compliance mode nobody shortens a lock, or makes it one that can be bypassed."""
    until = datetime.now(UTC) + timedelta(days=days)
    code = ""
    try:
        locked.put_object_retention(
            Bucket="locked", Key="k", Retention={"Mode": mode, "RetainUntilDate": until}
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]

    assert code == ("AccessDenied" if refused else "")


def test_default_retention_counts_for_what_comes_after(locked: Any) -> None:
    """A bucket's default may go at any time: what is locked stays so, and what is new is not."""
    (version,) = versions(locked)
    retain(locked, {})
    new = locked.put_object(Bucket="locked", Key="new", Body=b"x")["VersionId"]
    locked.delete_object(Bucket="locked", Key="new", VersionId=new)

    with pytest.raises(ClientError, match="AccessDenied"):
        locked.delete_object(Bucket="locked", Key="k", VersionId=version)


def test_a_locked_key_gets_versions_and_markers(locked: Any) -> None:
    """A lock keeps the version; nothing keeps the key from being written over or hidden."""
    (first,) = versions(locked)
    locked.put_object(Bucket="locked", Key="k", Body=b"second")
    locked.delete_object(Bucket="locked", Key="k")

    assert first == versions(locked)[-1]
    assert b"first" == locked.get_object(Bucket="locked", Key="k", VersionId=first)["Body"].read()


@pytest.mark.parametrize("marker", ["a", "b", "bb"])
def test_a_listing_begins_after_its_marker(locked: Any, marker: str) -> None:
    """Whether the key that is named exists or not, the next one is not left out."""
    for key in ("b", "c"):
        locked.put_object(Bucket="locked", Key=key, Body=b"x")
    found = locked.list_object_versions(Bucket="locked", KeyMarker=marker)["Versions"]

    assert [key for key in "bck" if key > marker] == [each["Key"] for each in found]
