"""`firebreak audit verify` against whoever may write the bucket, and forge seals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.audit import Entry, Record, digest
from chalicelib.outside import records, seals
from chalicelib.outside.seals import Seal
from tests.kept import Kept, audit, kept_world, sealed

THEIRS = ec.generate_private_key(ec.SECP256R1())
NUMBER = "0000000004"


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Give a stage with a trail that was kept and sealed."""
    with kept_world() as world:
        sealed(world)
        yield world


def resigned(seal: Seal) -> Seal:
    """Return a seal that the attacker's key signed."""
    signature = THEIRS.sign(seal.signed, ec.ECDSA(hashes.SHA256()))
    return replace(seal, signature=signature.hex())


def last_seal(kept: Kept) -> Seal:
    return seals.read(kept.vault.read(kept.keys("seals/")[-1]))


def add_seal(kept: Kept, seal: Seal) -> None:
    kept.vault.put(next(seals.names(seal.number)), seals.written(seal).encode())


def forge_next_seal(kept: Kept) -> None:
    """Put a next seal there that says what the attacker wants, and follows the last."""
    last = last_seal(kept)
    heads = {"CONTROL": (1, "0" * 64)}
    add_seal(kept, resigned(seals.following(last, last.at, heads, last.key)))


def copy_seal(kept: Kept) -> None:
    kept.vault.put(f"seals/{NUMBER}.json", seals.written(last_seal(kept)).encode())


def hide(kept: Kept, prefix: str) -> None:
    key = kept.keys(prefix)[-1]
    kept.vault.client.delete_object(Bucket=kept.vault.bucket, Key=key)


def overwrite(kept: Kept, prefix: str, body: bytes = b"junk") -> None:
    kept.vault.put(kept.keys(prefix)[-1], body)


def invent(kept: Kept) -> None:
    """Put a record there, and announce it, that is right but for nobody having written it."""
    (first, *_) = kept.stage.desk.tables.records("CONTROL")
    new = replace(first, seq=99, what={"invented": True})
    new = replace(new, hash=digest(asdict(new)))
    kept.vault.put(records.key_of(records.place(new)), records.written(new))
    kept.vault.put(f"arrivals/{kept.stage.desk.clock.now()}/{records.name(new)}", b"")


def unlock(kept: Kept) -> None:
    configuration = {"ObjectLockEnabled": "Enabled"}
    kept.vault.client.put_object_lock_configuration(
        Bucket=kept.vault.bucket, ObjectLockConfiguration=configuration
    )


def unseen(kept: Kept) -> Record:
    """Write a record that was not handed over yet."""
    return kept.stage.desk.tables.commit(Entry("CONTROL", "test", {}, {}), lambda _seq: [])


def junk(key: str) -> Callable[[Kept], None]:
    return lambda kept: kept.vault.put(key, b"junk")


ATTACKS: dict[str, tuple[Callable[[Kept], None], str]] = {
    "record written over": (lambda kept: overwrite(kept, "records/"), "was written over, once"),
    "record hidden": (lambda kept: hide(kept, "records/"), "was hidden by a delete marker, once"),
    "seal written over": (lambda kept: overwrite(kept, "seals/"), "was written over, once"),
    "back to an older seal": (lambda kept: hide(kept, "seals/"), "0000000003.json: was hidden"),
    "arrival hidden": (lambda kept: hide(kept, "arrivals/"), "was hidden by a delete marker"),
    "seal forged": (forge_next_seal, f"{NUMBER}.json: it is not signed by the stage's key"),
    "seal unsigned": (
        lambda kept: add_seal(
            kept, seals.following(last_seal(kept), last_seal(kept).at, {}, "k" * 9_000)
        ),
        f"{NUMBER}.json: it is not signed by the stage's key",
    ),
    "seal copied": (
        copy_seal,
        f"{NUMBER}.json: it says that it is seal 3",
    ),
    "junk as a seal": (junk(f"seals/{NUMBER}.json"), f"{NUMBER}.json: this is no seal"),
    "junk among seals": (junk("seals/x"), "seals/x: nothing of that name belongs here"),
    "junk among arrivals": (junk("arrivals/x"), "arrivals/x: nothing of that name belongs here"),
    "arrival at no time": (
        junk(f"arrivals/2026-99-99T99:99:99.999Z/CONTROL/0000000001-{'0' * 64}"),
        "nothing of that name belongs here",
    ),
    "junk among records": (
        junk(f"records/CONTROL/0000000099-{'0' * 64}.json"),
        "this is not the record of that name",
    ),
    "junk at the root": (junk("x"), "x: nothing of that name belongs here"),
    "invented record": (invent, "CONTROL: its end was removed: record 99 is kept"),
    "lock taken away": (unlock, "new objects are not locked in compliance mode"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_was_done_to_the_bucket_is_found(kept: Kept, attack: str) -> None:
    """Nothing that is locked is lost, and what was put over, before or beside it is named."""
    act, found = ATTACKS[attack]
    act(kept)
    result = audit("verify")

    assert 1 == result.exit_code
    assert found in result.stderr
    assert "11 records, 1" in result.stdout
    assert "3 seals" in result.stdout


@pytest.mark.parametrize("attack", ATTACKS)
def test_sealing_goes_on(kept: Kept, attack: str) -> None:
    """What is put into the bucket holds up no seal; what comes after it is kept and sealed."""
    ATTACKS[attack][0](kept)
    kept.record()
    made = kept.seal()
    kept.wait()
    kept.seal()

    head = kept.stage.desk.tables.head("CONTROL")
    assert head is not None
    assert (4, (7, head.hash)) == (made.number, made.heads["CONTROL"])
    result = audit("verify")
    assert "5 seals" in result.stdout
    assert "was never sealed" not in result.stderr


def test_junk_is_told_of_once(kept: Kept) -> None:
    """People hear of an object that does not belong there when sealing meets it first."""
    kept.vault.put("seals/x", b"junk")
    kept.vault.put(f"arrivals/{kept.stage.desk.clock.now()}/CONTROL/{9:010d}-{'0' * 64}", b"")
    kept.wait()
    told = []
    for _ in range(3):
        kept.seal()
        told.append(kept.told())

    assert [1, 1, 1] == told


def test_a_record_is_read_under_what_was_put_before_it(kept: Kept) -> None:
    """Who is quicker than the stream takes a record's name, and does not keep it out."""
    new = unseen(kept)
    kept.vault.put(records.key_of(records.place(new)), b"junk")
    kept.fed.poll()
    kept.seal()
    kept.wait()
    result = audit("verify", "--whole")

    assert new == records.kept(kept.vault, records.place(new))
    assert "CONTROL" in last_seal(kept).heads
    assert "was written over, once" in result.stderr
    assert "something else was kept under its name before it" in result.stderr
    assert "11 kept" not in result.stdout


def test_the_whole_of_each_object_is_read_when_asked(kept: Kept) -> None:
    """Under a right name and nowhere else, a wrong object is found by reading it."""
    new = unseen(kept)
    kept.fed.taken += 1
    kept.vault.put(records.key_of(records.place(new)), b"junk")

    said = "this is not the record of that name"
    assert said not in audit("verify").stderr
    assert said in audit("verify", "--whole").stderr


def test_what_is_known_does_not_count(kept: Kept, tmp_path: Path) -> None:
    """What somebody looked into, and the lock keeps there, is no news; what comes after it is."""
    kept.vault.put("x", b"junk")
    first = audit("verify")
    (tmp_path / "known").write_text(first.stderr, "utf-8")
    again = audit("verify", "--known", tmp_path / "known")
    kept.vault.put("y", b"junk")
    more = audit("verify", "--known", tmp_path / "known")

    assert (1, 0, 1) == (first.exit_code, again.exit_code, more.exit_code)
    assert ("", "y: nothing of that name belongs here\n") == (again.stderr, more.stderr)
    assert "1 wrong, 1 known" in again.stdout


# --- offline --------------------------------------------------------------------------------------


def lines_of(file: Path) -> list[dict[str, Any]]:
    audit("export", "--seals", "--out", file)
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def public_key(kept: Kept, file: Path, *, pem: bool) -> Path:
    """Write the public key of the stage's seals, as it is or as text."""
    kms = kept.stage.cloud.session().client("kms")
    der = kms.get_public_key(KeyId=kept.stage.settings.seal_key)["PublicKey"]
    text = serialization.load_der_public_key(der).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    file.write_bytes(text if pem else der)
    return file


def their_key(file: Path) -> Path:
    public = THEIRS.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    file.write_bytes(public)
    return file


def resign_all(lines: list[dict[str, Any]]) -> None:
    """Make every seal anew: each follows the other, and all are the attacker's."""
    before: Seal | None = None
    for line in lines:
        if "seal" in line:
            old = seals.read(json.dumps(line["seal"]))
            before = resigned(seals.following(before, old.at, old.heads, old.key))
            line["seal"] = json.loads(seals.written(before))


FORGERIES: dict[str, tuple[Callable[[list[dict[str, Any]]], Any], str]] = {
    "a seal left out": (lambda lines: lines.pop(1), "seal 2 is missing"),
    "heads altered": (
        lambda lines: lines[0]["seal"]["heads"].update(CONTROL=[3, "0" * 64]),
        "its root is not that of its heads",
    ),
    "signed anew": (resign_all, "it is not signed by the stage's key"),
    "signature cut": (lambda lines: lines[0]["seal"].update(signature="00"), "it is not signed"),
    "time altered": (
        lambda lines: lines[0]["seal"].update(at="2026-01-01T00:00:00.000Z"),
        "it is not signed",
    ),
    "no time": (lambda lines: lines[2]["seal"].update(at="2020"), "its time is none"),
    "a record left out": (lambda lines: lines.pop(), "is missing"),
    "a seal twice": (lambda lines: lines.insert(1, lines[0]), "another seal 1 before it"),
    "no seal": (lambda lines: lines[0].update(seal=[1]), "this is no seal"),
}


@pytest.mark.parametrize("pem", [True, False])
def test_an_export_is_proven_by_the_key(kept: Kept, tmp_path: Path, pem: bool) -> None:
    """Records and seals in a file are verified with no more than the public key."""
    lines = lines_of(tmp_path / "trail")
    key = public_key(kept, tmp_path / "key", pem=pem)
    result = audit("verify", "--file", tmp_path / "trail", "--public-key", key)

    assert (3, 11) == (sum("seal" in line for line in lines), len(lines) - 3)
    assert 0 == result.exit_code
    assert "nothing is wrong" in result.stdout
    assert "give --public-key" in audit("verify", "--file", tmp_path / "trail").stdout


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_export_is_found(kept: Kept, tmp_path: Path, forgery: str) -> None:
    """Whatever is altered in a file, the key shows it."""
    act, found = FORGERIES[forgery]
    lines = lines_of(tmp_path / "trail")
    act(lines)
    text = "\n".join(json.dumps(line) for line in lines)
    (tmp_path / "trail").write_text(text, "utf-8")
    key = public_key(kept, tmp_path / "key", pem=True)
    result = audit("verify", "--file", tmp_path / "trail", "--public-key", key)

    assert 1 == result.exit_code
    assert found in result.stderr


def test_only_the_key_that_is_named_counts(kept: Kept, tmp_path: Path) -> None:
    """Against another key every seal is a forgery, whatever key it says it is of."""
    result = audit("verify", "--public-key", their_key(tmp_path / "theirs"))

    assert 1 == result.exit_code
    assert 3 == result.stderr.count("it is not signed by the stage's key")


def test_what_is_no_key_is_one_clear_line(kept: Kept, tmp_path: Path) -> None:
    """A file that holds something else is named."""
    (tmp_path / "key").write_bytes(b"junk")
    result = audit("verify", "--public-key", tmp_path / "key")

    assert "no public key in PEM or DER" in str(result.exception)
