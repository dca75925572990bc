"""A bucket is closed to the public, and opened again as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.actions.block_bucket_public_access import FLAGS
from tests.actions.drive import applied, planned

BUCKET = "photos.example.com"
CLOSED = dict.fromkeys(FLAGS, True)
PARTLY = CLOSED | {"BlockPublicPolicy": False, "RestrictPublicBuckets": False}
PUBLIC = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
        }
    ],
}


def make_bucket(session: boto3.Session, block: dict[str, bool] | None = None) -> dict[str, Any]:
    """Make a bucket with the given public access block, or without any."""
    s3 = session.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.delete_public_access_block(Bucket=BUCKET)
    if block is not None:
        s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=block)
    return {"bucket": BUCKET}


def without_block(session: boto3.Session) -> dict[str, Any]:
    """Make a bucket without a public access block."""
    return make_bucket(session)


def partly_blocked(session: boto3.Session) -> dict[str, Any]:
    """Make a bucket that blocks public control lists, but not public policies."""
    return make_bucket(session, PARTLY)


def blocked(session: boto3.Session) -> dict[str, Any]:
    """Make a bucket that is closed already."""
    return make_bucket(session, CLOSED)


def website(session: boto3.Session) -> dict[str, Any]:
    """Make a static site: a public policy and a website configuration."""
    params = make_bucket(session)
    s3 = session.client("s3")
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(PUBLIC))
    site = {"IndexDocument": {"Suffix": "index.html"}}
    s3.put_bucket_website(Bucket=BUCKET, WebsiteConfiguration=site)
    return params


SCENES: dict[str, Callable[[boto3.Session], dict[str, Any]]] = {
    "without block": without_block,
    "partly blocked": partly_blocked,
    "blocked": blocked,
    "website": website,
}


def block_of(session: boto3.Session) -> dict[str, Any] | None:
    """Return the bucket's public access block, None without one."""
    try:
        shown = session.client("s3").get_public_access_block(Bucket=BUCKET)
    except ClientError:
        return None
    return dict(shown["PublicAccessBlockConfiguration"])


@pytest.mark.parametrize(("scene", "before"), [(without_block, None), (partly_blocked, PARTLY)])
def test_all_four_flags_and_back(
    account: boto3.Session,
    scene: Callable[[boto3.Session], dict[str, Any]],
    before: dict[str, bool] | None,
) -> None:
    """All four parts of the block are on until it is taken back, with what was there before."""
    run = applied("block_bucket_public_access", account, **scene(account))

    assert ("done", ["s3:put_public_access_block"]) == (run.status, run.calls)
    assert CLOSED == block_of(account)
    assert ["restored"] == [each["result"] for each in run.undo()]
    assert before == block_of(account)


def test_a_closed_bucket_is_left_alone(account: boto3.Session) -> None:
    """A bucket that is closed already is closed after undo too."""
    run = applied("block_bucket_public_access", account, **blocked(account))
    run.undo()

    assert [] == run.calls
    assert CLOSED == block_of(account)


def test_facts_of_a_static_site(account: boto3.Session) -> None:
    """People are told that what was closed is a website, and that its policy is public."""
    run = applied("block_bucket_public_access", account, **website(account))

    assert {"website": True, "policy_public": True} == run.facts
    assert PUBLIC == json.loads(account.client("s3").get_bucket_policy(Bucket=BUCKET)["Policy"])


def test_facts_of_an_ordinary_bucket(account: boto3.Session) -> None:
    """A bucket without a website and a policy is neither."""
    run = applied("block_bucket_public_access", account, **without_block(account))

    assert {"website": False, "policy_public": False} == run.facts


def test_a_plan_changes_nothing(account: boto3.Session) -> None:
    """A plan says what would be wanted, and the bucket stays as it is."""
    run = planned("block_bucket_public_access", account, **partly_blocked(account))

    assert [CLOSED] == [each["want"] for each in run.items]
    assert PARTLY == block_of(account)


@pytest.mark.parametrize("bucket", ["gone.example.com", "fast--use1-az4--x-s3"])
def test_nothing_to_act_on(account: boto3.Session, bucket: str) -> None:
    """A bucket that is gone, or a directory bucket, which is never public, is not applicable."""
    run = applied("block_bucket_public_access", account, bucket=bucket)

    assert ("not_applicable", []) == (run.status, run.calls)
    assert bucket in run.reason
