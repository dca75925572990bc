"""The bucket that keeps the audit trail: objects are added, and none is overwritten or deleted.

    arrivals/<time>/<chain>/<seq>-<hash>    that a record came, and when: lists what is new
    records/<chain>/<seq>-<hash>.json       the record
    alarms/<chain>/<change>.json            what should never have come from the table, or be here
    seals/<number>.json                     a seal; <number>-<n>.json where junk took the name

The bucket's default retention locks every version in compliance mode. A lock keeps a version from
being deleted, not a key from getting another version or a delete marker, which hides it. So all
that reads here reads versions, the oldest first, and takes the first that is what its name says: a
record has the hash it is named by, a seal is signed. Whatever else lies there is junk.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import clock
from chalicelib.errors import Busy
from chalicelib.gone import is_code
from chalicelib.runner.work import Desk

RECORDS, ARRIVALS, ALARMS, SEALS = "records/", "arrivals/", "alarms/", "seals/"
PLAIN = re.compile("[A-Za-z0-9_-]{1,128}")
TIME = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
PLACE = re.compile(r"(~?[A-Za-z0-9_-]+)/([0-9]{10})-([0-9a-f]{64})(\.json)?")


@dataclass(frozen=True, slots=True)
class Kept:
    """Hold what is under a key.

    versions: oldest first; none where it has delete markers alone. markers: how many hide or hid
    it. at: when the oldest version was written, or "".
    """

    key: str
    versions: tuple[str, ...]
    markers: int = 0
    at: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Say where a record stands: its chain as keys name it, its number and its hash."""

    chain: str
    seq: int
    hash: str


def chain_name(chain: str) -> str:
    """Return how keys name a chain: as it is called, or by its hash where that is no plain name."""
    return chain if PLAIN.fullmatch(chain) else f"~{hash_of(chain)}"


def hash_of(text: str) -> str:
    """Return the hash of a text, for names that any text can have."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def place_name(chain: str, seq: int, digest: str) -> str:
    """Return the part of a key that names a record."""
    return f"{chain_name(chain)}/{seq:010d}-{digest}"


def place_of(name: str) -> Place | None:
    """Return the record that the last two parts of a key name, or None."""
    found = PLACE.fullmatch("/".join(name.split("/")[-2:]))
    return Place(found[1], int(found[2]), found[3]) if found else None


def is_time(text: str) -> bool:
    """Say whether a text is a moment as Firebreak writes it."""
    try:
        return bool(TIME.fullmatch(text) and datetime.fromisoformat(text))
    except ValueError:
        return False


def arrival_of(key: str) -> tuple[str, Place] | None:
    """Return when what was announced by a key, or None where it is no such key."""
    at, _, name = key.removeprefix(ARRIVALS).partition("/")
    place = place_of(name) if is_time(at) and name.count("/") == 1 else None
    return (at, place) if place and key.startswith(ARRIVALS) else None


@dataclass(frozen=True, slots=True)
class Vault:
    """Add to the bucket, and list and read what it holds. Another account's bucket is refused."""

    client: Any
    bucket: str
    owner: str

    def add(self, key: str, body: bytes) -> bool:
        """Write an object where there is none; return False where there is one.

        Raise Busy where another write of the key is under way.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        try:
            self.client.put_object(
                **self.named,
                Key=key,
                Body=body,
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",  # object lock asks for a checksum
            )
        except ClientError as error:
            if is_code(error, "PreconditionFailed"):
                return False
            if is_code(error, "ConditionalRequestConflict"):
                raise Busy(f"{key} is being written") from error
            raise
        return True

    def kept(self, prefix: str, after: str = "") -> Iterator[Kept]:
        """Yield each key under a prefix that comes after another, hidden or not, in order."""
        marker = {"KeyMarker": after} if after else {}
        pages = self.client.get_paginator("list_object_versions").paginate(
            **self.named, Prefix=prefix, **marker
        )
        open_key, found = "", _Found()
        for page in pages:
            for each in _in_order(page):
                if each["Key"] != open_key and open_key:
                    yield found.kept(open_key)
                    found = _Found()
                open_key = each["Key"]
                found.add(each)
        if open_key:
            yield found.kept(open_key)

    def read(self, key: str, version: str = "") -> bytes:
        """Return a version of an object, or its last. Raise what S3 raises."""
        which = {"VersionId": version} if version else {}
        answer = self.client.get_object(**self.named, Key=key, **which)
        body: bytes = answer["Body"].read()
        return body

    def bodies(self, kept: Kept) -> Iterator[bytes]:
        """Yield the versions of an object, the oldest first."""
        return (self.read(kept.key, version) for version in kept.versions)

    def under(self, key: str) -> Kept:
        """Return what is under one key, which may be nothing."""
        found = (each for each in self.kept(key) if each.key == key)
        return next(found, Kept(key, ()))

    def put(self, key: str, body: bytes) -> None:
        """Write another version of an object."""
        self.client.put_object(**self.named, Key=key, Body=body, ChecksumAlgorithm="SHA256")

    def there(self) -> bool:
        """Say whether the bucket exists. Raise what S3 raises where it is another account's."""
        try:
            self.client.get_bucket_versioning(**self.named)
        except ClientError as error:
            if is_code(error, "NoSuchBucket"):
                return False
            raise
        return True

    @property
    def named(self) -> dict[str, str]:
        """Return the parameters that name the bucket, and whose it is."""
        return {"Bucket": self.bucket, "ExpectedBucketOwner": self.owner}


@dataclass(slots=True)
class _Found:
    """What a listing, which has the newest first, showed of one key."""

    versions: list[str] = field(default_factory=list)
    markers: int = 0
    at: str = ""

    def add(self, each: Mapping[str, Any]) -> None:
        if "Size" not in each:
            self.markers += 1
            return
        self.versions.append(each["VersionId"])
        self.at = clock.text(each["LastModified"].timestamp())

    def kept(self, key: str) -> Kept:
        return Kept(key, tuple(reversed(self.versions)), self.markers, self.at)


def _in_order(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a page's versions and delete markers by key; S3 lists them apart."""
    both = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    return sorted(both, key=lambda each: str(each["Key"]).encode("utf-8", "surrogatepass"))


def vault(desk: Desk) -> Vault:
    """Return the stage's vault, which may not be there yet."""
    settings = desk.settings
    return Vault(desk.access.home("s3"), settings.audit_bucket, settings.home_account)
