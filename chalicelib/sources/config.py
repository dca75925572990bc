"""AWS Config: compliance changes of its rules, whatever deployed them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.fields import Fields, partition_of
from chalicelib.finding import ACTIVE, RESOLVED, Finding, Resource
from chalicelib.sources import Reading

SOURCE = "aws.config"
DETAIL_TYPE = "Config Rules Compliance Change"

# What becomes of a finding. NOT_APPLICABLE comes when the resource is deleted or out of the rule's
# scope; INSUFFICIENT_DATA says nothing of the resource, so it gives no finding.
# https://docs.aws.amazon.com/config/latest/APIReference/API_EvaluationResult.html
STATUS: Mapping[str, str | None] = {
    "NON_COMPLIANT": ACTIVE,
    "COMPLIANT": RESOLVED,
    "NOT_APPLICABLE": RESOLVED,
    "INSUFFICIENT_DATA": None,
}

# How services name the rules they deploy; the first group is the managed rule's name.
# https://docs.aws.amazon.com/audit-manager/latest/APIReference/API_SourceKeyword.html
DEPLOYED = (
    re.compile(r"securityhub-(.+?)(?:-[0-9a-f]{6,10})?"),
    re.compile(r"(.+)-conformance-pack-[a-z0-9]+"),
    re.compile(r"OrgConfigRule-(.+)-[a-z0-9]{8}"),
)
# Some name a rule by its identifier, which in two cases differs from the rule's name.
IDENTIFIER = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)+")
IDENTIFIED: Mapping[str, str] = {
    "incoming-ssh-disabled": "restricted-ssh",
    "restricted-incoming-traffic": "restricted-common-ports",
}

# The ports a rule is about: its documented defaults, as the event does not have its parameters.
# https://docs.aws.amazon.com/config/latest/developerguide/restricted-common-ports.html
# https://docs.aws.amazon.com/config/latest/developerguide/vpc-sg-port-restriction-check.html
PORTS: Mapping[str, tuple[int, ...]] = {
    "restricted-ssh": (22,),
    "restricted-rdp": (3389,),  # no rule of AWS's, but what many call their own
    "restricted-common-ports": (20, 21, 3389, 3306, 4333),
    "vpc-sg-port-restriction-check": (22, 3389),
}

# Config has no severities. On GuardDuty's scale, what opens a resource to the internet, a root key
# and a missing trail are High, all else is at the foot of Medium.
OPEN = 7.0
OTHER = 4.0
SEVERITY: Mapping[str, float] = dict.fromkeys(
    (
        *PORTS,
        "vpc-sg-open-only-to-authorized-ports",
        "s3-bucket-public-read-prohibited",
        "s3-bucket-public-write-prohibited",
        "s3-bucket-level-public-access-prohibited",
        "s3-account-level-public-access-blocks",
        "s3-account-level-public-access-blocks-periodic",
        "rds-instance-public-access-check",
        "rds-snapshots-public-prohibited",
        "ebs-snapshot-public-restorable-check",
        "redshift-cluster-public-access-check",
        "lambda-function-public-access-prohibited",
        "iam-root-access-key-check",
        "cloudtrail-enabled",
        "multi-region-cloudtrail-enabled",
    ),
    OPEN,
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Says what a resource type is called here, what ARN its id makes, and what else the id is."""

    name: str
    arn: str | None = None
    attribute: str | None = None


# Config's id of an IAM user or role is its unique id (AIDA…, AROA…), that of a database instance
# its resource id (db-…): the name is not in the event, so neither is the ARN.
# https://docs.aws.amazon.com/config/latest/APIReference/API_ResourceIdentifier.html
KINDS: Mapping[str, _Kind] = {
    "AWS::EC2::SecurityGroup": _Kind(
        "security_group", "arn:{partition}:ec2:{region}:{account}:security-group/{id}"
    ),
    "AWS::EC2::Instance": _Kind("instance", "arn:{partition}:ec2:{region}:{account}:instance/{id}"),
    "AWS::S3::Bucket": _Kind("bucket", "arn:{partition}:s3:::{id}"),
    "AWS::Lambda::Function": _Kind(
        "lambda_function", "arn:{partition}:lambda:{region}:{account}:function:{id}"
    ),
    "AWS::IAM::User": _Kind("iam_user", attribute="principal_id"),
    "AWS::IAM::Role": _Kind("iam_role", attribute="principal_id"),
    "AWS::RDS::DBInstance": _Kind("rds_instance"),
    "AWS::::Account": _Kind("account"),
}


def recognises(event: Mapping[str, Any]) -> bool:
    """Say whether the event is a compliance change: an EventBridge event, or its detail alone."""
    if event.get("source") == SOURCE:
        return event.get("detail-type") == DETAIL_TYPE
    return event.get("messageType") == "ComplianceChangeNotification"


def read(event: Mapping[str, Any]) -> Reading:
    """Return the finding of a compliance change: active, resolved, or none where data is lacking.

    The envelope has one field that AWS's has not, `detail.managedRuleName`: the rule's name without
    what the service that deployed it put around it, for patterns to match.

    https://docs.aws.amazon.com/config/latest/developerguide/monitor-config-with-cloudwatchevents.html
    """
    received = event if "source" in event else _envelope(Fields(event))
    detail = Fields(received).child("detail")
    rule = managed_rule(detail.identifier("configRuleName", max_length=128))
    envelope = {**received, "detail": {**detail.value, "managedRuleName": rule}}
    compliance = detail.identifier("newEvaluationResult.complianceType")
    if compliance not in STATUS:
        known = ", ".join(STATUS)
        reason = f"'{compliance[:40]}' is not a compliance; known are {known}"
        detail.child("newEvaluationResult.complianceType").reject(reason)
    status = STATUS[compliance]
    return Reading(envelope, () if status is None else (_finding(detail, rule, status),))


def _envelope(detail: Fields) -> dict[str, Any]:
    time = detail.time("notificationCreationTime", "")
    return {
        "version": "0",
        "id": _hash(detail.identifier("configRuleName"), detail.identifier("resourceId"), time),
        "detail-type": DETAIL_TYPE,
        "source": SOURCE,
        "account": detail.account("awsAccountId"),
        "time": time,
        "region": detail.region("awsRegion"),
        "resources": [],
        "detail": detail.value,
    }


def managed_rule(name: str) -> str:
    """Return the managed rule's name without what services put around it.

    https://docs.aws.amazon.com/config/latest/developerguide/managed-rules-by-aws-config.html
    """
    found = (shape.fullmatch(name) for shape in DEPLOYED)
    rule = next((match[1] for match in found if match), name)
    if IDENTIFIER.fullmatch(rule):
        rule = rule.lower().replace("_", "-")
    return IDENTIFIED.get(rule, rule)


def _finding(detail: Fields, rule: str, status: str) -> Finding:
    account, region = detail.account("awsAccountId"), detail.region("awsRegion")
    name, result = detail.identifier("configRuleName"), detail.child("newEvaluationResult")
    kind, resource_id = _type(detail), detail.identifier("resourceId")
    compliance = result.identifier("complianceType")
    return Finding(
        id=_hash(account, region, name, kind, resource_id),
        source=SOURCE,
        type=f"Config/{rule}",
        title=f"{resource_id}: {compliance} by {rule}",
        description=result.text("annotation", ""),
        severity=SEVERITY.get(rule, OTHER),
        account=account,
        region=region,
        partition=partition_of(region),
        created_at=result.time("resultRecordedTime", ""),
        updated_at=detail.time("notificationCreationTime", ""),
        first_seen=result.time("resultRecordedTime", ""),
        last_seen=detail.time("notificationCreationTime", ""),
        resource=_resource(kind, resource_id, account, region),
        status=status,
        detail=_only_here(detail, rule, kind),
    )


def _type(detail: Fields) -> str:
    return detail.identifier("resourceType", max_length=256)


def _resource(kind: str, resource_id: str, account: str, region: str) -> Resource:
    known = KINDS.get(kind)
    if known is None:
        arn = resource_id if resource_id.startswith("arn:") else None
        return Resource("config_resource", resource_id, arn, {"resource_type": kind})
    place = {"partition": partition_of(region), "region": region, "account": account}
    arn = known.arn.format(id=resource_id, **place) if known.arn else None
    attributes = {known.attribute: resource_id} if known.attribute else {}
    return Resource(known.name, resource_id, arn, attributes)


def _only_here(detail: Fields, rule: str, kind: str) -> dict[str, Any]:
    held: dict[str, Any] = {
        "rule": detail.identifier("configRuleName"),
        "rule_arn": detail.identifier("configRuleARN", ""),
        "managed_rule": rule,
        "resource_type": kind,
        "compliance": detail.identifier("newEvaluationResult.complianceType"),
        "previous_compliance": detail.identifier("oldEvaluationResult.complianceType", ""),
        "ports": list(PORTS.get(rule, ())),
    }
    return {name: value for name, value in held.items() if value}


def _hash(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
