"""DynamoDB: numbers, keys, expressions and transactions within their limits.

Each was seen to be refused by DynamoDB Local, and accepted (or met with an error of Python's) by
moto. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.patching import Patch
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()

DIGITS = 38
LARGEST, SMALLEST = Decimal("9.9999999999999999999999999999999999999E+125"), Decimal("1E-130")
TRANSACTION_BYTES = 4 * 2**20
KEY_BYTES = {"HASH": 2_048, "RANGE": 1_024}
EXPRESSIONS = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)
EXPRESSION_BYTES = 4_096
NAMED_VALUE = re.compile(r":\w+")


@CORRECTIONS.replaces
def patches() -> list[Patch]:
    """Return what tagging a table is: a key has one value."""
    from moto.dynamodb.models import DynamoDBBackend

    return [Patch(DynamoDBBackend, "tag_resource", _tagged(DynamoDBBackend.tag_resource))]


def _tagged(tag: Callable[..., None]) -> Callable[..., None]:
    """Take a tag away before it gets another value; moto keeps both.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html
    """

    def tagged(backend: Any, arn: str, tags: Mapping[str, str]) -> None:
        backend.untag_resource(arn, list(tags))
        tag(backend, arn, tags)

    return tagged


@CORRECTIONS.follows("UpdateTable")
def encryption(info: CallInfo, response: Any) -> None:
    """Change the key of a table, and its class; moto leaves both as they were.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
    """
    from moto.dynamodb.models import dynamodb_backends

    table: Any = dynamodb_backends[info.account][info.region].get_table(info.params["TableName"])
    if "SSESpecification" in info.params:
        table.sse_specification = dict(info.params["SSESpecification"])
    if "TableClass" in info.params:
        table.table_class = info.params["TableClass"]


@CORRECTIONS.refuses("DeleteTable")
def protected(info: CallInfo, principal: Principal) -> None:
    """Refuse to delete a table that is protected.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.Basics.html
    """
    from moto.dynamodb.models import dynamodb_backends

    table = dynamodb_backends[info.account][info.region].tables.get(info.params["TableName"])
    if table is not None and table.deletion_protection_enabled:
        message = "Resource cannot be deleted as it is currently protected against deletion. "
        raise _refused(message + "Disable deletion protection first.")


def _refused(message: str) -> Refusal:
    return Refusal("ValidationException", message)


def _requests(params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what is asked of one item or partition: the call itself, or a transaction's parts."""
    if "TransactItems" not in params:
        yield params
    for entry in params.get("TransactItems", ()):
        yield from entry.values()


@CORRECTIONS.refuses("PutItem", "TransactWriteItems")
def numbers(info: CallInfo, principal: Principal) -> None:
    """Refuse numbers of more than 38 digits, or beyond the range."""
    for request in _requests(info.params):
        for value in request.get("Item", {}).values():
            if "N" in value:
                _number(value["N"])


def _number(text: str) -> None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise _refused("A value provided cannot be converted into a number")
    digits = "".join(map(str, number.as_tuple().digits))
    if len(digits.strip("0")) > DIGITS:
        raise _refused("DynamoDB only supports precision up to 38 digits")
    if number and not SMALLEST <= abs(number) <= LARGEST:
        raise _refused("Number overflow, or underflow")


@CORRECTIONS.refuses("TransactWriteItems")
def payload(info: CallInfo, principal: Principal) -> None:
    """Refuse a transaction of more than 4 MB."""
    size = sum(
        len(name) + sum(_bytes(part) for part in value.values())
        for request in _requests(info.params)
        for name, value in request.get("Item", {}).items()
    )
    if size > TRANSACTION_BYTES:
        raise _refused(f"Transaction payload size cannot exceed 4MB. Payload Size: {size}")


def _bytes(value: object) -> int:
    text = str(value)
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


@CORRECTIONS.refuses("PutItem", "DeleteItem", "Query", "Scan", "TransactWriteItems")
def values(info: CallInfo, principal: Principal) -> None:
    """Refuse a value that no expression names, one that is named and not given, a long text."""
    for request in _requests(info.params):
        texts = [request[each] for each in EXPRESSIONS if each in request]
        if any(len(text) > EXPRESSION_BYTES for text in texts):
            raise _refused("Expression size has exceeded the maximum allowed size")
        named = {name for text in texts for name in NAMED_VALUE.findall(text)}
        given = set(request.get("ExpressionAttributeValues", ()))
        if given - named:
            unused = ", ".join(sorted(given - named))
            raise _refused(
                f"Value provided in ExpressionAttributeValues unused in expressions: {unused}"
            )
        if named - given:
            missing = ", ".join(sorted(named - given))
            raise _refused(f"An expression attribute value is not defined: {missing}")


@CORRECTIONS.refuses("BatchGetItem")
def keys(info: CallInfo, principal: Principal) -> None:
    """Refuse to look for a key that no item can have."""
    from moto.dynamodb.models import dynamodb_backends

    tables = dynamodb_backends[info.account][info.region].tables
    for name, asked in info.params["RequestItems"].items():
        schema = tables[name].schema if name in tables else ()
        for part in schema:
            for key in asked["Keys"]:
                text = key.get(part["AttributeName"], {}).get("S", "-")
                longest = KEY_BYTES[part["KeyType"]]
                if not 0 < _bytes(text) <= longest:
                    raise _refused(f"a {part['KeyType']} key has 1 to {longest} bytes")
