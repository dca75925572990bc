from __future__ import annotations

import pytest

from firebreak import tables
from firebreak.cloud.policy import Decision, Request, evaluate
from tests.templates.made import HOME, HOME_REGION, built, documents, made, statements

BUCKET = f"arn:aws:s3:::firebreak-dev-audit-{HOME}-{HOME_REGION}"
ROLE = f"arn:aws:iam::{HOME}:role/firebreak-dev"
TLS = {"aws:securetransport": ("true",)}


def test_nothing_is_lost_with_the_stack() -> None:
    """Keys, tables and buckets stay when the stack is deleted, or one of them is replaced.

    What a first creation made that failed does not: it would block the next.
    """
    policies = {
        name: (each.get("DeletionPolicy"), each.get("UpdateReplacePolicy"))
        for name, each in built("data")["Resources"].items()
        if not each["Type"].endswith("Policy")
    }

    assert dict.fromkeys(policies, ("RetainExceptOnCreate", "Retain")) == policies


@pytest.mark.parametrize(
    ("name", "keys"), [("RemediationsTable", tables.REMEDIATIONS), ("AuditTable", tables.AUDIT)]
)
def test_tables_are_protected(name: str, keys: tables.Keys) -> None:
    """Tables have the code's keys, point-in-time recovery, protection and the stage's key."""
    table = made("data")[name]

    assert tables.shape(keys) == {part: table[part] for part in tables.shape(keys)}
    assert table["DeletionProtectionEnabled"]
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert table["SSESpecification"]["KMSMasterKeyId"].endswith("key/StageKey")
    assert "TimeToLiveSpecification" not in table


def test_only_the_audit_table_has_a_stream() -> None:
    """The audit table's stream has new images; the other has none."""
    resources = made("data")

    assert "NEW_IMAGE" == resources["AuditTable"]["StreamSpecification"]["StreamViewType"]
    assert "StreamSpecification" not in resources["RemediationsTable"]


def test_the_audit_bucket_is_locked_for_as_long_as_is_asked() -> None:
    """New objects are locked in compliance mode for AuditYears."""
    bucket = made("data", AuditYears=7)["AuditBucket"]
    lock = bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]

    assert {"Mode": "COMPLIANCE", "Years": 7} == lock
    assert bucket["ObjectLockEnabled"]
    assert 1 == built("data")["Parameters"]["AuditYears"]["Default"]  # it can only grow


@pytest.mark.parametrize(
    ("caller", "action", "context", "expected"),
    [
        (f"{ROLE}-keep_audit", "s3:PutObject", TLS, Decision.IMPLICIT_DENY),
        (f"{ROLE}-seal_audit", "s3:PutObject", TLS, Decision.IMPLICIT_DENY),
        (f"{ROLE}-keep_audit", "s3:PutObject", {}, Decision.IMPLICIT_DENY),
        (f"{ROLE}-run_step", "s3:PutObject", TLS, Decision.EXPLICIT_DENY),
        (f"arn:aws:iam::{HOME}:role/Admin", "s3:PutObject", TLS, Decision.EXPLICIT_DENY),
        (f"{ROLE}-keep_audit", "s3:DeleteObject", TLS, Decision.EXPLICIT_DENY),
        (f"{ROLE}-keep_audit", "s3:PutObjectRetention", TLS, Decision.EXPLICIT_DENY),
        (f"arn:aws:iam::{HOME}:role/Admin", "s3:GetObject", TLS, Decision.IMPLICIT_DENY),
    ],
)
def test_only_what_keeps_and_seals_writes_to_the_audit_bucket(
    caller: str, action: str, context: dict[str, tuple[str, ...]], expected: Decision
) -> None:
    """The bucket's policy denies others to write, and everybody to hide or hold what is there."""
    (document,) = documents(made("data")["AuditBucketPolicy"])
    asked = Request(action, f"{BUCKET}/records/one", {"aws:principalarn": (caller,), **context})

    assert expected == evaluate([document], asked)


@pytest.mark.parametrize("bucket", ["AuditBucket", "StateBucket"])
def test_buckets_are_private(bucket: str) -> None:
    """Both buckets are versioned, encrypted, owned by the account alone, and ask for TLS."""
    resources = made("data")
    wanted, policy = resources[bucket], statements(resources[f"{bucket}Policy"])

    assert "Enabled" == wanted["VersioningConfiguration"]["Status"]
    assert {True} == set(wanted["PublicAccessBlockConfiguration"].values())
    assert "BucketOwnerEnforced" == wanted["OwnershipControls"]["Rules"][0]["ObjectOwnership"]
    assert wanted["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert "OnlyTls" == policy[-1]["Sid"]


def test_old_records_of_deployments_end_after_a_year() -> None:
    """A deployment record is kept for a year after the next one, and the newest for ever."""
    (rule,) = made("data")["StateBucket"]["LifecycleConfiguration"]["Rules"]

    assert 365 == rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
    assert "ExpirationInDays" not in rule


def test_only_seal_audit_signs() -> None:
    """The seal key's policy lets its administrators do everything but sign."""
    administration, sign = statements(made("data")["SealKey"])

    assert "kms:Sign" not in administration["Action"]
    assert not any("*" in action for action in administration["Action"])
    assert {"aws:PrincipalArn": f"{ROLE}-seal_audit"} == sign["Condition"]["ArnEquals"]


def test_the_stage_key_is_used_through_services_of_the_account() -> None:
    """Whoever is named by a wildcard is of the account, and comes through a service."""
    key = made("data")["StageKey"]
    wide = [s for s in statements(key) if s["Principal"] == {"AWS": "*"}]

    assert key["EnableKeyRotation"]
    assert {HOME} == {s["Condition"]["StringEquals"]["kms:CallerAccount"] for s in wide}
    assert all(s["Condition"]["StringEquals"]["kms:ViaService"] for s in wide)
