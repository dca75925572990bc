"""One run of sealing: what it works with, which seals it believes, and what it tells of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from chalicelib import telling
from chalicelib.effect import canonical_text
from chalicelib.errors import Corrupt
from chalicelib.gone import is_code
from chalicelib.outside import seals
from chalicelib.outside.seals import Seal
from chalicelib.outside.vault import ALARMS, Vault, hash_of
from chalicelib.runner.work import Desk

SIGNATURE = re.compile("([0-9a-f]{2}){8,128}")
SIGNED = 4_096  # bytes that KMS signs
TOLD = 20  # junk objects that one run tells of; the next tells of others


@dataclass(slots=True)
class Run:
    """Hold one run: the vault, the ARN of the key, and the junk that it met."""

    desk: Desk
    safe: Vault
    key: str
    junk: list[str] = field(default_factory=list)

    def genuine(self, key: str, body: bytes) -> Seal | None:
        """Return the seal in an object, or None where it is none of that number and our key."""
        try:
            found = seals.read(body)
        except Corrupt:
            return None
        if found.number != seals.number_of(key) or found.root != seals.root_of(found.heads):
            return None
        return found if self._is_ours(found) else None

    def _is_ours(self, found: Seal) -> bool:
        if not SIGNATURE.fullmatch(found.signature) or len(found.signed) > SIGNED:
            return False
        try:
            self.desk.access.home("kms").verify(
                KeyId=self.key,
                Message=found.signed,
                MessageType="RAW",
                Signature=bytes.fromhex(found.signature),
                SigningAlgorithm=seals.ALGORITHM,
            )
        except ClientError as error:
            if not is_code(error, "KMSInvalidSignatureException"):
                raise
            return False
        return True

    def tell(self) -> None:
        """Tell of junk that was not told before; killed in between, it is told again."""
        new = list(self._untold())
        if not new:
            return
        what = "objects that Firebreak did not write, or that name none of its records"
        shown = ", ".join(key for key, _ in new)
        about = f"{len(new)} in the audit bucket: {shown}"
        if telling.tampered(self.desk, about, what, new[0][1]):
            for key, name in new:
                evidence = {"at": self.desk.clock.now(), "what": what, "key": key}
                self.safe.add(name, canonical_text(evidence).encode("utf-8", "backslashreplace"))

    def _untold(self) -> Iterator[tuple[str, str]]:
        told = 0
        for key in dict.fromkeys(self.junk):
            name = f"{ALARMS}junk/{hash_of(key)}.json"
            if told < TOLD and not self.safe.under(name).versions:
                told += 1
                yield key, name
