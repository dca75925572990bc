"""What seals take, when records come late, in great number, or from the wrong hands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.audit import Entry
from chalicelib.outside import records, sealing
from tests.kept import Kept, audit, kept_world
from tests.scheduled import invoked


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Give a stage whose audit trail is kept outside."""
    with kept_world() as world:
        yield world


def test_what_arrives_late_is_sealed_by_the_next(kept: Kept) -> None:
    """An arrival that is named before the last seal, and was not there then, is not passed over."""
    kept.record()
    last = kept.seal()
    late = kept.stage.desk.tables.commit(Entry("late", "test", {}, {}), lambda _seq: [])
    kept.vault.add(f"arrivals/{sealing.earlier(last.at, 3_000)}/{records.name(late)}", b"")
    without = kept.seal()
    kept.vault.add(records.key_of(records.place(late)), records.written(late))

    assert ({}, {"late": (1, late.hash)}) == (without.heads, kept.seal().heads)


def test_many_arrivals_are_sealed_in_parts(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """One seal takes so many, the next goes on behind them, and none is left out."""
    monkeypatch.setattr(sealing, "MOST", 3)
    for number in range(4):
        kept.record(f"chain-{number}", times=2)
    made = [kept.seal() for _ in range(4)]

    heads = {chain: head[0] for each in made for chain, head in each.heads.items()}
    assert {f"chain-{number}": 2 for number in range(4)} == heads
    assert (2, {}) == (len(made[0].heads), made[-1].heads)


def test_what_is_handed_over_again_is_harmless(kept: Kept) -> None:
    """A batch that comes again is announced again, and the trail is as right as before."""
    kept.record(times=3)
    kept.seal()
    kept.fed.taken = 0
    kept.fed.poll()
    kept.seal()
    kept.record()

    assert {"CONTROL": 4} == {chain: head[0] for chain, head in kept.seal().heads.items()}
    assert 0 == audit("verify").exit_code


def test_a_flood_of_invented_seals_is_given_up_loudly(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the last seal is not found among junk, none is made that would follow another."""
    monkeypatch.setattr(sealing, "JUNK", 3)
    kept.record()
    kept.seal()
    for number in range(5):
        kept.vault.put(f"seals/{90 + number:010d}.json", b"junk")

    with pytest.raises(sealing.Corrupt, match="are no seals"):
        kept.seal()


def test_the_function_seals(kept: Kept) -> None:
    """What is invoked every hour answers which seal it made."""
    kept.record()
    answer = invoked(kept.stage, "seal_audit")

    assert (1, 1) == (answer["number"], answer["heads"])
