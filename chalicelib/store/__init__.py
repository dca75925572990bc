"""The remediations table: what is stored of each remediation, and of events that are kept.

values      a remediation's head, its steps, its effects and their holds
items       where they lie, and how they are made of their items again
documents   findings and events, of any size
"""

from __future__ import annotations

from chalicelib.store.documents import (
    CHUNK,
    finding_items,
    get_event,
    get_finding,
    keep_event,
    pack,
    part_key,
    put_finding,
    unpack,
)
from chalicelib.store.items import (
    effect_item,
    effects,
    get_remediation,
    hold_item,
    hold_key,
    load,
    meta_item,
    partition,
    pass_name,
    result_item,
    results,
    step_sk,
)
from chalicelib.store.values import (
    HALT,
    PHASES,
    Effect,
    Hold,
    Remediation,
    StepResult,
    short_hash,
)

__all__ = [
    "CHUNK",
    "HALT",
    "PHASES",
    "Effect",
    "Hold",
    "Remediation",
    "StepResult",
    "effect_item",
    "effects",
    "finding_items",
    "get_event",
    "get_finding",
    "get_remediation",
    "hold_item",
    "hold_key",
    "keep_event",
    "load",
    "meta_item",
    "pack",
    "part_key",
    "partition",
    "pass_name",
    "put_finding",
    "result_item",
    "results",
    "short_hash",
    "step_sk",
    "unpack",
]
