"""Close a bucket to the public."""

from __future__ import annotations

from collections.abc import Mapping

from botocore.exceptions import ClientError

from chalicelib.actions import action
from chalicelib.effect import JSON, Call, Change, Effects, Reader, probe
from chalicelib.errors import NotApplicable
from chalicelib.gone import gone, is_code
from chalicelib.parameters import BUCKET

FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
DIRECTORY_BUCKET = ("--x-s3", "--xa-s3")


@probe("s3:public-access-block:{bucket}", settles=15, scope="account")
def public_access_block(aws: Reader, *, bucket: str) -> JSON:
    """Return the four flags of a bucket's own public access block, None without one."""
    shown = _read(aws, "get_public_access_block", bucket, "NoSuchPublicAccessBlockConfiguration")
    if shown is None:
        return None
    flags = shown["PublicAccessBlockConfiguration"]
    return {flag: bool(flags.get(flag, False)) for flag in FLAGS}


@action(
    params={"bucket": BUCKET},
    permissions=(
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketWebsite",
        "s3:GetBucketPolicyStatus",
        "s3:PutBucketPublicAccessBlock",
    ),
    facts=("website", "policy_public"),
    target={"*": ("arn:{partition}:s3:::{bucket}",)},
)
def block_bucket_public_access(aws: Reader, bucket: str) -> Effects:
    """Turn on all four parts of a bucket's public access block; undo restores the former block.

    Public access control lists and a public policy stay but have no effect, and new ones are
    refused; a public policy then lets only the account itself and AWS services in. A static website
    stops answering the public: `website` says whether the bucket has one, `policy_public` whether
    its policy is public, so guard such buckets with an exemption tag. What survives: grants to
    named accounts, presigned links, and a distribution that signs its requests. Not applicable:
    the bucket is gone, or a directory bucket, which is never public. A bucket of another account
    fails the step.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
    """
    if bucket.endswith(DIRECTORY_BUCKET):
        raise NotApplicable(f"{bucket} is a directory bucket, which is never public")
    block = public_access_block(bucket=bucket)
    before = aws.look(block)
    website = _read(aws, "get_bucket_website", bucket, "NoSuchWebsiteConfiguration")
    policy = _read(aws, "get_bucket_policy_status", bucket, "NoSuchBucketPolicy")
    want = dict.fromkeys(FLAGS, True)
    yield Change(
        block,
        want=want,
        do=_put(aws, bucket, want),
        undo=_put(aws, bucket, before) if before else _delete(aws, bucket),
    )
    return {
        "website": website is not None,
        "policy_public": bool(policy and policy["PolicyStatus"]["IsPublic"]),
    }


def _read(aws: Reader, operation: str, bucket: str, absent: str) -> dict[str, JSON] | None:
    """Return what S3 answers about a bucket of this account, None under the code for absent."""
    try:
        with gone(f"bucket {bucket}", "NoSuchBucket"):
            return aws.read("s3", operation, Bucket=bucket, ExpectedBucketOwner=aws.account)
    except ClientError as error:
        if is_code(error, absent):
            return None
        raise


def _put(aws: Reader, bucket: str, flags: Mapping[str, JSON]) -> Call:
    return Call(
        "s3",
        "put_public_access_block",
        Bucket=bucket,
        PublicAccessBlockConfiguration=dict(flags),
        ExpectedBucketOwner=aws.account,
    )


def _delete(aws: Reader, bucket: str) -> Call:
    return Call("s3", "delete_public_access_block", Bucket=bucket, ExpectedBucketOwner=aws.account)
