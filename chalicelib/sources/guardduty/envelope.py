"""The forms a GuardDuty event comes in, and the one form in which playbooks see it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.errors import Rejected
from chalicelib.fields import Fields

SOURCE = "aws.guardduty"
FINDING = "GuardDuty Finding"
OBJECT_SCAN = "GuardDuty Malware Protection Object Scan Result"
DETAIL_TYPES = (FINDING, OBJECT_SCAN)

ACCOUNT = re.compile(r"[0-9]{12}")
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")
PARTITION = re.compile(r"aws(-[a-z]+)*")
PARTITIONS: Mapping[str, str] = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}

API_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
DEEPEST = 64
# The API's names that do not differ from the event's in their first letter alone: (object, name).
RENAMED: Mapping[tuple[str, str], str] = {
    ("kubernetesApiCallAction", "SourceIps"): "sourceIPs",
    ("productCodes", "Code"): "productCodeId",
    ("productCodes", "ProductType"): "productCodeType",
    ("taskDetails", "TaskCreatedAt"): "createdAt",
    ("account", "Name"): "account",
    ("location", "Latitude"): "lat",
    ("location", "Longitude"): "lon",
    ("kubernetesWorkload", "KubernetesResourcesTypes"): "type",
}
API_NAMES: Mapping[tuple[str, str], str] = {
    (inside, name): api_name for (inside, api_name), name in RENAMED.items()
}


def recognises(event: Mapping[str, Any]) -> bool:
    """Say whether the event is GuardDuty's: an envelope, a detail alone, or an API response."""
    if "detail" in event:
        by_type = "source" not in event and event.get("detail-type") in DETAIL_TYPES
        return event.get("source") == SOURCE or by_type
    listed = event.get("findings", event.get("Findings"))
    if isinstance(listed, list):
        return bool(listed) and all(_is_finding(item) for item in listed)
    return _is_finding(event)


def _is_finding(value: Any) -> bool:
    if not isinstance(value, Mapping) or "ProductArn" in value:
        return False
    return {"type", "resource"} <= value.keys() or {"Type", "Resource"} <= value.keys()


def split(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield each finding of an API response that holds several; any other event as it is.

    https://docs.aws.amazon.com/guardduty/latest/APIReference/API_GetFindings.html
    """
    listed = event.get("findings", event.get("Findings"))
    if "detail" in event or not isinstance(listed, list):
        yield event
    else:
        yield from listed


@dataclass(frozen=True, slots=True)
class Received:
    """Hold an event as it came, and its detail in EventBridge's spelling."""

    outer: Fields
    detail: Fields
    respelled: bool

    def envelope(self) -> dict[str, Any]:
        """Return the event as EventBridge delivers it; what it does not say comes from its detail.

        https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html
        """
        outer, detail = self.outer, self.detail
        kind = outer.text("detail-type", FINDING)
        if kind not in DETAIL_TYPES:
            outer.child("detail-type").reject(
                f"'{kind[:80]}' is not read; read are {', '.join(DETAIL_TYPES)}"
            )
        return {
            "version": outer.text("version", "0", max_length=16),
            "id": outer.identifier("id", None, max_length=300) or detail.identifier("id"),
            "detail-type": kind,
            "source": SOURCE,
            "account": account_id(*_stated(outer, "account", detail, "accountId")),
            "time": outer.time("time", None) or detail.time("updatedAt", ""),
            "region": region(*_stated(outer, "region", detail, "region")),
            "resources": outer.texts("resources", max_length=2048),
            "detail": detail.value,
        }

    def as_received(self, rejected: Rejected) -> Rejected:
        """Return the rejection with its path spelled as in the event."""
        start = f"{self.detail.path}." if self.detail.path else ""
        if not self.respelled or not rejected.path.startswith(start):
            return rejected
        return Rejected(start + _api_path(rejected.path[len(start) :]), rejected.reason)


def _stated(outer: Fields, key: str, detail: Fields, inner: str) -> tuple[Fields, str]:
    return (outer, key) if outer.optional(key) else (detail, inner)


def receive(event: Mapping[str, Any]) -> Received:
    """Tell the forms apart. Raise Rejected for several findings in one: `split` parts them."""
    if "detail" in event:
        outer = Fields(event)
        return _received(outer, outer.child("detail"))
    key = next((name for name in ("findings", "Findings") if name in event), None)
    if key is None:
        return _received(Fields({}), Fields(event))
    listed = list(Fields(event).each(key))
    if len(listed) != 1:
        reason = f"holds {len(listed)} findings; playbooks match one event each, so pass one each"
        Fields(event).child(key).reject(reason)
    return _received(Fields({}), listed[0])


def _received(outer: Fields, found: Fields) -> Received:
    if not isinstance(found.value, Mapping):
        found.reject("has to be an object")
    respelled = any(isinstance(name, str) and API_NAME.fullmatch(name) for name in found.value)
    value = _respell(found.value, "", found, DEEPEST) if respelled else found.value
    return Received(outer, Fields(value, found.path), respelled)


def _respell(value: Any, inside: str, at: Fields, depth: int) -> Any:
    if depth == 0:
        at.reject(f"is nested deeper than {DEEPEST} levels")
    if isinstance(value, list):
        return [_respell(item, inside, at, depth - 1) for item in value]
    if not isinstance(value, Mapping):
        return value
    spelled = {name: _event_name(inside, name) for name in value}
    if len(set(spelled.values())) < len(spelled):
        at.reject("spells one field in two ways, as the API does and as EventBridge does")
    return {
        spelled[name]: _respell(item, spelled[name], at, depth - 1) for name, item in value.items()
    }


def _event_name(inside: str, name: str) -> str:
    renamed = RENAMED.get((inside, name))
    if renamed is not None:
        return renamed
    return name[0].lower() + name[1:] if API_NAME.fullmatch(name) else name


def _api_path(path: str) -> str:
    spelled, inside = [], ""
    for part in path.split("."):
        name, bracket, index = part.partition("[")
        api_name = API_NAMES.get((inside, name), name[:1].upper() + name[1:])
        spelled.append(api_name + bracket + index)
        inside = name or inside
    return ".".join(spelled)


def account_id(at: Fields, key: str) -> str:
    """Return an AWS account id: twelve digits."""
    return _shaped(at, key, ACCOUNT, "a 12-digit account id")


def region(at: Fields, key: str) -> str:
    """Return the name of an AWS region, which becomes part of a host name."""
    return _shaped(at, key, REGION, "a region's name")


def partition(detail: Fields, region_name: str) -> str:
    """Return the partition that the detail states, or else the region's."""
    if detail.optional("partition"):
        return _shaped(detail, "partition", PARTITION, "a partition's name")
    return next((p for start, p in PARTITIONS.items() if region_name.startswith(start)), "aws")


def _shaped(at: Fields, key: str, shape: re.Pattern[str], meant: str) -> str:
    text = at.text(key)
    if not shape.fullmatch(text):
        at.child(key).reject(f"'{text[:80]}' is not {meant}")
    return text
