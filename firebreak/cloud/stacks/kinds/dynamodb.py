"""DynamoDB: tables.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

from __future__ import annotations

from typing import Any

from firebreak.cloud.stacks.kinds import (
    At,
    Kind,
    Made,
    Properties,
    kind,
    listed,
    only,
    retag_resource,
)

PLAIN = (
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "TableClass",
    "TableName",
)
UPDATABLE = (
    "BillingMode",
    "DeletionProtectionEnabled",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "TableClass",
)


@kind("AWS::DynamoDB::Table")
class Table(Kind):
    """A table; one with deletion protection is not deleted."""

    name = "TableName"
    arn = "arn:{partition}:dynamodb:{region}:{account}:table/{TableName}"
    left_out = frozenset(
        {
            "ContributorInsightsSpecification",
            "ImportSourceSpecification",
            "KinesisStreamSpecification",
            "ResourcePolicy",
            "VectorIndexes",
            "WarmThroughput",
        }
    )

    def create(self, at: At, properties: Properties) -> Made:
        """Make the table."""
        at.call(
            "dynamodb",
            "create_table",
            **only(properties, *PLAIN),
            SSESpecification=_encryption(properties),
            StreamSpecification=_stream(properties),
            Tags=listed(properties.get("Tags")) or None,
        )
        return _made(at, properties["TableName"])

    def complete(self, at: At, made: Made, properties: Properties) -> Made:
        """Set what CreateTable does not know."""
        _backups(at, {}, properties)
        _expiry(at, {}, properties)
        return made

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Change the table in place, one kind of change per call, as UpdateTable wants it."""
        for changes in _table_changes(old, new):
            at.call("dynamodb", "update_table", TableName=made.id, **changes)
        _backups(at, old, new)
        _expiry(at, old, new)
        retag_resource(at, "dynamodb", old, new, ResourceArn=made.attributes["Arn"])
        return _made(at, made.id)

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the table."""
        at.call("dynamodb", "delete_table", TableName=made.id)


def _made(at: At, name: str) -> Made:
    table = at.call("dynamodb", "describe_table", TableName=name)["Table"]
    stream = {"StreamArn": table["LatestStreamArn"]} if "LatestStreamArn" in table else {}
    return Made(name, {"Arn": table["TableArn"], **stream})


def _encryption(properties: Properties) -> dict[str, Any] | None:
    given = properties.get("SSESpecification")
    if given is None:
        return None
    kind_of_key = {"SSEType": "KMS"} if given["SSEEnabled"] else {}
    return {"Enabled": given["SSEEnabled"], **kind_of_key, **only(given, "KMSMasterKeyId")}


def _stream(properties: Properties) -> dict[str, Any] | None:
    given = properties.get("StreamSpecification")
    return None if given is None else {"StreamEnabled": True, **only(given, "StreamViewType")}


def _table_changes(old: Properties, new: Properties) -> list[dict[str, Any]]:
    changes = [
        {name: new[name]} for name in UPDATABLE if name in new and new[name] != old.get(name)
    ]
    if old.get("DeletionProtectionEnabled") and "DeletionProtectionEnabled" not in new:
        changes.append({"DeletionProtectionEnabled": False})
    if _encryption(new) != _encryption(old):
        changes.append({"SSESpecification": _encryption(new) or {"Enabled": False}})
    if _stream(new) != _stream(old):
        if _stream(old):
            changes.append({"StreamSpecification": {"StreamEnabled": False}})
        if _stream(new):
            changes.append({"StreamSpecification": _stream(new)})
    return changes + _index_changes(old, new)


def _index_changes(old: Properties, new: Properties) -> list[dict[str, Any]]:
    before = {each["IndexName"]: each for each in old.get("GlobalSecondaryIndexes", ())}
    after = {each["IndexName"]: each for each in new.get("GlobalSecondaryIndexes", ())}
    gone = [{"Delete": {"IndexName": name}} for name in before if before[name] != after.get(name)]
    made = [{"Create": each} for name, each in after.items() if before.get(name) != each]
    return [
        {
            "GlobalSecondaryIndexUpdates": [change],
            "AttributeDefinitions": new["AttributeDefinitions"],
        }
        for change in (*gone, *made)
    ]


def _backups(at: At, old: Properties, new: Properties) -> None:
    name = "PointInTimeRecoverySpecification"
    if old.get(name) == new.get(name):
        return
    wanted = new.get(name, {"PointInTimeRecoveryEnabled": False})
    at.call("dynamodb", "update_continuous_backups", TableName=new["TableName"], **{name: wanted})


def _expiry(at: At, old: Properties, new: Properties) -> None:
    name = "TimeToLiveSpecification"
    if old.get(name) == new.get(name):
        return
    wanted = new.get(name) or {**old[name], "Enabled": False}
    if wanted.get("Enabled") or old.get(name):
        at.call("dynamodb", "update_time_to_live", TableName=new["TableName"], **{name: wanted})
