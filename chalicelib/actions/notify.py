"""Tell people what was found and what Firebreak does about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chalicelib.actions import action
from chalicelib.effect import JSON, Call, Effects, Message, Reader
from chalicelib.text import ascii_subject, defang, one_line, readable, shortened

TEXT_LIMIT = 8_000
FIELD_LIMIT = 500
DESCRIPTION_LIMIT = 4_000
NAME_LIMIT = 253  # the longest domain name
LISTED = 20
LEVELS = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"))  # GuardDuty's
LOWEST = "low"

SEVERITY = {
    "type": ["number", "null"],
    "minimum": 0,
    "maximum": 10,
    "default": None,
    "description": "severity of the message, 0 to 10; the finding's own where none is given",
}


@action(
    params={
        "subject": {"type": "string", "minLength": 1, "description": "first line, in a few words"},
        "text": {"type": "string", "default": "", "description": "what else people should know"},
        "severity": SEVERITY,
    },
    permissions=("sns:Publish",),
    facts=("subject", "deduplication_id"),
    at="home",
    contains=False,
    target={"*": ("{topic_arn}",)},
)
def notify(aws: Reader, subject: str, text: str, severity: float | None) -> Effects:
    """Publish a readable message to the stage's SNS topic, at least once.

    It says what was found, where, how bad it is, on whose behalf Firebreak acts and how to take it
    back. All that a finding or a playbook says is shown without hidden characters and without
    links (`https[:]//evil[.]example`), bounded and indented, so that none of it passes for
    Firebreak's own words. Message attributes serve filter policies and machines: `severity`,
    `playbook`, `account`, `region`, `finding_type`, `remediation`, `deduplication_id` (the same for
    every repeat of this message), and `firebreak`, the key facts as JSON. A message is never
    taken back.
    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    grade = _grade(aws.finding, severity)
    line = ascii_subject(subject)
    identity = _identity(aws.remediation, aws.step, subject, text)
    ordered = {"MessageGroupId": aws.remediation, "MessageDeduplicationId": identity}
    yield Message(
        key=f"notify:{aws.remediation}:{aws.step}",
        do=Call(
            "sns",
            "publish",
            TopicArn=aws.topic_arn,
            Subject=line,
            Message=_message(aws, subject, text, grade),
            MessageAttributes=_attributes(aws, grade, identity),
            **(ordered if aws.topic_arn.endswith(".fifo") else {}),
        ),
    )
    return {"subject": line, "deduplication_id": identity}


def _identity(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _grade(finding: Mapping[str, Any], severity: float | None) -> float:
    return float(finding.get("severity") or 0.0) if severity is None else float(severity)


# --- the message ----------------------------------------------------------------------------------


def _message(aws: Reader, subject: str, text: str, severity: float) -> str:
    parts = (
        [_outside(subject)],
        [f"  {line}" for line in _lines(text)],
        ["WHAT WAS FOUND", _severity(severity), *_listed(_found(aws.finding))],
        ["WHO ACTS", *_listed(_acting(aws))],
        [
            "To take back what was done:",
            f"  firebreak rollback {aws.remediation}",
        ],
    )
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _severity(severity: float) -> str:
    level = next((name for least, name in LEVELS if severity >= least), LOWEST)
    return _field("Severity", f"{severity:g} of 10 ({level})")


def _found(finding: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    resource = finding.get("resource") or {}
    yield "Type", finding.get("type")
    yield "Title", finding.get("title")
    yield "Account", finding.get("account")
    yield "Region", finding.get("region")
    yield "Resource", f"{resource.get('kind') or ''} {resource.get('id') or ''}"
    yield "ARN", resource.get("arn")
    yield "Addresses", _some(finding.get("remote_addresses"))
    yield "Domains", _some(finding.get("remote_domains"))
    yield "First seen", _moment(finding.get("first_seen"))
    yield "Last seen", _moment(finding.get("last_seen"))
    yield "Times seen", finding.get("count")
    yield "Status", finding.get("status")
    yield "Finding", finding.get("id")
    yield "Sample", "made by AWS as an example, nothing happened" if finding.get("sample") else None
    yield "Description", finding.get("description")


def _acting(aws: Reader) -> Iterator[tuple[str, Any]]:
    yield "Playbook", aws.playbook
    yield "Step", aws.step
    yield "Stage", aws.stage
    yield "Remediation", aws.remediation


def _listed(fields: Iterable[tuple[str, Any]]) -> list[str]:
    return [
        _field(label, _outside(value, _limit(label)))
        for label, value in fields
        if value not in (None, "", " ")
    ]


def _field(label: str, value: str) -> str:
    return f"  {label + ':':<13}{value}"


def _moment(time: str | None) -> str | None:
    return f"{time[:10]} {time[11:19]} UTC" if time else None


def _limit(label: str) -> int:
    return DESCRIPTION_LIMIT if label == "Description" else FIELD_LIMIT


def _some(values: Any) -> str:
    found = [str(each) for each in values or ()]
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return ", ".join(found[:LISTED]) + more


def _outside(value: Any, limit: int = FIELD_LIMIT) -> str:
    """Return a value as one line that cannot hide, link, or pass its bounds."""
    return shortened(defang(one_line(str(value), limit)), limit)


def _lines(text: str) -> list[str]:
    return shortened(defang(readable(text, TEXT_LIMIT)), TEXT_LIMIT).splitlines()


# --- for filter policies and machines -------------------------------------------------------------


def _attributes(aws: Reader, severity: float, identity: str) -> dict[str, JSON]:
    """Return the message attributes: at most ten, as many as raw delivery to a queue takes."""
    finding = aws.finding
    texts = {
        "account": finding.get("account"),
        "deduplication_id": identity,
        "finding_type": finding.get("type"),
        "playbook": aws.playbook,
        "region": finding.get("region"),
        "remediation": aws.remediation,
    }
    strings = {name: one_line(str(each), FIELD_LIMIT) for name, each in texts.items() if each}
    strings["firebreak"] = _facts(aws, severity)
    return {
        "severity": {"DataType": "Number", "StringValue": f"{severity:g}"},
        **{name: {"DataType": "String", "StringValue": each} for name, each in strings.items()},
    }


def _facts(aws: Reader, severity: float) -> str:
    """Return the key facts as JSON in ASCII; the values are the finding's own, bounded."""
    finding = aws.finding
    resource = finding.get("resource") or {}
    facts: dict[str, JSON] = {
        "remediation": aws.remediation,
        "playbook": aws.playbook,
        "step": aws.step,
        "stage": aws.stage,
        "severity": severity,
        "finding": {name: _bounded(finding.get(name)) for name in ("id", "type", "source")},
        "account": _bounded(finding.get("account")),
        "region": _bounded(finding.get("region")),
        "resource": {name: _bounded(resource.get(name)) for name in ("kind", "id", "arn")},
        "remote_addresses": _names(finding.get("remote_addresses")),
        "remote_domains": _names(finding.get("remote_domains")),
    }
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def _names(values: Any) -> list[str]:
    return [str(each)[:NAME_LIMIT] for each in list(values or ())[:LISTED]]


def _bounded(value: Any) -> str | None:
    return None if value is None else str(value)[:FIELD_LIMIT]
