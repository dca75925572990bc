"""Findings of GuardDuty: kept, listed, read and archived, which moto does not do.

https://docs.aws.amazon.com/guardduty/latest/APIReference/API_ListFindings.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from moto.guardduty import urls
from moto.guardduty.exceptions import DetectorNotFoundException, GuardDutyException
from moto.guardduty.models import guardduty_backends
from moto.guardduty.responses import GuardDutyResponse

from firebreak.cloud.patching import Patch

MAX_FINDINGS = 50  # in a request, and on a page

Finding = dict[str, Any]
Findings = dict[str, Finding]

_ROUTES = {
    f"{{0}}/detector/(?P<detector_id>[^/]+)/findings{rest}$": GuardDutyResponse.dispatch
    for rest in ("", "/get", "/archive", "/unarchive")
}


def patches() -> list[Patch]:
    """Return the operations on findings, and their routes."""
    operations: dict[str, Callable[[Any], str]] = {
        "archive_findings": lambda response: _archive(response, archived=True),
        "get_findings": _get,
        "list_findings": _list,
        "unarchive_findings": lambda response: _archive(response, archived=False),
    }
    return [
        Patch(urls, "url_paths", {**urls.url_paths, **_ROUTES}),
        *(Patch(GuardDutyResponse, name, each) for name, each in operations.items()),
    ]


def add_finding(account: str, region: str, finding: Mapping[str, Any]) -> str:
    """Keep a finding (the detail of its event) under the detector it names; return the detector."""
    backend: Any = guardduty_backends[account][region]
    if not backend.detectors:
        backend.create_detector(True, "SIX_HOURS", {}, {}, [])
    detector_id, detector = next(iter(backend.detectors.items()))
    kept = json.loads(json.dumps(finding))
    kept.setdefault("service", {}).update(archived=False, detectorId=detector_id)
    _findings(detector)[kept["id"]] = kept
    return str(detector_id)


def _findings(detector: Any) -> Findings:
    findings: Findings = vars(detector).setdefault("findings", {})
    return findings


def _asked(response: Any) -> Findings:
    """Return the findings of the detector a request names."""
    detector_id = response.path.split("/")[2]
    detectors = response.guardduty_backend.detectors
    if detector_id not in detectors:
        raise DetectorNotFoundException
    return _findings(detectors[detector_id])


def _identifiers(response: Any) -> list[str]:
    identifiers: list[str] = response._get_param("findingIds") or []
    if not 0 < len(identifiers) <= MAX_FINDINGS:
        message = f"The request is rejected because it must have 1 to {MAX_FINDINGS} finding ids."
        raise GuardDutyException("BadRequestException", message)
    return identifiers


def _get(response: Any) -> str:
    findings = _asked(response)
    found = [findings[each] for each in _identifiers(response) if each in findings]
    return json.dumps({"findings": found})


def _archive(response: Any, *, archived: bool) -> str:
    findings = _asked(response)
    for each in _identifiers(response):
        if each in findings:
            findings[each]["service"]["archived"] = archived
    return "{}"


def _list(response: Any) -> str:
    criteria = (response._get_param("findingCriteria") or {}).get("criterion", {})
    found = [
        identifier
        for identifier, finding in _asked(response).items()
        if all(_meets(_field(finding, name), test) for name, test in criteria.items())
    ]
    found = _sorted(response, found)
    first = int(response._get_param("nextToken") or 0)
    last = first + int(response._get_param("maxResults") or MAX_FINDINGS)
    token = str(last) if last < len(found) else ""
    return json.dumps({"findingIds": found[first:last], "nextToken": token})


def _sorted(response: Any, found: list[str]) -> list[str]:
    """Return findings in the order that is asked for, in which they were added if none is."""
    order = response._get_param("sortCriteria") or {}
    if not order:
        return found
    findings, name = _asked(response), order["attributeName"]
    return sorted(
        found,
        key=lambda each: str(_field(findings[each], name)),
        reverse=order.get("orderBy") == "DESC",
    )


def _field(finding: Mapping[str, Any], name: str) -> Any:
    value: Any = finding
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _meets(value: Any, test: Mapping[str, Any]) -> bool:
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    comparisons: dict[str, Callable[[Any], bool]] = {
        "eq": lambda wanted: text in wanted,
        "equals": lambda wanted: text in wanted,
        "neq": lambda wanted: text not in wanted,
        "notEquals": lambda wanted: text not in wanted,
        "gt": lambda bound: _number(value) > bound,
        "greaterThan": lambda bound: _number(value) > bound,
        "gte": lambda bound: _number(value) >= bound,
        "greaterThanOrEqual": lambda bound: _number(value) >= bound,
        "lt": lambda bound: _number(value) < bound,
        "lessThan": lambda bound: _number(value) < bound,
        "lte": lambda bound: _number(value) <= bound,
        "lessThanOrEqual": lambda bound: _number(value) <= bound,
    }
    return all(comparisons[name](wanted) for name, wanted in test.items())


def _number(value: Any) -> float:
    """Return a number as it is compared: times are in milliseconds since 1970."""
    if isinstance(value, str) and "T" in value:
        return datetime.fromisoformat(value).timestamp() * 1_000
    return float(value)
