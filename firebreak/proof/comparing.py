"""The table with what was kept of it, and both with what was sealed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from chalicelib.outside.records import key_of
from chalicelib.outside.sealing import earlier
from chalicelib.outside.vault import Place
from firebreak.proof.trail import GRACE, STALE, Chain, Copies, Finding, Trail

Reader = Callable[[Place], bool]  # whether the object of a record's name is that record
Heads = dict[str, dict[tuple[int, str], int]]  # number of the first seal, per chain and record


def compare(trail: Trail, now: str, is_record: Reader) -> Iterator[Finding]:
    """Yield what is wrong with a trail: first per chain, then with the seals as a whole."""
    heads = _heads(trail)
    for key in sorted({*trail.chains, *(trail.kept or ()), *heads}):
        chain = trail.chains.get(key)
        copies = (trail.kept or {}).get(key, {})
        if chain and not chain.verdict.valid and chain.places:
            yield Finding(chain.name, str(chain.verdict))
        if trail.kept is not None:
            junk = _junk(key, copies, chain, is_record)
            for each in junk:
                yield Finding(key_of(each), "this is not the record of that name")
            copies = _without(copies, junk)
            yield from _with_copies(key, chain, copies, now)
        yield from _with_heads(key, chain, copies if trail.kept is not None else None, heads)
        yield from _unsealed(key, chain, copies, trail, heads.get(key, {}))
    yield from _stale(trail, now)


def _heads(trail: Trail) -> Heads:
    heads: Heads = {}
    for seal in trail.seals:
        for key, head in seal.heads.items():
            if trail.only and key not in trail.only:
                continue
            heads.setdefault(key, {}).setdefault(head, seal.number)
    return heads


def _junk(key: str, copies: Copies, chain: Chain | None, is_record: Reader) -> list[Place]:
    """Return copies that the table does not have, and that are no records either."""
    known = chain.places if chain else {}
    places = [Place(key, seq, each) for seq, hashes in copies.items() for each in hashes]
    return [
        place
        for place in places
        if known.get(place.seq, ("",))[0] != place.hash and not is_record(place)
    ]


def _without(copies: Copies, junk: Iterable[Place]) -> Copies:
    out = {(place.seq, place.hash) for place in junk}
    return {
        seq: {each: at for each, at in hashes.items() if (seq, each) not in out}
        for seq, hashes in copies.items()
    }


# --- the table and the bucket ---------------------------------------------------------------------


def _with_copies(key: str, chain: Chain | None, copies: Copies, now: str) -> Iterator[Finding]:
    real = sorted(seq for seq, hashes in copies.items() if hashes)
    name = chain.name if chain else key
    if chain and not chain.readable:
        yield Finding(name, f"cannot be read: {chain.verdict.reason}")
        return
    if not chain or not chain.places:
        what = f"the chain was removed: {_range(real)} kept" if real else "there is no such chain"
        yield Finding(name, what)
        return
    for seq in (each for each in real if len(copies[each]) > 1):
        yield Finding(f"{name} / {seq}", f"{len(copies[seq])} different records were kept of it")
    last = max(chain.places)
    if cut := [seq for seq in real if seq > last]:
        yield Finding(name, f"its end was removed: {_range(cut)} kept, the table ends at {last}")
    if gone := [seq for seq in real if seq < last and seq not in chain.places]:
        yield Finding(name, f"was removed: {_range(gone)} kept")
    yield from _not_as_kept(name, chain, copies, now)


def _not_as_kept(name: str, chain: Chain, copies: Copies, now: str) -> Iterator[Finding]:
    missing, other = [], []
    for seq, (digest, at) in chain.places.items():
        if not copies.get(seq):
            missing += [seq] if at < earlier(now, GRACE) else []
        elif digest not in copies[seq]:
            other.append(seq)
    if other:
        yield Finding(name, f"was altered: {_range(other)} kept otherwise")
    if missing:
        yield Finding(name, f"was not kept outside: {_range(missing)} in the table alone")


def _range(numbers: Iterable[int]) -> str:
    """Return numbers as `record 1 is`, or `records 1 to 3, 5 are`."""
    ordered = sorted(numbers)
    runs = []
    for _, each in groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in each]
        runs.append(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]))
    return f"record {runs[0]} is" if len(ordered) == 1 else f"records {', '.join(runs)} are"


# --- the seals ------------------------------------------------------------------------------------


def _with_heads(
    key: str, chain: Chain | None, copies: Copies | None, heads: Heads
) -> Iterator[Finding]:
    """Yield what was sealed and is no longer so."""
    name = chain.name if chain else key
    for (seq, digest), number in sorted(heads.get(key, {}).items()):
        where = f"{name} / {seq}"
        if copies is not None and digest not in copies.get(seq, {}):
            yield Finding(where, f"seal {number} holds it, and the bucket does not keep it")
        if chain and not chain.readable:
            continue
        found = chain.places.get(seq) if chain else None
        if found is None:
            yield Finding(where, f"seal {number} holds it, and it is missing")
        elif found[0] != digest:
            yield Finding(where, f"it is not the record that seal {number} holds")


def _unsealed(
    key: str,
    chain: Chain | None,
    copies: Copies,
    trail: Trail,
    heads: dict[tuple[int, str], int],
) -> Iterator[Finding]:
    """Yield what should have been sealed by the newest seal, and is not."""
    if not chain or not trail.seals:
        return
    good = [seq for seq, digest in heads if chain.places.get(seq, ("",))[0] == digest]
    covered, limit = max(good, default=0), earlier(trail.seals[-1].at, GRACE)
    open_ = [
        seq
        for seq, (digest, at) in chain.places.items()
        if seq > covered and (copies.get(seq, {}).get(digest, at) < limit)
    ]
    if open_ and (trail.kept is None or any(copies.get(seq) for seq in open_)):
        yield Finding(chain.name, f"was never sealed: {_range(open_)} in no seal")


def _stale(trail: Trail, now: str) -> Iterator[Finding]:
    if trail.kept is None:
        return
    if trail.seals and trail.seals[-1].at < earlier(now, STALE):
        yield Finding("seals", f"the newest is of {trail.seals[-1].at}: sealing does not work")
    every = (
        at for copies in trail.kept.values() for each in copies.values() for at in each.values()
    )
    if not trail.seals and min(every, default=now) < earlier(now, STALE):
        yield Finding("seals", "there is none, and records were kept long ago")
