"""S3: a bucket is its account's, whoever knows its name."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.permissions import iam_action
from firebreak.cloud.authorization import denied, request_context
from firebreak.cloud.calls import CallInfo
from firebreak.cloud.identity import Principal
from firebreak.cloud.policy import Decision, Request, evaluate, names
from firebreak.cloud.resources import resources
from firebreak.cloud.strict import EVERY, Corrections

CORRECTIONS = Corrections()


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
