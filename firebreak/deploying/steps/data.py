"""What a stage must not lose: keys, tables, the audit bucket, the bucket of deployment records.

It stays when the stage is destroyed, unless a person says otherwise; and the keys and the locked
audit trail stay even then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.errors import Failed
from chalicelib.grants import Grant
from firebreak import templates
from firebreak.deploying import records, stacks, watching
from firebreak.deploying.existing import found
from firebreak.deploying.run import Deployment, Difference, Run
from firebreak.deploying.stacks import Stack

ORDER = 10
NAME = "data"
STATE = "arn:{partition}:s3:::firebreak-{stage}-state-{account}-{region}"
BATCH = 1_000  # keys that one DeleteObjects takes
PERMISSIONS = (
    *stacks.permissions(NAME),
    Grant(
        "DeleteTables",
        (
            "dynamodb:DeleteTable",
            "dynamodb:DescribeTable",
            "dynamodb:Scan",
            "dynamodb:UpdateTable",
        ),
        ("arn:{partition}:dynamodb:{region}:{account}:table/firebreak-{stage}-*",),
    ),
    Grant(
        "DeleteStateBucket",
        ("s3:DeleteBucket", "s3:ListBucket", "s3:ListBucketVersions"),
        (STATE,),
    ),
    Grant("EmptyStateBucket", ("s3:DeleteObject", "s3:DeleteObjectVersion"), (f"{STATE}/*",)),
)


def plan(run: Deployment) -> list[Difference]:
    """Return what the stack would change."""
    return stacks.plan(run, _stack(run))


def apply(run: Deployment) -> list[Difference]:
    """Bring the stack in line, protected from being deleted by accident."""
    stack = _stack(run)
    if run.options.replace_failed_stack and watching.settled(run, stack.name).dead:
        _discard_empty(run)
    return stacks.apply(run, stack)


def _discard_empty(run: Run) -> None:
    """Delete the tables of a stack that failed to be made, whose protection keeps it from it.

    Raise Failed where one holds anything: then it is of a stage that was in use.
    """
    client, there = run.client("dynamodb"), _tables(run)
    for name in there:
        if client.scan(TableName=name, Limit=1)["Items"]:
            raise Failed(f"table {name} is not empty: nothing was deleted; look at whose it is")
    _delete(run, there)


def _stack(run: Deployment) -> Stack:
    return Stack(f"{run.name}-{NAME}", templates.build(NAME, run.wanted), protected=True)


def standing(run: Run) -> list[Difference]:
    """Return the stack, the tables and the state bucket that are there."""
    there = [Difference("remove", f"table {name}") for name in _tables(run)]
    if records.bucket_exists(run):
        there.append(Difference("remove", f"bucket {run.settings.state_bucket}"))
    return [*stacks.standing(run, f"{run.name}-{NAME}"), *there]


def remove(run: Run) -> list[Difference]:
    """Delete the stack, the tables and the state bucket, their protection lifted."""
    removed, stack = standing(run), f"{run.name}-{NAME}"
    if stacks.standing(run, stack):
        stacks.protect(run, stack, on=False)
        stacks.remove(run, stack)
    _delete(run, _tables(run))
    if records.bucket_exists(run):
        _empty(run)
        run.client("s3").delete_bucket(Bucket=run.settings.state_bucket)
    return removed


def _tables(run: Run) -> dict[str, bool]:
    """Return the tables that are there, and whether each is protected."""
    client, there = run.client("dynamodb"), {}
    for name in (run.settings.remediations_table, run.settings.audit_table):
        described = found(lambda name=name: client.describe_table(TableName=name))  # type: ignore[misc]  # bound per turn
        if described:
            there[name] = bool(described["Table"].get("DeletionProtectionEnabled"))
    return there


def _delete(run: Run, tables: Mapping[str, bool]) -> None:
    """Delete tables, their protection lifted first."""
    client = run.client("dynamodb")
    for name, protected in tables.items():
        if protected:
            client.update_table(TableName=name, DeletionProtectionEnabled=False)
            client.get_waiter("table_exists").wait(TableName=name)
        client.delete_table(TableName=name)
        client.get_waiter("table_not_exists").wait(TableName=name)


def _empty(run: Run) -> None:
    client, bucket = run.client("s3"), run.settings.state_bucket
    for keys in _versions(client, bucket):
        client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})


def _versions(client: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    pages = client.get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=bucket, PaginationConfig={"PageSize": BATCH}):
        every = (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        if every:
            yield [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in every]
