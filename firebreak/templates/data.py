"""What a stage must not lose: its keys, both tables, the audit trail, the deployment records."""

from __future__ import annotations

from typing import Any

from chalicelib.settings import Settings
from firebreak import cfn, tables
from firebreak.cfn import Value, Values, buckets, keys
from firebreak.templates import Wanted

SUMMARY = "Firebreak: what a stage must not lose. Its resources stay when the stack is deleted."
OBJECT_LOCK_YEARS = 100  # the most that S3 takes
FIRST_YEARS = 1  # can be made more at any time, and never less


def template(wanted: Wanted) -> dict[str, Any]:
    """Return the template of keys, tables and buckets."""
    own = cfn.names(wanted.stage)
    years = cfn.parameter(
        "Years for which nobody can delete or change a record of the audit trail, root neither. "
        "It can be made longer later; what is locked stays locked.",
        FIRST_YEARS,
        Type="Number",
        MinValue=1,
        MaxValue=OBJECT_LOCK_YEARS,
    )
    streamed = {"StreamSpecification": tables.STREAM}
    stage_key, seal_key = keys.stage_key(wanted.stage), keys.seal_key(wanted.stage)
    return cfn.template(
        SUMMARY,
        {
            "StageKey": stage_key,
            "StageKeyAlias": _alias(own.stage_key, "StageKey"),
            "SealKey": seal_key,
            "SealKeyAlias": _alias(own.seal_key, "SealKey"),
            "RemediationsTable": _table(own.remediations_table, tables.REMEDIATIONS, {}),
            "AuditTable": _table(own.audit_table, tables.AUDIT, streamed),
            **buckets.audit(own),
            **buckets.state(own),
        },
        parameters={"AuditYears": years},
        outputs=_outputs(own),
    )


def _alias(name: str, key: str) -> Value:
    return cfn.kept("KMS::Alias", {"AliasName": name, "TargetKeyId": {"Ref": key}})


def _table(name: str, keys: tables.Keys, stream: Values) -> Value:
    """Return a table; none has a time to live: what is old there still counts."""
    return cfn.kept(
        "DynamoDB::Table",
        {
            "TableName": name,
            **tables.shape(keys),
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "DeletionProtectionEnabled": True,
            "SSESpecification": {
                "SSEEnabled": True,
                "SSEType": "KMS",
                "KMSMasterKeyId": {"Fn::GetAtt": ["StageKey", "Arn"]},
            },
            **stream,
        },
    )


def _outputs(own: Settings) -> Value:
    return {
        "StageKeyArn": {
            "Description": "The key that encrypts what the stage stores.",
            "Value": {"Fn::GetAtt": ["StageKey", "Arn"]},
            "Export": {"Name": cfn.exported(own.stage, "key")},
        },
        "AuditStreamArn": {
            "Description": "The stream of the audit table, which keep_audit reads.",
            "Value": {"Fn::GetAtt": ["AuditTable", "StreamArn"]},
            "Export": {"Name": cfn.exported(own.stage, "audit-stream")},
        },
    }
