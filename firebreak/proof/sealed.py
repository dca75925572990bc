"""Seals as they were found, in a bucket or a file: which are ours, and whether they are a chain.

The key is the one that whoever verifies names, never the one that a seal names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chalicelib.errors import Corrupt, InvalidSettings
from chalicelib.outside import seals
from chalicelib.outside.seals import Seal
from chalicelib.outside.vault import SEALS, Vault
from chalicelib.runner.work import Desk
from firebreak.proof.trail import Finding

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

Keys = tuple["EllipticCurvePublicKey", ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Hold something that may be a seal: where it was, of which number it is to be, its text."""

    where: str
    number: int | None
    text: str | bytes


def keys_of_stage(desk: Desk) -> Keys:
    """Return the public key of the stage's seals. Raise what KMS raises."""
    answer = desk.access.home("kms").get_public_key(KeyId=desk.settings.seal_key)
    return (_key(answer["PublicKey"], desk.settings.seal_key),)


def keys_of_files(files: Iterable[Path]) -> Keys:
    """Return the public keys in files, PEM or DER. Raise InvalidSettings."""
    return tuple(_key(file.read_bytes(), str(file)) for file in files)


def _key(data: bytes, where: str) -> EllipticCurvePublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        load_der_public_key,
        load_pem_public_key,
    )

    load = load_pem_public_key if data.lstrip().startswith(b"-----") else load_der_public_key
    try:
        key = load(data)
    except (ValueError, UnsupportedAlgorithm) as wrong:
        raise InvalidSettings(f"{where}: no public key in PEM or DER") from wrong
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise InvalidSettings(f"{where}: seals are signed by a key on an elliptic curve")
    return key


def in_bucket(safe: Vault) -> Iterator[Found]:
    """Yield every version of what lies under the names of seals, the oldest of each first."""
    for kept in safe.kept(SEALS):
        number = seals.number_of(kept.key)
        if number is not None:
            yield from (Found(kept.key, number, body) for body in safe.bodies(kept))


def chain_of(found: Iterable[Found], keys: Keys | None) -> tuple[tuple[Seal, ...], list[Finding]]:
    """Return the seals that are what they say, in order, and what is wrong.

    keys: None where signatures cannot be checked.
    """
    ours: dict[int, Seal] = {}
    findings: list[Finding] = []
    for each in found:
        seal, wrong = _read(each, keys)
        if seal and not wrong and seal.number in ours:
            wrong = f"there is another seal {seal.number} before it"
        if seal is None or wrong:
            findings.append(Finding(each.where, wrong))
        else:
            ours[seal.number] = seal
    ordered = tuple(ours[number] for number in sorted(ours))
    return ordered, [*findings, *_breaks(ordered)]


def _read(found: Found, keys: Keys | None) -> tuple[Seal | None, str]:
    try:
        seal = seals.read(found.text)
    except Corrupt as wrong:
        return None, f"this is no seal: {wrong}"
    if found.number is not None and seal.number != found.number:
        return None, f"it says that it is seal {seal.number}"
    if keys is not None and not any(_signed(seal, key) for key in keys):
        return None, "it is not signed by the stage's key"
    if seal.root != seals.root_of(seal.heads) or seal.size != len(seal.heads):
        return None, "its root is not that of its heads"
    return seal, ""


def _signed(seal: Seal, key: EllipticCurvePublicKey) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(bytes.fromhex(seal.signature), seal.signed, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _breaks(ordered: Iterable[Seal]) -> Iterator[Finding]:
    before: Seal | None = None
    for seal in ordered:
        if wrong := seals.wrong(seal, before):
            yield Finding(f"seal {seal.number}", wrong)
        before = seal
