"""Tests of GuardDuty's findings."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import Cloud
from tests.cloud.conftest import HOME, MEMBER


def finding(identifier: str, severity: float = 8.0) -> dict[str, Any]:
    """Return a small finding."""
    return {
        "id": identifier,
        "accountId": HOME,
        "region": "us-east-1",
        "type": "Backdoor:EC2/C&CActivity.B",
        "severity": severity,
        "service": {"serviceName": "guardduty"},
    }


def listed(detector: str, **criterion: Any) -> list[str]:
    """Return the ids of the findings that meet a criterion."""
    criteria = {"Criterion": {name.replace("_", "."): test for name, test in criterion.items()}}
    client = boto3.client("guardduty")
    return list(client.list_findings(DetectorId=detector, FindingCriteria=criteria)["FindingIds"])


def test_findings_are_read(cloud: Cloud) -> None:
    """A finding is returned as it was kept; ids nobody knows are left out."""
    detector = cloud.add_finding(finding("f-1"))
    client = boto3.client("guardduty")
    assert client.list_detectors()["DetectorIds"] == [detector]
    (found,) = client.get_findings(DetectorId=detector, FindingIds=["f-1", "f-2"])["Findings"]
    assert (found["Id"], found["Type"], found["Severity"]) == (
        "f-1",
        "Backdoor:EC2/C&CActivity.B",
        8.0,
    )
    assert found["Service"]["Archived"] is False


def test_findings_are_archived_and_back(cloud: Cloud) -> None:
    """An archived finding is told from the others."""
    detector = cloud.add_finding(finding("f-1"))
    cloud.add_finding(finding("f-2"))
    client = boto3.client("guardduty")
    client.archive_findings(DetectorId=detector, FindingIds=["f-1"])
    assert listed(detector, service_archived={"Eq": ["false"]}) == ["f-2"]
    assert listed(detector, service_archived={"Eq": ["true"]}) == ["f-1"]
    client.unarchive_findings(DetectorId=detector, FindingIds=["f-1"])
    assert listed(detector, service_archived={"Eq": ["false"]}) == ["f-1", "f-2"]


def test_findings_are_listed_by_criteria(cloud: Cloud) -> None:
    """Severity and other fields select findings."""
    detector = cloud.add_finding(finding("low", 2.0))
    cloud.add_finding(finding("high", 8.0))
    assert listed(detector, severity={"GreaterThanOrEqual": 7}) == ["high"]
    assert listed(detector, id={"NotEquals": ["high"]}) == ["low"]


def test_findings_are_selected_and_sorted_by_time(cloud: Cloud) -> None:
    """Times are compared in milliseconds since 1970; what is asked for first comes first."""
    for day in (3, 1, 2):
        at = f"2026-11-0{day}T00:00:00.000Z"
        detector = cloud.add_finding({**finding(f"f-{day}", 2.0), "updatedAt": at})
    found = boto3.client("guardduty").list_findings(
        DetectorId=detector,
        FindingCriteria={"Criterion": {"updatedAt": {"GreaterThanOrEqual": 1_793_577_600_000}}},
        SortCriteria={"AttributeName": "updatedAt", "OrderBy": "ASC"},
    )
    assert found["FindingIds"] == ["f-2", "f-3"]


def test_findings_come_in_pages(cloud: Cloud) -> None:
    """A page has as many findings as asked for, and says where the next begins."""
    detector = ""
    for number in range(5):
        detector = cloud.add_finding(finding(f"f-{number}"))
    pages = boto3.client("guardduty").get_paginator("list_findings")
    found = pages.paginate(DetectorId=detector, PaginationConfig={"PageSize": 2})
    assert [page["FindingIds"] for page in found] == [["f-0", "f-1"], ["f-2", "f-3"], ["f-4"]]


def test_findings_belong_to_a_detector_of_the_account(cloud: Cloud) -> None:
    """Another account's detector is refused."""
    detector = cloud.add_finding(finding("f-1"))
    client = cloud.session(MEMBER).client("guardduty")
    with pytest.raises(ClientError, match="BadRequestException"):
        client.get_findings(DetectorId=detector, FindingIds=["f-1"])


def test_request_has_fifty_ids(cloud: Cloud) -> None:
    """A request with more ids is refused."""
    detector = cloud.add_finding(finding("f-1"))
    with pytest.raises(ClientError, match="BadRequestException"):
        boto3.client("guardduty").get_findings(
            DetectorId=detector, FindingIds=[str(n) for n in range(51)]
        )
