"""How much AWS lets an account have of something."""

from __future__ import annotations

from botocore.exceptions import ClientError

from chalicelib.effect import Reader
from chalicelib.gone import is_code

PERMISSION = "servicequotas:GetServiceQuota"
NO_ANSWER = ("NoSuchResourceException", "AccessDeniedException")

# Quota codes of Service Quotas for `vpc`, and the defaults (VPC user guide, "Amazon VPC quotas").
# Both are per direction, and "enforced separately for IPv4 rules and IPv6 rules".
RULES_PER_NETWORK_ACL = ("L-2AEEBF1A", 20)
RULES_PER_SECURITY_GROUP = ("L-0EA8095F", 60)


def vpc_quota(aws: Reader, quota: tuple[str, int]) -> int:
    """Return a quota of Amazon VPC; its default where Service Quotas does not say."""
    code, default = quota
    try:
        answer = aws.read("service-quotas", "get_service_quota", ServiceCode="vpc", QuotaCode=code)
    except ClientError as error:
        if is_code(error, *NO_ANSWER):
            return default
        raise
    return int(answer["Quota"]["Value"])
