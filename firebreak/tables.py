"""The shape of a stage's two tables, in an embedded AWS as in a deployment."""

from __future__ import annotations

from collections.abc import Mapping

Keys = tuple[tuple[str, str, str], ...]  # of an attribute: its name, type and part in the key

REMEDIATIONS: Keys = (("pk", "S", "HASH"), ("sk", "S", "RANGE"))
AUDIT: Keys = (("chain", "S", "HASH"), ("seq", "N", "RANGE"))
STREAM: Mapping[str, str] = {"StreamViewType": "NEW_IMAGE"}  # of the audit table


def shape(keys: Keys) -> dict[str, object]:
    """Return what DynamoDB and CloudFormation are told of a table's key; it is paid by request."""
    return {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t, _ in keys],
        "KeySchema": [{"AttributeName": n, "KeyType": k} for n, _, k in keys],
    }
