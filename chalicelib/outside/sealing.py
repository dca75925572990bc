"""Making the next seal, from what the vault was given; the table is not asked.

A seal is one object, so a run that dies has sealed all or nothing, and the next one lists again
what came since the last seal. Some of that was sealed by it: arrivals are named by the clock of
whoever kept them, and seen a little later; so each listing begins OVERLAP before the last seal, and
leaves out what a seal since then holds. An arrival counts where the record it names is kept; what
else lies there holds nothing up, is told once, and is left to `firebreak audit verify`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from botocore.exceptions import ClientError

from chalicelib import clock, telling
from chalicelib.effect import canonical_text
from chalicelib.errors import Busy, Corrupt
from chalicelib.outside import records, seals
from chalicelib.outside.seals import Seal
from chalicelib.outside.vault import (
    ALARMS,
    ARRIVALS,
    SEALS,
    Place,
    Vault,
    hash_of,
    place_of,
    vault,
)
from chalicelib.runner.work import Desk

OVERLAP = 3_600  # seconds, longer than a function may take from telling the time to writing
ARRIVING = 900  # seconds after its arrival in which a record is written, or never
MOST = 10_000  # arrivals that one seal takes; the next goes on there
JUNK = 1_000  # objects that are no seals, until it is given up to find the last seal among them
NAMES = 100  # for one seal's number, of which others took some
TOLD = 20  # junk objects that one run tells of; the next tells of others


@dataclass(slots=True)
class _Run:
    """One run: what it seals from, and the junk it met."""

    desk: Desk
    safe: Vault
    key: str
    junk: list[str] = field(default_factory=list)


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
    run = _Run(desk, vault(desk), key)
    recent = _recent(run)
    last = recent[-1] if recent else None
    now = desk.clock.now()
    arrived, until = _arrived(run, last, max(now, last.at) if last else now)
    made = _signed(run, seals.following(last, until, _heads(run, arrived, recent), key))
    _write(run, made)
    _tell(run)
    return made


def earlier(at: str, seconds: int = OVERLAP) -> str:
    """Return the moment some seconds before another."""
    return clock.text(datetime.fromisoformat(at).timestamp() - seconds)


# --- the seals before -----------------------------------------------------------------------------


def _recent(run: _Run) -> list[Seal]:
    """Return the last seals: as many as reach OVERLAP back from the last, in order."""
    recent: list[Seal] = []
    for kept in reversed(list(run.safe.kept(SEALS))):
        found = next(
            (each for body in run.safe.bodies(kept) if (each := _genuine(run, kept.key, body))),
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


def _genuine(run: _Run, key: str, body: bytes) -> Seal | None:
    """Return the seal in an object, or None where it is none of that number and our key."""
    try:
        found = seals.read(body)
    except Corrupt:
        return None
    if found.number != seals.number_of(key) or found.root != seals.root_of(found.heads):
        return None
    return found if _is_ours(run, found) else None


def _is_ours(run: _Run, found: Seal) -> bool:
    try:
        signature = bytes.fromhex(found.signature)
        run.desk.access.home("kms").verify(
            KeyId=run.key,
            Message=found.signed,
            MessageType="RAW",
            Signature=signature,
            SigningAlgorithm=seals.ALGORITHM,
        )
    except ValueError:
        return False
    except ClientError as error:
        if error.response["Error"]["Code"] != "KMSInvalidSignatureException":
            raise
        return False
    return True


# --- what is new ----------------------------------------------------------------------------------


def _arrived(run: _Run, last: Seal | None, until: str) -> tuple[list[_Arrival], str]:
    """Return what arrived since OVERLAP before the last seal, and until when it is listed."""
    start = f"{ARRIVALS}{earlier(last.at)}" if last else ""
    arrived: list[_Arrival] = []
    fresh = 0
    for kept in run.safe.kept(ARRIVALS, start):
        at, place = kept.key.removeprefix(ARRIVALS).split("/", 1)[0], place_of(kept.key)
        if at >= until and place:
            break
        if not place or not kept.versions:
            run.junk.append(kept.key)
            continue
        fresh += last is None or at >= last.at
        if fresh > MOST:
            return arrived, at
        arrived.append(_Arrival(kept.key, at, place))
    return arrived, until


def _heads(run: _Run, arrived: list[_Arrival], recent: list[Seal]) -> dict[str, tuple[int, str]]:
    """Return the last record of each chain of which something came that no seal holds."""
    sealed = {chain: (head[0], each.at) for each in recent for chain, head in each.heads.items()}
    chains: dict[str, list[_Arrival]] = {}
    for each in arrived:
        number, at = sealed.get(each.place.chain, (0, ""))
        if each.place.seq > number or each.at >= at:
            chains.setdefault(each.place.chain, []).append(each)
    found = {chain: _head(run, new) for chain, new in chains.items()}
    return {chain: (head.seq, head.hash) for chain, head in found.items() if head}


def _head(run: _Run, arrived: list[_Arrival]) -> Place | None:
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


def _signed(run: _Run, unsigned: Seal) -> Seal:
    answer = run.desk.access.home("kms").sign(
        KeyId=run.key,
        Message=unsigned.signed,
        MessageType="RAW",
        SigningAlgorithm=seals.ALGORITHM,
    )
    return replace(unsigned, signature=answer["Signature"].hex())


def _write(run: _Run, made: Seal) -> None:
    """Write a seal under the first of its names that nothing else took. Raise Busy."""
    for key in seals.names(made.number, NAMES):
        if run.safe.add(key, seals.written(made).encode()):
            return
        bodies = run.safe.bodies(run.safe.under(key))
        if any(_genuine(run, key, body) for body in bodies):
            raise Busy(f"seal {made.number} is made by another")
        run.junk.append(key)
    raise Busy(f"others took {NAMES} names of seal {made.number}")


def _tell(run: _Run) -> None:
    """Tell of junk that was not told before; killed in between, it is told again."""
    new = list(_untold(run))
    if not new:
        return
    what = "objects that Firebreak did not write, or that name none of its records"
    shown = ", ".join(key for key, _ in new)
    if telling.tampered(run.desk, f"{len(new)} in the audit bucket: {shown}", what, new[0][1]):
        for key, name in new:
            evidence = {"at": run.desk.clock.now(), "what": what, "key": key}
            run.safe.add(name, canonical_text(evidence).encode("utf-8", "backslashreplace"))


def _untold(run: _Run) -> Iterator[tuple[str, str]]:
    told = 0
    for key in dict.fromkeys(run.junk):
        name = f"{ALARMS}junk/{hash_of(key)}.json"
        if told < TOLD and not run.safe.under(name).versions:
            told += 1
            yield key, name
