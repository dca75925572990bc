"""S3: a bucket is its account's, whoever knows its name; what object lock keeps, it keeps.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from chalicelib.permissions import iam_action
from firebreak.cloud.authorization import denied, request_context
from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.patching import Patch
from firebreak.cloud.policy import Decision, Request, evaluate, names
from firebreak.cloud.resources import resources
from firebreak.cloud.strict import EVERY, Corrections

CORRECTIONS = Corrections()
COMPLIANCE = "COMPLIANCE"


@CORRECTIONS.replaces
def patches() -> list[Patch]:
    """Return what moto gets wrong of listing versions and policies, and refuses of locking."""
    from moto.s3.models import FakeBucket, S3Backend

    return [
        Patch(S3Backend, "list_object_versions", _after_marker(S3Backend.list_object_versions)),
        Patch(S3Backend, "put_object_lock_configuration", _put_default_retention),
        Patch(FakeBucket, "get_permission", _said_by_policy),
    ]


def _said_by_policy(bucket: Any, action: str, resource: str) -> Any:
    """Say nothing of a bucket's policy: moto passes its conditions over; `owner_of_bucket` asks."""
    from moto.iam.access_control import PermissionResult

    return PermissionResult.NEUTRAL


def _after_marker(listed: Callable[..., Any]) -> Callable[..., Any]:
    """List from the key after a key marker that comes alone; moto leaves that key out.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
    """

    def list_object_versions(backend: Any, bucket_name: str, **asked: Any) -> Any:
        marker = asked.get("key_marker")
        if marker and not asked.get("version_id_marker"):
            bucket = backend.get_bucket(bucket_name)
            before = max((key for key in bucket.keys if key <= marker), default=None)
            oldest = bucket.keys.getlist(before)[0].version_id if before else None
            asked |= {"key_marker": before, "version_id_marker": oldest}
        return listed(backend, bucket_name, **asked)

    return list_object_versions


def _put_default_retention(
    backend: Any,
    bucket_name: str,
    lock_enabled: bool,  # noqa: FBT001  # moto calls it so
    mode: str | None = None,
    days: int | None = None,
    years: int | None = None,
) -> None:
    """Set what new versions get; moto wants the bucket empty for it, S3 does not.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html
    """
    from moto.s3.exceptions import InvalidBucketState

    bucket = backend.get_bucket(bucket_name)
    if not bucket.is_versioned:
        raise InvalidBucketState("Versioning must be 'Enabled' on the bucket")
    bucket.object_lock_enabled = bucket.object_lock_enabled or lock_enabled
    bucket.default_lock_mode, bucket.default_lock_days = mode, days
    bucket.default_lock_years = years


@CORRECTIONS.refuses("PutBucketVersioning")
def lock_keeps_versioning(info: CallInfo, principal: Principal) -> None:
    """Refuse to suspend versioning of a bucket with object lock.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
    """
    bucket = _bucket(info)
    status = info.params.get("VersioningConfiguration", {}).get("Status")
    if bucket is not None and bucket.object_lock_enabled and status != "Enabled":
        message = "An Object Lock configuration is present on this bucket, so the versioning state"
        raise Refusal("InvalidBucketState", f"{message} cannot be changed.", 409)


@CORRECTIONS.refuses("PutObjectRetention")
def compliance_is_not_shortened(info: CallInfo, principal: Principal) -> None:
    """Refuse to shorten or soften a lock in compliance mode, whoever asks.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html#object-lock-retention-modes
    """
    version, asked = _version(info), info.params.get("Retention", {})
    if version is None or version.lock_mode != COMPLIANCE:
        return
    until = datetime.fromisoformat(version.lock_until)
    wanted = asked.get("RetainUntilDate")
    if until > datetime.now(UTC) and (
        asked.get("Mode") != COMPLIANCE or wanted is None or wanted < until
    ):
        raise Refusal("AccessDenied", "Access Denied because object protected by object lock.", 403)


def _version(info: CallInfo) -> Any:
    """Return the version that a call is about, or None where there is none that can be locked."""
    bucket = _bucket(info)
    versions = bucket.keys.getlist(info.params["Key"]) or [] if bucket is not None else []
    wanted = info.params.get("VersionId")
    found = [each for each in versions if wanted is None or each.version_id == wanted]
    return found[-1] if found and hasattr(found[-1], "lock_mode") else None


@CORRECTIONS.refuses(EVERY)
def owner_of_bucket(info: CallInfo, principal: Principal) -> None:
    """Refuse another account's bucket unless its policy names the caller; obey its denials.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-policy-language-overview.html
    """
    bucket = _bucket(info)
    if bucket is None:
        return
    owned = bucket.account_id == principal.account
    for action in iam_action("s3", info.operation):
        for resource in resources(info, action):
            decision = _bucket_policy(bucket, Request(action, resource), info, principal)
            if decision is Decision.EXPLICIT_DENY or (not owned and decision is not Decision.ALLOW):
                message = f"User: {principal.arn} is not authorized to perform: {action}"
                raise denied("s3", f"{message} on resource: {resource}")


def _bucket(info: CallInfo) -> Any:
    from moto.s3.models import s3_backends

    name = info.params.get("Bucket")
    if name not in s3_backends.bucket_accounts or info.operation == "CreateBucket":
        return None
    partition, account = s3_backends.bucket_accounts[name]
    return s3_backends[account][partition].buckets.get(name)


def _bucket_policy(bucket: Any, asked: Request, info: CallInfo, principal: Principal) -> Decision:
    if not bucket.policy:
        return Decision.IMPLICIT_DENY
    request = Request(asked.action, asked.resource, request_context(info, principal))
    document = json.loads(bucket.policy)
    statements = document["Statement"]
    speaking = [
        statement
        for statement in (statements if isinstance(statements, list) else [statements])
        if names(statement, principal.account, principal.arn, principal.role_arn)
    ]
    return evaluate([{"Statement": speaking}], request)
