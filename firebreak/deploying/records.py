"""Chalice's deployment record: in the state bucket, for whoever deploys next.

Chalice knows its REST API from this record alone. What it lacks is taken from what exists, so that
a run that died half-way, or a bucket that was emptied, does not make a second API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.errors import Failed
from chalicelib.gone import is_code
from firebreak.deploying.run import Run

ABSENT = ("NoSuchKey", "NoSuchBucket", "404")
LOST = ("PreconditionFailed", "ConditionalRequestConflict")
TEXT = "application/json"
LOGS = "log_group"
NAMED = {  # where an entry has its name, and how that goes on after the stage's
    "iam_role": ("role_name", r"-\w+"),
    "lambda_function": ("lambda_arn", r"(-\w+)?"),
    "cloudwatch_event": ("rule_name", r"-\w+-event"),
}


@dataclass(frozen=True, slots=True)
class Stored:
    """Hold an object of the state bucket, empty where there is none; etag: of what was read."""

    document: Mapping[str, Any]
    etag: str = ""


class Taken(Failed):
    """Another wrote the object since it was read."""


def bucket_exists(run: Run) -> bool:
    """Say whether the stage has its state bucket."""
    try:
        run.client("s3").head_bucket(Bucket=run.settings.state_bucket)
    except ClientError as error:
        if is_code(error, *ABSENT):
            return False
        raise
    return True


def read(run: Run, key: str) -> Stored:
    """Return an object of the state bucket. Raise Failed where it is no JSON object."""
    try:
        found = run.client("s3").get_object(Bucket=run.settings.state_bucket, Key=key)
    except ClientError as error:
        if is_code(error, *ABSENT):
            return Stored({})
        raise
    try:
        document = json.loads(found["Body"].read())
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise wrong(run, key, "is no JSON object")
    return Stored(document, str(found["ETag"]))


def wrong(run: Run, key: str, why: str) -> Failed:
    """Return the error of an object of the state bucket that nobody here wrote."""
    return Failed(f"s3://{run.settings.state_bucket}/{key} {why}: put back an older version of it")


def write(run: Run, key: str, document: Mapping[str, Any], etag: str) -> str:
    """Write an object where it still is as it was read; return its new ETag. Raise Taken if not.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """
    condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
    body = json.dumps(document, indent=2, sort_keys=True) + "\n"
    bucket = run.settings.state_bucket
    try:
        put = run.client("s3").put_object(
            Bucket=bucket, Key=key, Body=body.encode(), ContentType=TEXT, **condition
        )
    except ClientError as error:
        if is_code(error, *LOST, *ABSENT):
            raise Taken(f"s3://{bucket}/{key} was written by another meanwhile") from error
        raise
    return str(put["ETag"])


# --- Chalice's record -----------------------------------------------------------------------------


def key_of(run: Run) -> str:
    """Return the key of the stage's record."""
    return f"chalice/{run.stage}.json"


def deployed(run: Run) -> Stored:
    """Return the stage's record."""
    return read(run, key_of(run))


def entries(run: Run, stored: Stored) -> dict[str, dict[str, Any]]:
    """Return the resources of a record, by their names there. Raise Failed where one is foreign.

    What a record names and the stage no longer has is deleted: so it has to be the stage's own. Log
    groups that Chalice made, run by itself, are the foundation stack's: not to be deleted.
    """
    found = stored.document.get("resources", [])
    for each in found if isinstance(found, list) else [found]:
        if not _own(run, each):
            raise wrong(run, key_of(run), f"names what is not of stage {run.stage}: {each!r:.200}")
    return {str(each["name"]): dict(each) for each in found if each["resource_type"] != LOGS}


def _own(run: Run, entry: object) -> bool:
    """Say whether an entry has the form of Chalice's, and a name that is this stage's.

    No function's name has a dash, so `dev-two` is told from `dev`.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return False
    kind = entry.get("resource_type")
    if not isinstance(kind, str):
        return False
    if kind not in NAMED:
        return True
    key, ending = NAMED[kind]
    name = str(entry.get(key, "")).rpartition(":")[2]
    return re.fullmatch(re.escape(run.name) + ending, name) is not None


def local(folder: Path, stage: str) -> Path:
    """Return where Chalice reads and writes its record in a folder."""
    return folder / ".chalice" / "deployed" / f"{stage}.json"


def put_local(folder: Path, stage: str, resources: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the record that Chalice reads."""
    document = {"schema_version": "2.0", "backend": "api", "resources": list(resources.values())}
    path = local(folder, stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def get_local(folder: Path, stage: str) -> dict[str, Any]:
    """Return the record that Chalice wrote."""
    document: dict[str, Any] = json.loads(local(folder, stage).read_text("utf-8"))
    return document
