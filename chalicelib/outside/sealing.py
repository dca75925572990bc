"""Making the next seal, from what the vault was given; the table is not asked.

A seal is one object, so a run that dies has sealed all or nothing, and the next one lists again
what came since the last seal. Some of that was sealed by it: arrivals are named by the clock of
whoever kept them, and seen a little later; so each listing begins OVERLAP before the last seal, and
leaves out what a seal since then holds. An arrival counts where the record it names is kept; what
else lies there holds nothing up, is told once, and is left to `firebreak audit verify`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib import clock
from chalicelib.errors import Busy, Corrupt
from chalicelib.outside import records, seals
from chalicelib.outside.run import Run
from chalicelib.outside.seals import Seal
from chalicelib.outside.vault import ARRIVALS, SEALS, Place, arrival_of, vault
from chalicelib.runner.work import Desk

OVERLAP = 3_600  # seconds, longer than a function may take from telling the time to writing
ARRIVING = 900  # seconds after its arrival in which a record is written, or never
MOST = 10_000  # arrivals that one seal takes; the next goes on there
JUNK = 1_000  # objects that are no seals, until it is given up to find the last seal among them
NAMES = 100  # for one seal's number, of which others took some


@dataclass(frozen=True, slots=True)
class _Arrival:
    key: str
    at: str
    place: Place


def seal(desk: Desk) -> Seal:
    """Make and keep the next seal.

    Raise Busy where another sealer was first, Corrupt where the last seal is not to be found.
    """
    kms, alias = desk.access.home("kms"), desk.settings.seal_key
    key = str(kms.describe_key(KeyId=alias)["KeyMetadata"]["Arn"])
    run = Run(desk, vault(desk), key)
    recent = _recent(run)
    last = recent[-1] if recent else None
    now = desk.clock.now()
    arrived, until = _arrived(run, last, max(now, last.at) if last else now)
    made = _signed(run, seals.following(last, until, _heads(run, arrived, recent), key))
    _write(run, made)
    run.tell()
    return made


def earlier(at: str, seconds: int = OVERLAP) -> str:
    """Return the moment some seconds before another."""
    return clock.text(datetime.fromisoformat(at).timestamp() - seconds)


# --- the seals before -----------------------------------------------------------------------------


def _recent(run: Run) -> list[Seal]:
    """Return the last seals: as many as reach OVERLAP back from the last, in order."""
    recent: list[Seal] = []
    for kept in reversed(list(run.safe.kept(SEALS))):
        found = next(
            (each for body in run.safe.bodies(kept) if (each := run.genuine(kept.key, body))),
            None,
        )
        if found is None:
            run.junk.append(kept.key)
        elif not recent or found.number < recent[0].number:
            recent.insert(0, found)
        if recent and recent[0].at < earlier(recent[-1].at):
            break
        if len(run.junk) > JUNK:
            raise Corrupt(f"the last {JUNK} objects under {SEALS} are no seals")
    return recent


# --- what is new ----------------------------------------------------------------------------------


def _arrived(run: Run, last: Seal | None, until: str) -> tuple[list[_Arrival], str]:
    """Return what arrived since OVERLAP before the last seal, and until when it is listed."""
    start = f"{ARRIVALS}{earlier(last.at)}" if last else ""
    arrived: list[_Arrival] = []
    fresh = 0
    for kept in run.safe.kept(ARRIVALS, start):
        named = arrival_of(kept.key)
        if named is None or not kept.versions:
            run.junk.append(kept.key)
            continue
        at, place = named
        if at >= until:
            break
        fresh += last is None or at > last.at
        if fresh > MOST:
            return arrived, at
        arrived.append(_Arrival(kept.key, at, place))
    return arrived, until


def _heads(run: Run, arrived: list[_Arrival], recent: list[Seal]) -> dict[str, tuple[int, str]]:
    """Return the last record of each chain of which something came that no seal holds."""
    sealed = {chain: (head[0], each.at) for each in recent for chain, head in each.heads.items()}
    chains: dict[str, list[_Arrival]] = {}
    for each in arrived:
        number, at = sealed.get(each.place.chain, (0, ""))
        if each.place.seq > number or each.at >= at:
            chains.setdefault(each.place.chain, []).append(each)
    found = {chain: _head(run, new) for chain, new in chains.items()}
    return {chain: (head.seq, head.hash) for chain, head in found.items() if head}


def _head(run: Run, arrived: list[_Arrival]) -> Place | None:
    """Return the highest place whose record is kept, and preferably the record before it too.

    Whoever can only write here can invent a record, but not one that follows the real ones; so an
    invented one does not stand before them.
    """
    loose: Place | None = None
    for each in sorted(arrived, key=lambda each: (-each.place.seq, each.at)):
        record = records.kept(run.safe, each.place)
        if record is None:
            if each.at < earlier(run.desk.clock.now(), ARRIVING):
                run.junk.append(each.key)
        elif records.follows(run.safe, record):
            return each.place
        else:
            loose = loose or each.place
    return loose


# --- the next one ---------------------------------------------------------------------------------


def _signed(run: Run, unsigned: Seal) -> Seal:
    answer = run.desk.access.home("kms").sign(
        KeyId=run.key,
        Message=unsigned.signed,
        MessageType="RAW",
        SigningAlgorithm=seals.ALGORITHM,
    )
    return replace(unsigned, signature=answer["Signature"].hex())


def _write(run: Run, made: Seal) -> None:
    """Write a seal under the first of its names that nothing else took. Raise Busy."""
    for key in seals.names(made.number, NAMES):
        if run.safe.add(key, seals.written(made).encode()):
            return
        bodies = run.safe.bodies(run.safe.under(key))
        if any(run.genuine(key, body) for body in bodies):
            raise Busy(f"seal {made.number} is made by another")
        run.junk.append(key)
    raise Busy(f"others took {NAMES} names of seal {made.number}")
