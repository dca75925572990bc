"""What linters find and is meant to be so: by tool, rule and resource, each with its reason.

One that is not needed any more is a failure.
"""

from __future__ import annotations

from typing import NamedTuple


class Found(NamedTuple):
    """Name what a linter found: its rule, and the resource as template.LogicalName."""

    rule: str
    resource: str


ACCESS_LOGS = (
    "Server access logs are best effort and would need a bucket of their own, with the same rule. "
    "Who reads or writes objects is seen by CloudTrail's data events, which an account turns on "
    "for all its buckets alike"
)
DECLARED = (
    "A boundary names what the role can never exceed, all of it declared by actions; resources "
    "and conditions narrow it in the role's own policy, and once more in the session of each step"
)

BY_ALIAS = (
    "Its list lacks kms:ResourceAliases, by which a key is told that has no id beforehand: "
    "https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html"
)
EXPRESS = (
    "Its list asks for the ARN of an express execution as well; Firebreak's machines are standard"
)

PARLIAMENT = {
    Found("RESOURCE_STAR", "member.Boundary"): DECLARED,
    Found("RESOURCE_MISMATCH", "member.MemberRole"): (
        "Its list says that servicequotas:GetServiceQuota takes no resource; AWS's own says quota"
    ),
    Found("INVALID_ARN", "member.MemberRole"): (
        "It wants an account's digits; the prefix lists that AWS manages have aws there: "
        "https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html"
    ),
    Found("RESOURCE_MISMATCH", "firewall_logs.Destination"): (
        "Its list knows of log groups alone; a destination's policy names the destination: "
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CreateDestination.html"
    ),
    Found("UNKNOWN_CONDITION_FOR_ACTION", "functions.seal_audit"): BY_ALIAS,
    Found("RESOURCE_MISMATCH", "functions.reconcile"): EXPRESS,
    Found("RESOURCE_MISMATCH", "functions.sweep"): EXPRESS,
}

CHECKOV = {
    Found("CKV_AWS_107", "member.Boundary"): DECLARED,
    Found("CKV_AWS_109", "member.Boundary"): DECLARED,
    Found("CKV_AWS_111", "member.Boundary"): DECLARED,
    Found("CKV_AWS_18", "data.AuditBucket"): ACCESS_LOGS,
    Found("CKV_AWS_18", "data.StateBucket"): ACCESS_LOGS,
    Found("CKV_AWS_18", "firewall_logs_member.LogBucket"): ACCESS_LOGS,
    Found("CKV_AWS_27", "member.Undelivered"): (
        "It is encrypted, with SQS's own key: checkov asks for a KMS key, and a member account has "
        "none of Firebreak's"
    ),
    Found("CKV_AWS_33", "data.StageKey"): (
        "kms:CallerAccount and kms:ViaService stand beside the wildcard: principals of the account "
        "that use a table, queue or topic, as with the keys that AWS manages"
    ),
}


def unexplained(found: set[Found], explained: dict[Found, str]) -> dict[str, list[Found]]:
    """Return what a linter found and nobody explains, and what is explained and not found."""
    return {
        "unexplained": sorted(found - set(explained)),
        "not needed": sorted(set(explained) - found),
    }
