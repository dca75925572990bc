"""`firebreak audit verify` against whoever may write both tables, and stopped the stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest

from chalicelib.audit import GENESIS, Entry, Record, digest
from chalicelib.outside import records
from chalicelib.table import encode_record
from tests.kept import Kept, audit, kept_world, sealed


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Give a stage with a trail that was kept and sealed."""
    with kept_world() as world:
        sealed(world)
        yield world


def chained(records: list[Record]) -> list[Record]:
    """Return records numbered and hashed anew, as one unbroken chain."""
    done: list[Record] = []
    for record in records:
        before = done[-1].hash if done else GENESIS
        new = replace(record, seq=len(done) + 1, prev_hash=before)
        done.append(replace(new, hash=digest(asdict(new))))
    return done


def forged(record: Record) -> Record:
    return replace(record, what={"forged": True})


def write(kept: Kept, change: Callable[[list[Record]], list[Record]], chain: str) -> None:
    """Put in place of a chain what a change makes of it, hashed anew."""
    client, table = kept.stage.cloud.session().client("dynamodb"), kept.stage.settings.audit_table
    records = kept.stage.desk.tables.records(chain)
    for record in records:
        key: dict[str, Any] = {"chain": {"S": chain}, "seq": {"N": str(record.seq)}}
        client.delete_item(TableName=table, Key=key)
    for record in chained(change(records)):
        client.put_item(TableName=table, Item=encode_record(record))


ATTACKS: dict[str, tuple[Callable[[list[Record]], list[Record]], str]] = {
    "altered": (lambda r: [forged(r[0]), *r[1:]], "was altered: records 1 to 6 are kept otherwise"),
    "cut": (lambda r: r[:-2], "its end was removed: records 5 to 6 are kept"),
    "cut by one": (lambda r: r[:-1], "seal 2 holds it, and it is missing"),
    "removed": (lambda _: [], "the chain was removed: records 1 to 6 are kept"),
    "inserted": (lambda r: [*r[:2], forged(r[1]), *r[2:]], "records 3 to 6 are kept otherwise"),
    "left out": (lambda r: [*r[:3], *r[4:]], "records 4 to 5 are kept otherwise"),
    "reordered": (lambda r: [r[0], r[2], r[1], *r[3:]], "records 2 to 6 are kept otherwise"),
    "last replaced": (lambda r: [*r[:-1], forged(r[-1])], "not the record that seal 2 holds"),
}


def test_a_trail_that_nobody_touched_is_right(kept: Kept) -> None:
    """What was kept and sealed is compared, and nothing is wrong with it."""
    result = audit("verify")

    assert (0, "") == (result.exit_code, result.stderr)
    assert "3 chains, 11 records, 11 kept, 3 seals up to 20" in result.stdout
    assert "nothing is wrong" in result.stdout


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_chain_made_anew_is_found(kept: Kept, attack: str) -> None:
    """Every hash fits, so that the table alone shows nothing; bucket and seals do."""
    change, found = ATTACKS[attack]
    write(kept, change, "CONTROL")

    assert 0 == audit("verify", "--table-only").exit_code
    result = audit("verify")
    assert 1 == result.exit_code
    assert found in result.stderr


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_chain_made_anew_is_found_in_an_export(kept: Kept, attack: str, tmp_path: Any) -> None:
    """The seals in the file are enough, without the bucket."""
    write(kept, ATTACKS[attack][0], "CONTROL")
    audit("export", "--seals", "--out", tmp_path / "trail")
    result = audit("verify", "--file", tmp_path / "trail")

    assert 1 == result.exit_code
    assert "seal 2 holds" in result.stderr


def test_an_attack_that_the_stream_saw_is_an_alarm_too(kept: Kept) -> None:
    """What was changed in the table was told of at once, and stays as evidence."""
    write(kept, ATTACKS["altered"][0], "CONTROL")
    kept.fed.poll()
    result = audit("verify")

    assert "an alarm: it was removed in the table" in result.stderr
    assert "CONTROL / 1: 2 different records were kept of it" in result.stderr


def test_all_of_the_table_removed_is_found(kept: Kept) -> None:
    """An empty table is not an empty trail."""
    for chain in ("CONTROL", "other", "young"):
        write(kept, lambda _: [], chain)
    result = audit("verify")

    assert 1 == result.exit_code
    assert 3 == result.stderr.count("the chain was removed")


def test_a_record_put_in_around_the_stream_is_found(kept: Kept) -> None:
    """A record in the table alone was not kept, or put there by somebody else."""
    write(kept, lambda r: [*r, forged(r[-1])], "CONTROL")
    kept.wait()
    result = audit("verify")

    assert "CONTROL: was not kept outside: record 7 is in the table alone" in result.stderr


def test_what_is_no_record_is_found(kept: Kept) -> None:
    """A chain that cannot be read is named, and holds up no other."""
    client, table = kept.stage.cloud.session().client("dynamodb"), kept.stage.settings.audit_table
    deep = {"S": "[" * 100_000}
    item = {"chain": {"S": "CONTROL"}, "seq": {"N": "2"}, "hash": {"S": "0"}, "record": deep}
    client.put_item(TableName=table, Item=item)
    result = audit("verify")

    assert 1 == result.exit_code
    assert "CONTROL: cannot be read" in result.stderr
    assert "other" not in result.stderr


@pytest.mark.parametrize(("chain", "code"), [("other", 0), ("CONTROL", 1), ("nothing", 1)])
def test_one_chain_is_verified_by_itself(kept: Kept, chain: str, code: int) -> None:
    """What is wrong with another chain does not count."""
    write(kept, ATTACKS["altered"][0], "CONTROL")

    assert code == audit("verify", chain).exit_code


def test_trouble_with_keeping_and_sealing_is_found(kept: Kept) -> None:
    """A record of an hour ago is kept, and a seal is made every hour."""
    kept.fed.taken += 1  # what keeps records never got this one
    kept.record()
    kept.wait()
    kept.wait()
    result = audit("verify")

    assert "CONTROL: was not kept outside: record 7 is" in result.stderr
    assert "sealing does not work" in result.stderr


def test_what_was_kept_and_never_sealed_is_found(kept: Kept) -> None:
    """A record that was put into the bucket without being announced is in no seal."""
    entry = Entry("CONTROL", "test", {}, {})
    unseen = kept.stage.desk.tables.commit(entry, lambda _seq: [])
    kept.fed.taken += 1
    kept.vault.add(records.key_of(records.place(unseen)), records.written(unseen))
    kept.wait()
    kept.seal()
    result = audit("verify")

    assert 1 == result.exit_code
    assert "CONTROL: was never sealed: record 7 is in no seal" in result.stderr
