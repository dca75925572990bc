"""The Merkle tree hash of RFC 6962, section 2.1: leaves and nodes are hashed in domains apart.

https://www.rfc-editor.org/rfc/rfc6962#section-2.1
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

LEAF, NODE = b"\x00", b"\x01"


def root(entries: Sequence[bytes]) -> str:
    """Return the root of entries in their order, in hex; of none it is the hash of nothing."""
    return _root(entries).hex() if entries else hashlib.sha256(b"").hexdigest()


def _root(entries: Sequence[bytes]) -> bytes:
    if len(entries) == 1:
        return hashlib.sha256(LEAF + entries[0]).digest()
    half = 1 << (len(entries) - 1).bit_length() - 1  # the largest power of two below their number
    return hashlib.sha256(NODE + _root(entries[:half]) + _root(entries[half:])).digest()
