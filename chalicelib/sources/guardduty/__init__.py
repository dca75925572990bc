"""GuardDuty: findings and object scan results, as EventBridge or the GuardDuty API gives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.errors import Rejected
from chalicelib.fields import Fields
from chalicelib.finding import ROLES, Finding
from chalicelib.sources import Reading
from chalicelib.sources.guardduty.actions import described_action, indicators
from chalicelib.sources.guardduty.envelope import (
    FINDING,
    OBJECT_SCAN,
    Received,
    account_id,
    partition,
    receive,
    recognises,
    region,
    split,
)
from chalicelib.sources.guardduty.resources import resources
from chalicelib.sources.guardduty.scan import scanned_object, threats
from chalicelib.sources.guardduty.sequence import signals

__all__ = ["read", "recognises", "split"]


def read(event: Mapping[str, Any]) -> Reading:
    """Return the findings of a GuardDuty event, and its EventBridge envelope.

    A scan that found nothing gives no finding. Paths in Rejected are spelled as in the event.
    https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Finding.html
    """
    received = receive(event)
    try:
        envelope = received.envelope()
        reader = READERS[envelope["detail-type"]]
        return Reading(envelope, reader(received, envelope))
    except Rejected as rejected:
        raise received.as_received(rejected) from rejected


def _finding(received: Received, envelope: Mapping[str, Any]) -> tuple[Finding, ...]:
    detail = received.detail
    found = resources(detail)
    where = region(detail, "region") if detail.optional("region") else envelope["region"]
    return (
        Finding(
            id=detail.identifier("id", max_length=300),
            source=envelope["source"],
            type=detail.identifier("type", max_length=256),
            title=detail.text("title", "", max_length=4096),
            description=detail.text("description", "", max_length=16384),
            severity=detail.number("severity", least=0, most=10),
            account=account_id(detail, "accountId"),
            region=where,
            partition=partition(detail, where),
            created_at=detail.time("createdAt", ""),
            updated_at=detail.time("updatedAt", ""),
            first_seen=detail.time("service.eventFirstSeen", ""),
            last_seen=detail.time("service.eventLastSeen", ""),
            resource=found[0],
            resources=found,
            indicators=indicators(detail),
            role=_role(detail),
            count=detail.integer("service.count", 1, least=0),
            archived=detail.flag("service.archived", False),
            sample=_sample(detail),
            detail=_only_here(detail),
        ),
    )


def _role(detail: Fields) -> str | None:
    role = detail.text("service.resourceRole", "").upper()
    return role if role in ROLES else None


def _sample(detail: Fields) -> bool:
    """Say whether AWS made the finding up: it says so in the title, or in additionalInfo.

    Since 2022 additionalInfo is `{"value": "<JSON text>", "type": "default"}`.
    https://docs.aws.amazon.com/guardduty/latest/ug/sample_findings.html
    """
    additional = detail.optional("service.additionalInfo") or Fields({})
    if additional.flag("sample", False):
        return True
    if detail.text("title", "", max_length=4096).startswith("[SAMPLE]"):
        return True
    try:
        inner = json.loads(additional.text("value", "", max_length=262_144) or "{}")
    except (ValueError, RecursionError):
        return False
    return isinstance(inner, dict) and inner.get("sample") is True


# What a finding's `detail` holds: its name there, where GuardDuty has it.
ONLY_HERE: Mapping[str, str] = {
    "arn": "arn",
    "resource_type": "resource.resourceType",
    "detector_id": "service.detectorId",
    "feature": "service.featureName",
    "attack_sequence_arn": "associatedAttackSequenceArn",
    "custom_detection_rule": "customDetectionRuleName",
    "process": "service.runtimeDetails.process.name",
    "process_path": "service.runtimeDetails.process.executablePath",
    "process_sha256": "service.runtimeDetails.process.executableSha256",
}


def _only_here(detail: Fields) -> dict[str, Any]:
    held: dict[str, Any] = {
        name: detail.text(path, None, max_length=4096) for name, path in ONLY_HERE.items()
    }
    held["action"] = described_action(detail)
    held["threats"] = threats(detail)
    held["signals"] = signals(detail)
    return {name: value for name, value in held.items() if value}


READERS: Mapping[str, Callable[[Received, Mapping[str, Any]], tuple[Finding, ...]]] = {
    FINDING: _finding,
    OBJECT_SCAN: scanned_object,
}
