"""What AWS asks in us-east-1, on demand and without free tiers, with where each price was found.

AWS's pricing pages write their figures by script, so they were read where AWS or others quote them:

    ASR      the cost page of Automated Security Response on AWS, which lists what services cost:
             https://docs.aws.amazon.com/solutions/latest/automated-security-response-on-aws/cost.html
             The copy has no date; it speaks of notification channels, which version 4.0.0 of August
             2026 brought. Its price of DynamoDB requests, twice ours, is that of before November
             2024.
    quoted   the service's pricing page, as public estimates quote it that say when they read it
    list     AWS's price list, as a public study of September 2026 quotes it
    undated  the service's pricing page, as public estimates quote it that do not say when
"""

from __future__ import annotations

from dataclasses import dataclass

ASR = "ASR, copy without a date (2026-08 or later)"


@dataclass(frozen=True, slots=True)
class Price:
    """Hold what so many units of something cost, in dollars, and where that was found."""

    usd: float
    per: float
    unit: str
    page: str
    found: str

    def of(self, quantity: float) -> float:
        """Return what a quantity costs."""
        return self.usd * quantity / self.per


MILLION, THOUSAND = 1e6, 1e3
PRICES = {
    "lambda_requests": Price(0.20, MILLION, "Lambda requests", "lambda", ASR),
    "lambda_gb_seconds": Price(16.6667, MILLION, "Lambda GB-seconds, x86", "lambda", ASR),
    "transitions": Price(0.025, THOUSAND, "Step Functions transitions", "step-functions", ASR),
    "write_units": Price(
        0.625,
        MILLION,
        "DynamoDB write request units",
        "dynamodb/pricing/on-demand",
        "quoted 2026-10-04",
    ),
    "read_units": Price(
        0.125,
        MILLION,
        "DynamoDB read request units",
        "dynamodb/pricing/on-demand",
        "quoted 2026-10-04",
    ),
    "sns_publishes": Price(0.50, MILLION, "SNS requests", "sns", ASR),
    "sns_emails": Price(2.00, 1e5, "SNS e-mails", "sns", "undated"),
    "sqs_requests": Price(0.40, MILLION, "SQS requests", "sqs", ASR),
    "custom_events": Price(1.00, MILLION, "EventBridge custom events", "eventbridge", ASR),
    "forwarded_events": Price(1.00, MILLION, "EventBridge cross-account", "eventbridge", ASR),
    "kms_requests": Price(0.03, 1e4, "KMS requests", "kms", ASR),
    "kms_signatures": Price(0.15, 1e4, "KMS requests, elliptic curve", "kms", "undated"),
    "s3_puts": Price(0.005, THOUSAND, "S3 PUT and LIST requests", "s3", ASR),
    "s3_gets": Price(0.0004, THOUSAND, "S3 GET and other requests", "s3", ASR),
    "log_gb": Price(0.50, 1, "CloudWatch Logs, GB taken in", "cloudwatch", ASR),
    "traces": Price(5.00, MILLION, "X-Ray traces recorded", "xray", ASR),
    "api_requests": Price(3.50, MILLION, "API Gateway REST requests", "api-gateway", ASR),
}
MONTHLY = {
    "key": Price(1.00, 1, "KMS key; the 1st and 2nd rotation add $1 each", "kms", ASR),
    "alarm": Price(0.10, 1, "alarm metric, standard resolution", "cloudwatch", ASR),
    "dashboard": Price(3.00, 1, "dashboard", "cloudwatch", ASR),
    "table_gb": Price(0.25, 1, "DynamoDB, GB stored", "dynamodb", "quoted 2026-10-03"),
    "recovery_gb": Price(0.20, 1, "point-in-time recovery, GB", "dynamodb", "quoted 2026-10-03"),
    "log_gb": Price(
        0.03, 1, "CloudWatch Logs, GB kept (compressed)", "cloudwatch", "quoted 2026-10-03"
    ),
    "bucket_gb": Price(0.023, 1, "S3 Standard, GB", "s3", ASR),
    "stream": Price(0.04 * 730, 1, "Kinesis stream on demand, 730 h", "kinesis", "list 2026-09"),
    "stream_gb": Price(0.12, 1, "Kinesis on demand, GB in and out", "kinesis", "list 2026-09"),
    "shard": Price(0.015 * 730, 1, "Kinesis shard provisioned, 730 h", "kinesis", "list 2026-09"),
}

# What ASR's own page counts for its use, per remediation and the findings that come with it: its
# example has 500 findings and 30 remediations for each account in a month.
ASR_FINDINGS = 500 / 30
ASR_USE = (
    ("Systems Manager: 4 steps of $0.002, 10 s of $0.00003", 4 * 0.002 + 10 * 0.00003),
    ("Step Functions: 19 transitions", 19 * 0.000025),
    ("Lambda requests: 7, and 1 for each finding", (7 + ASR_FINDINGS) * 0.0000002),
    (
        "Lambda: 4 s, and 0.449 s for each finding, 512 MB",
        (4_000 + 449 * ASR_FINDINGS) * 0.0000000083,
    ),
    ("KMS: 2, and 4 for each finding, 30 % of them", (2 + 4 * ASR_FINDINGS) * 0.3 * 0.000003),
    ("SNS: 2", 2 * 0.0000005),
    ("CloudWatch metrics: 1 put", 0.00001),
    ("X-Ray traces: one for each Lambda request", (7 + ASR_FINDINGS) * 0.000005),
)
