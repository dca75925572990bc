"""Verifying a trail: of the table alone, of all there is, or of a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chalicelib.errors import InvalidSettings
from chalicelib.outside.sealing import earlier
from chalicelib.outside.seals import Seal
from chalicelib.outside.vault import chain_name, vault
from chalicelib.runner.work import Desk
from firebreak.proof import bucketed, comparing, exported, sealed, tabled
from firebreak.proof.sealed import Keys
from firebreak.proof.trail import GRACE, Chain, Finding, Trail, by_key


@dataclass(frozen=True, slots=True)
class Told:
    """Hold what verifying came to."""

    findings: tuple[Finding, ...]
    summary: str


def table(desk: Desk, chains: Iterable[str]) -> Told:
    """Verify each chain of the table by itself. Raise InvalidSettings where there is none."""
    found = list(tabled.chains(desk.tables, chains))
    _there(each.name for each in found if each.readable and not each.verdict.records)
    return _by_themselves(found)


def _there(absent: Iterable[str]) -> None:
    """Raise InvalidSettings where chains are named of which there is no trace."""
    if names := list(absent):
        raise InvalidSettings(f"there is no chain {', '.join(f'{each!r:.80}' for each in names)}")


def _by_themselves(found: list[Chain]) -> Told:
    if not found:
        raise InvalidSettings("there is no chain to verify")
    broken = [Finding(each.name, str(each.verdict)) for each in found if not each.verdict.valid]
    records = sum(each.verdict.records for each in found)
    return Told(tuple(broken), f"{len(found)} chains, {records} records: {len(broken)} broken")


def everything(desk: Desk, chains: tuple[str, ...], keys: Keys | None, *, whole: bool) -> Told:
    """Verify the table, the bucket and the seals, each by the others.

    They are read in the reverse of the order in which they are written, so that nothing that is
    written meanwhile is missed. keys: None for the stage's own.
    """
    safe, now = vault(desk), desk.clock.now()
    keys = keys or sealed.keys_of_stage(desk)
    seals, findings = sealed.chain_of(sealed.in_bucket(safe), keys)
    bucket = bucketed.read(safe, chains, whole=whole, before=earlier(now, GRACE))
    found = by_key(tabled.chains(desk.tables, chains))
    only = frozenset(chain_name(each) for each in chains)
    trail = Trail(found, bucket.kept, seals, only)
    if not found and not bucket.kept and not seals:
        raise InvalidSettings("there is no chain to verify")
    sealed_ever = {chain for seal in seals for chain in seal.heads}
    outside = {*bucket.kept, *sealed_ever}
    _there(
        each.name
        for key, each in found.items()
        if each.readable and not each.verdict.records and key not in outside
    )
    findings += [*bucketed.unlocked(safe), *bucket.findings]
    findings += comparing.compare(trail, now, lambda place: bucketed.is_record(safe, place))
    kept = sum(len(hashes) for copies in bucket.kept.values() for hashes in copies.values())
    return _told(trail, findings, f", {kept} kept", "")


def file(path: Path, keys: Keys | None) -> Told:
    """Verify an export: its chains, and its seals where it has any."""
    chains, found = exported.read(path)
    if not found:
        return _by_themselves(chains)
    seals, findings = sealed.chain_of(found, keys)
    trail = Trail(by_key(chains), None, seals)
    findings += comparing.compare(trail, "", lambda _: True)
    unsure = "" if keys else "; signatures not checked, give --public-key"
    return _told(trail, findings, "", unsure)


def genuine(desk: Desk) -> tuple[Seal, ...]:
    """Return the stage's seals, whatever else lies among them."""
    seals, _ = sealed.chain_of(sealed.in_bucket(vault(desk)), sealed.keys_of_stage(desk))
    return seals


def _told(trail: Trail, findings: Iterable[Finding], kept: str, unsure: str) -> Told:
    every = tuple(dict.fromkeys(findings))
    newest = f"{len(trail.seals)} seals" + (f" up to {trail.seals[-1].at}" if trail.seals else "")
    wrong = f"{len(every)} wrong" if every else "nothing is wrong"
    summary = f"{len(trail.chains)} chains, {trail.records} records{kept}, {newest}: {wrong}"
    return Told(every, summary + unsure)
