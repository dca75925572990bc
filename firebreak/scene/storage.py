"""Buckets, open to the public unless the event says otherwise, and objects in them."""

from __future__ import annotations

import json

from chalicelib.finding import Resource
from firebreak.scene.making import Making, NotMade


def bucket(making: Making, resource: Resource) -> None:
    """Make a bucket without a public access block, with a public policy where it is public."""
    at = resource.attributes
    if not _ensure_bucket(making, resource.id):
        return
    public = at.get("public") is not False
    if public:
        making.s3.put_bucket_policy(resource.id, _public(making, resource.id))
    if at.get("tags"):
        making.s3.put_bucket_tagging(resource.id, dict(at["tags"]))
    making.made.append(f"bucket {resource.id}{', public by its policy' if public else ''}")


def _ensure_bucket(making: Making, name: str) -> bool:
    """Say whether the bucket is new. As an object: names are not held to S3's rules."""
    from moto.s3.models import FakeBucket, s3_backends

    if name in making.s3.buckets:
        return False
    partition, owner = s3_backends.bucket_accounts.get(name, ("", ""))
    if owner and name in s3_backends[owner][partition].buckets:
        raise NotMade(f"account {owner} has a bucket of that name")
    place = (making.finding.account, making.finding.region)
    making.s3.buckets[name] = FakeBucket(name, *place)  # type: ignore[abstract]  # as moto does
    return True


def _public(making: Making, name: str) -> bytes:
    writable = "write" in str(making.finding.detail.get("managed_rule", ""))
    statement = {
        "Sid": "Public",
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject", *(["s3:PutObject"] if writable else [])],
        "Resource": f"arn:{making.finding.partition}:s3:::{name}/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()


def stored_object(making: Making, resource: Resource) -> None:
    """Put an object under the key, in a bucket that is made if the event does not list it."""
    name, key = resource.attributes["bucket"], resource.attributes["key"]
    if _ensure_bucket(making, name):
        making.made.append(f"bucket {name}")
    if key in making.s3.buckets[name].keys:
        return
    making.s3.put_object(name, key, b"scene", disable_notification=True)
    making.made.append(f"object {name}/{key}")
