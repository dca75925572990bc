"""What malware scans found: the threats of a finding, and scan results of S3 objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.fields import Fields
from chalicelib.finding import Finding, Resource
from chalicelib.sources.guardduty.envelope import Received, partition
from chalicelib.sources.guardduty.parts import known

THREATS_FOUND = "THREATS_FOUND"
NOTHING_TO_DO = ("NO_THREATS_FOUND", "UNSUPPORTED", "ACCESS_DENIED", "FAILED")
# A scan result has no severity; this is the one of Object:S3/MaliciousFile, the finding for it.
# https://docs.aws.amazon.com/guardduty/latest/ug/gdu-malware-protection-s3-finding-types.html
SEVERITY = 8.0

# The lists of a finding in which malware is named.
# https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Service.html
MALWARE = (
    "service.ebsVolumeScanDetails.scanDetections.threatDetectedByName.threatNames",
    "service.malwareScanDetails.threats",
)


def threats(detail: Fields) -> list[str]:
    """Return the names of the malware that was found, and of known threats that matched."""
    names = [name for path in MALWARE for name in _names(detail, path)]
    for evidence in detail.each("service.evidence.threatIntelligenceDetails"):
        names.extend(name.text() for name in evidence.each("threatNames"))
    return list(dict.fromkeys(name for name in names if name))


def _names(detail: Fields, path: str) -> list[str]:
    return [threat.text("name", "") for threat in detail.each(path)]


def scanned_object(received: Received, envelope: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return the finding of an object scan; none unless it found threats.

    https://docs.aws.amazon.com/guardduty/latest/ug/monitor-with-eventbridge-s3-malware-protection.html
    """
    detail = received.detail
    status = detail.identifier("scanResultDetails.scanResultStatus", max_length=64)
    if status in NOTHING_TO_DO:
        return ()
    if status != THREATS_FOUND:
        detail.at("scanResultDetails.scanResultStatus").reject(
            f"'{status}' is unknown; known are {', '.join((THREATS_FOUND, *NOTHING_TO_DO))}"
        )
    where = partition(detail, envelope["region"])
    found = _object(detail, where)
    bucket = Resource("bucket", found.attributes["bucket"])
    names = [name for name in _names(detail, "scanResultDetails.threats") if name]
    return (
        Finding(
            id=envelope["id"],
            source=envelope["source"],
            type=envelope["detail-type"],
            title=f"Malware in an object of the bucket {bucket.id}",
            description=", ".join(names),
            severity=SEVERITY,
            account=envelope["account"],
            region=envelope["region"],
            partition=where,
            created_at=envelope["time"],
            updated_at=envelope["time"],
            resource=found,
            resources=(found, bucket),
            detail=known(resource_type=detail.text("resourceType", None), threats=names),
        ),
    )


def _object(detail: Fields, where: str) -> Resource:
    at = detail.at("s3ObjectDetails")
    bucket, key = at.identifier("bucketName"), at.identifier("objectKey")
    attributes = known(
        bucket=bucket,
        key=key,
        version_id=at.identifier("versionId", None),
        etag=at.identifier("eTag", None),
    )
    arn = f"arn:{where}:s3:::{bucket}/{key}"
    return Resource("object", f"{bucket}/{key}", arn, attributes)
