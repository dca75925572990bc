"""Keeping and sealing the audit trail outside the tables, against a stage in the embedded AWS."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.audit import Entry
from chalicelib.outside import merkle, sealing, seals
from chalicelib.outside.vault import ALARMS, ARRIVALS, RECORDS, SEALS, chain_name, vault
from firebreak.audit_store import Fed
from firebreak.cloud import ProcessKilled
from firebreak.cloud.calls import CallInfo
from firebreak.stage import Stage
from tests.worlds import world

Kept = tuple[Stage, Fed]


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Give a stage whose audit trail is kept outside."""
    with world() as stage:
        yield stage, stage.provide_audit_store()


def record(stage: Stage, chain: str = "CONTROL", times: int = 1) -> None:
    """Write records to a chain."""
    for number in range(times):
        stage.desk.tables.commit(Entry(chain, "test", {}, {"n": number}), lambda _seq: [])


def keys(stage: Stage, prefix: str) -> list[str]:
    return [each.key for each in vault(stage.desk).kept(prefix)]


def test_every_record_is_kept_once(kept: Kept) -> None:
    """Handed over twice, a record is one object, under a name that any chain can have."""
    stage, fed = kept
    record(stage, times=2)
    record(stage, "any/../text é")
    fed.poll()
    fed.taken = 0
    fed.poll()

    names = {key.split("/")[1] for key in keys(stage, RECORDS)}
    assert 3 == len(keys(stage, RECORDS))
    assert {"CONTROL", chain_name("any/../text é")} == names
    assert all(
        1 == len(each.versions) and not each.markers for each in vault(stage.desk).kept(RECORDS)
    )


def test_a_change_and_a_removal_are_alarms(kept: Kept) -> None:
    """What happens to a record after it was written is kept as evidence, and told."""
    stage, fed = kept
    record(stage, times=2)
    dynamodb = stage.cloud.session().client("dynamodb")
    table = stage.settings.audit_table
    item = {"chain": {"S": "CONTROL"}, "seq": {"N": "2"}, "hash": {"S": "forged"}}
    dynamodb.put_item(TableName=table, Item=item)
    dynamodb.delete_item(TableName=table, Key={name: item[name] for name in ("chain", "seq")})
    fed.poll()

    told = [call for call in stage.cloud.calls if call.operation == "Publish"]
    assert (2, 2, 2) == (len(keys(stage, ALARMS)), len(told), len(keys(stage, RECORDS)))


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("phase", ["before", "after"])
def test_keeping_that_dies_is_made_good(kept: Kept, at: int, phase: str) -> None:
    """Killed at whatever call, keeping leaves nothing out once the stream hands it over again."""
    stage, fed = kept
    record(stage, times=2)
    seen: list[CallInfo] = []

    def kill(info: CallInfo) -> None:
        if info.service == "s3" and info.phase == phase:
            seen.append(info)
            if len(seen) == at + 1:
                raise ProcessKilled

    stage.cloud.inject = kill
    fed.poll()
    stage.cloud.inject = None
    left = fed.taken
    fed.poll()

    assert (0, 2) == (left, fed.taken)
    assert 2 == len(keys(stage, RECORDS))
    arrived = {key.split("/", 2)[2] for key in keys(stage, ARRIVALS)}
    assert {
        key.removeprefix(RECORDS).removesuffix(".json") for key in keys(stage, RECORDS)
    } == arrived


def test_seals_follow_each_other_and_hold_what_is_new(kept: Kept) -> None:
    """Each seal holds the heads of the chains that grew since, signed; nothing new is said too."""
    stage, fed = kept
    record(stage, times=3)
    record(stage, "other")
    fed.poll()
    first = sealing.seal(stage.desk)
    record(stage)
    fed.poll()
    second, third = sealing.seal(stage.desk), sealing.seal(stage.desk)

    assert {"CONTROL": 3, "other": 1} == {chain: head[0] for chain, head in first.heads.items()}
    assert ({"CONTROL": 4}, {}) == ({c: h[0] for c, h in second.heads.items()}, third.heads)
    assert ["", "", ""] == [
        seals.wrong(each, before)
        for each, before in ((first, None), (second, first), (third, second))
    ]
    public = stage.cloud.session().client("kms").get_public_key(KeyId=stage.settings.seal_key)
    key = serialization.load_der_public_key(public["PublicKey"])
    assert isinstance(key, ec.EllipticCurvePublicKey)
    for each in (first, second, third):
        key.verify(bytes.fromhex(each.signature), each.signed, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("at", range(9))
def test_sealing_that_dies_leaves_nothing_unsealed(kept: Kept, at: int) -> None:
    """Killed after whatever call, the seals made in the end hold every head once."""
    stage, fed = kept
    record(stage, times=2)
    fed.poll()
    seen: list[CallInfo] = []

    def kill(info: CallInfo) -> None:
        if info.phase == "after":
            seen.append(info)
            if len(seen) == at + 1:
                raise ProcessKilled

    stage.cloud.inject = kill
    with contextlib.suppress(ProcessKilled):
        sealing.seal(stage.desk)
    stage.cloud.inject = None
    sealing.seal(stage.desk)

    made = [seals.read(vault(stage.desk).read(each.key)) for each in vault(stage.desk).kept(SEALS)]
    assert ["CONTROL"] == [chain for each in made for chain in each.heads]


def test_a_kept_record_cannot_be_deleted(kept: Kept) -> None:
    """The bucket's default retention locks what is kept; hidden by a marker it is still found."""
    stage, fed = kept
    record(stage)
    fed.poll()
    (only,) = vault(stage.desk).kept(RECORDS)
    s3, bucket = stage.cloud.session().client("s3"), stage.settings.audit_bucket
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key=only.key, VersionId=only.versions[0])
    s3.delete_object(Bucket=bucket, Key=only.key)

    (hidden,) = vault(stage.desk).kept(RECORDS)
    assert (only.versions, 1) == (hidden.versions, hidden.markers)


def test_the_root_is_that_of_rfc_6962() -> None:
    """The root of three leaves is made of the hashes that the RFC names, apart by their prefix."""

    def digest(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    a, b, c = (digest(b"\x00" + each) for each in (b"a", b"b", b"c"))

    assert digest(b"\x01" + digest(b"\x01" + a + b) + c).hex() == merkle.root([b"a", b"b", b"c"])
    assert digest(b"").hex() == merkle.root([])
